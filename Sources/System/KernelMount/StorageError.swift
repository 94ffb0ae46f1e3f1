// SPDX-License-Identifier: AGPL-3.0-or-later

/// Why something could not be done with a mount or a volume: a code for programs, one line for a person, and the error below it.
///
/// The line says the cause first and ends with what to do. Layers above add what they were doing to the line and keep the code.
public struct StorageError: Error, Sendable, CustomStringConvertible {
    /// A kind of failure. Its description is stable: status, log and metrics show it.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Value: String, Sendable, CaseIterable {
            // The server and the way to it
            case nameNotResolved = "name-not-resolved"
            case noRoute = "no-route"
            case refused
            case silent
            case mute
            case timedOut = "timed-out"
            case heldUp = "held-up"
            case stale
            // What the server has
            case exportNotThere = "export-not-there"
            case accessDenied = "access-denied"
            case versionNotOffered = "version-not-offered"
            case subdirectory
            // This host
            case badOption = "bad-option"
            case badSetting = "bad-setting"
            case noKernelSupport = "no-kernel-support"
            case notPrivileged = "not-privileged"
            case lockServiceMissing = "lock-service-missing"
            case helperMissing = "helper-missing"
            case local
            case stuck
            // The volume
            case noSuchVolume = "no-such-volume"
            case conflict
            case inUse = "in-use"
            case damaged
            case catalogue
            case disposal
            // The request
            case cancelled
            case tooManyCalls = "too-many-calls"
            case other
        }

        private let value: Value

        public static let nameNotResolved = Code(value: .nameNotResolved)
        public static let noRoute = Code(value: .noRoute)
        public static let refused = Code(value: .refused)
        /// No answer to the connection.
        public static let silent = Code(value: .silent)
        /// A connection, and then no answer.
        public static let mute = Code(value: .mute)
        public static let timedOut = Code(value: .timedOut)
        /// The kernel had it wait for a mount from another server, so nothing is known of its own.
        public static let heldUp = Code(value: .heldUp)
        public static let stale = Code(value: .stale)
        public static let exportNotThere = Code(value: .exportNotThere)
        public static let accessDenied = Code(value: .accessDenied)
        public static let versionNotOffered = Code(value: .versionNotOffered)
        public static let subdirectory = Code(value: .subdirectory)
        public static let badOption = Code(value: .badOption)
        /// A setting of the daemon that cannot be accepted.
        public static let badSetting = Code(value: .badSetting)
        public static let noKernelSupport = Code(value: .noKernelSupport)
        public static let notPrivileged = Code(value: .notPrivileged)
        public static let lockServiceMissing = Code(value: .lockServiceMissing)
        /// A program of this host that the kernel needs for a mount, such as rpc.gssd.
        public static let helperMissing = Code(value: .helperMissing)
        /// A file, folder or call of this host.
        public static let local = Code(value: .local)
        /// The kernel still holds a killed process that works there.
        public static let stuck = Code(value: .stuck)
        public static let noSuchVolume = Code(value: .noSuchVolume)
        /// It exists with other options, or its superblock is in use with others.
        public static let conflict = Code(value: .conflict)
        public static let inUse = Code(value: .inUse)
        /// A file that cannot be read as what it should be.
        public static let damaged = Code(value: .damaged)
        /// The share's catalogue could not be read or changed.
        public static let catalogue = Code(value: .catalogue)
        /// A removed volume's directory could not be archived or deleted.
        public static let disposal = Code(value: .disposal)
        public static let cancelled = Code(value: .cancelled)
        /// More calls wait for a volume than are let in.
        public static let tooManyCalls = Code(value: .tooManyCalls)
        public static let other = Code(value: .other)

        /// All codes, in the order in which they are declared.
        public static var all: [Code] { Value.allCases.map { Code(value: $0) } }

        public var description: String { value.rawValue }

        /// Reads a description; nil for a text that is none.
        public init?(_ description: String) {
            guard let value = Value(rawValue: description) else { return nil }
            self.value = value
        }

        private init(value: Value) { self.value = value }
    }

    public var code: Code
    public var description: String
    /// The description without what was tried: the cause, and what to do.
    public private(set) var reason: String
    /// The error below it, if there is one.
    public var cause: (any Error)?
    /// Trying again may help without any change on either side.
    public var mayPass: Bool
    /// Set while the kernel still holds the killed process that worked on the mount point.
    public var stuck: StuckProcess?

    public init(
        _ code: Code, _ description: String, cause: (any Error)? = nil, mayPass: Bool = false, stuck: StuckProcess? = nil
    ) {
        self.code = code
        self.description = description
        reason = description
        self.cause = cause
        self.mayPass = mayPass
        self.stuck = stuck
    }

    /// The error of a mount. Its line begins with what was tried.
    ///
    /// - Parameter source: as the mount table would show it, such as `host:/path`.
    public static func mounting(
        _ source: String, _ code: Code, _ reason: String, cause: (any Error)? = nil, mayPass: Bool = false, stuck: StuckProcess? = nil
    ) -> StorageError {
        var error = StorageError(code, "cannot mount \(source): \(reason)", cause: cause, mayPass: mayPass, stuck: stuck)
        error.reason = reason
        return error
    }

    /// The same failure, as a layer above reports it.
    ///
    /// - Parameter context: what that layer was doing, such as `cannot mount volume web`; a colon follows it.
    public func prefixed(by context: String) -> StorageError {
        var error = self
        error.description = "\(context): \(description)"
        return error
    }

    /// The same failure, if undoing what came before it failed too.
    public func followed(by second: some Error) -> StorageError {
        StorageError(code, "\(description); and then: \(second)", cause: cause, mayPass: mayPass, stuck: stuck)
    }
}
