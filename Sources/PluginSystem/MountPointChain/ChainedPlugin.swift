// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI

/// A plugin that a chain can call. Calls block until there is an answer or a deadline has passed.
public protocol ChainedPlugin {
    /// As the chain names it, without `plugin:`.
    var name: String { get }

    /// What it wants to be asked about, and the times that it may take, as the host allows them. Asked once for each plugin of a chain,
    /// before the first ``attach(_:committing:)``.
    func properties() throws(ChainedPluginError) -> MountPointProperties

    /// Asks it to attach.
    ///
    /// - Parameter rename: makes it count that this plugin is being asked. It is to count at the moment at which the request is sent: not
    ///   while the plugin may still turn out not to be there, and not after it may have read the request.
    /// - Returns: what it said of each mount; an answer with `Success` false is a failure, ``ChainedPluginError/Kind/refused``.
    /// - Throws: ``ChainedPluginError/Kind/notRecorded`` if the record cannot be made to count; nothing is sent then.
    func attach(_ request: MountPointAttachRequest, committing rename: PreparedRename) throws(ChainedPluginError) -> [Attachment]

    /// Tells it that its mounts are in place.
    func mounted(_ request: MountPointMountedRequest) throws(ChainedPluginError)

    /// Asks it to detach what it has attached for a container.
    ///
    /// - Parameters:
    ///   - seconds: that the plugin has for it, also for coming back if it is away; nil for what each call has.
    ///   - rename: as for attach; nil if none could be prepared, and the plugin is to be asked all the same.
    /// - Returns: its answer, also one with `Success` false.
    /// - Throws: ``ChainedPluginError/Kind/notRecorded`` if the record cannot be made to count; nothing is sent then, and it is asked
    ///   again without one.
    func detach(
        _ request: MountPointDetachRequest, within seconds: Double?, committing rename: PreparedRename?
    ) throws(ChainedPluginError) -> MountPointDetachResponse
}

/// A call of a plugin that has failed.
public struct ChainedPluginError: Error, Sendable {
    public enum Kind: Sendable {
        /// It cannot be found, reached or loaded; it knows nothing of the call.
        case notSent
        /// The record of the call could not be put in its place, so it was not made.
        case notRecorded
        /// It answered that it failed: an HTTP error status, or `Success` false.
        case refused
        /// The request was delivered; the answer never came, came too late or cannot be understood.
        case unclear
    }

    public var kind: Kind
    /// The text after `failed with error: `.
    public var message: String
    /// The error below it, if there is one.
    public var cause: (any Error)?

    public init(_ kind: Kind, _ message: String, cause: (any Error)? = nil) {
        self.kind = kind
        self.message = message
        self.cause = cause
    }
}

/// A prepared rename: the new content is in ``draft``, and counts from the moment at which that is renamed to ``path``.
public struct PreparedRename: Sendable, Equatable {
    public var draft: String
    public var path: String

    public init(draft: String, path: String) {
        self.draft = draft
        self.path = path
    }

    /// For a store that keeps nothing: there is nothing to rename.
    public static var inMemory: PreparedRename { PreparedRename(draft: "", path: "") }

    public var isInMemory: Bool { path.isEmpty }
}

/// Keeps the stack where the next process finds it if this one is killed. Each write replaces the whole stack.
///
/// An empty stack may be stored by removing the file, even if there is none. If the last write fails, the caller knows that nothing is left
/// to detach, and must make sure that the old stack is not used any more.
public protocol AppliedStackStore {
    /// Keeps the stack; counts when it returns.
    func write(_ stack: AppliedStack) throws(StackStoreError)
    /// Prepares to keep the stack; counts when the plugin that it is given to renames it.
    func prepare(_ stack: AppliedStack) throws(StackStoreError) -> PreparedRename
}

/// A stack that cannot be written or read.
public struct StackStoreError: Error, Sendable {
    /// One line.
    public var message: String
    /// The error below it, if there is one.
    public var cause: (any Error)?

    public init(_ message: String, cause: (any Error)? = nil) {
        self.message = message
        self.cause = cause
    }
}

/// What the host does in place of a plugin that cannot be asked to detach, and where warnings go.
public protocol EmergencyActions {
    /// Removes a file or an empty directory; the path is absolute.
    func remove(_ path: String) throws(EmergencyActionError)
    /// Unmounts what is mounted last at an absolute path.
    func unmount(_ path: String) throws(EmergencyActionError)
    /// Logs a line, at once.
    func warn(_ text: String)
}

/// A path that could not be removed or unmounted.
public struct EmergencyActionError: Error, Sendable {
    /// One line, with the path.
    public var message: String
    /// The error below it, if there is one.
    public var cause: (any Error)?

    public init(_ message: String, cause: (any Error)? = nil) {
        self.message = message
        self.cause = cause
    }
}

/// A source that a plugin has given and that cannot be mounted.
public struct SourceError: Error, Sendable {
    /// One line, with the path.
    public var message: String
    /// Whether nothing is there. A mount whose source is made if it is missing may go on then.
    public var isMissing: Bool
    /// The error below it, if there is one.
    public var cause: (any Error)?

    public init(_ message: String, isMissing: Bool = false, cause: (any Error)? = nil) {
        self.message = message
        self.isMissing = isMissing
        self.cause = cause
    }
}

// MARK: Comparing without the causes, which cannot be compared

extension ChainedPluginError: Equatable {
    public static func == (one: ChainedPluginError, other: ChainedPluginError) -> Bool {
        one.kind == other.kind && one.message == other.message
    }
}

extension StackStoreError: Equatable {
    public static func == (one: StackStoreError, other: StackStoreError) -> Bool { one.message == other.message }
}

extension EmergencyActionError: Equatable {
    public static func == (one: EmergencyActionError, other: EmergencyActionError) -> Bool { one.message == other.message }
}

extension SourceError: Equatable {
    public static func == (one: SourceError, other: SourceError) -> Bool {
        one.message == other.message && one.isMissing == other.isMissing
    }
}
