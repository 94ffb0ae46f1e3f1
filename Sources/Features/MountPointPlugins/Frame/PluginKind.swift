// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
public import JSON
import LinuxSystem
public import Logging

/// A kind of plugin: what a folder of this target implements.
///
/// ``InstancePlugin`` does the rest for all kinds: it finds the mounts that were asked for, keeps a file for each container, written and
/// synced before the first effect, undoes what failed, and takes up at its start what an earlier process has left.
///
/// All but ``check(_:)`` and ``patterns`` is called on a thread that may block. Calls for several containers overlap; for one container
/// there is one at a time.
public protocol PluginKind: Sendable {
    static var information: KindInformation { get }

    /// Reads the members of the settings that are the kind's own. One that nobody reads is an error, which the frame throws.
    init(settings: JSONObjectReader, instance: PluginInstance) throws(JSONShapeError)

    /// Which mounts it looks at besides those that labels, consistency words and rules name. None by default.
    var patterns: [MountPointPattern] { get }

    /// Reads the options of a label or a rule.
    ///
    /// - Parameter options: what follows the destination; empty if there is nothing.
    /// - Throws: `PluginError`, which names the unknown word and those that are known.
    func check(_ options: String) throws(PluginError)

    /// Says what it will do, and does nothing yet.
    ///
    /// - Returns: nil if it takes no part in this mount.
    /// - Throws: `PluginError`: the container does not start.
    func plan(_ mount: ChosenMount) throws(PluginError) -> MountPlan?

    /// A plan of one of these mounts, all that the container has of this kind, has failed: the container does not start, and nothing was
    /// done. Nothing by default.
    func denied(_ mounts: [ChosenMount])

    /// Does what has been planned and is on disk by now.
    ///
    /// - Throws: `PluginError`: what has been done of it is undone, and the container does not start.
    func carryOut(_ mount: KeptMount) throws(PluginError)

    /// Only if its information asks for it: the mount is there, and the container has not started.
    func mounted(_ mount: KeptMount, in process: Int32) throws(PluginError)

    /// Undoes what was planned, also if only a part of it was carried out, or nothing, or all was undone before.
    ///
    /// - Returns: what the host is told as a failure although nothing is left to undo.
    /// - Throws: `DetachError`: the file of the container stays, so that it can be tried again.
    func undo(_ mount: KeptMount, _ end: ContainerEnd) throws(DetachError) -> DetachError?

    /// Does away with what an earlier process has left of its own, besides what it did for containers. Called once, before the first
    /// mount, by a process that goes on serving. Nothing by default.
    func recover(_ logger: Logger)

    /// What this kernel and this host have of what it needs. It tries, and leaves nothing behind.
    static func findings(on instance: PluginInstance) -> [PluginFinding]
}

extension PluginKind {
    public var patterns: [MountPointPattern] { [] }
    public func mounted(_ mount: KeptMount, in process: Int32) throws(PluginError) {}
    public func denied(_ mounts: [ChosenMount]) {}
    public func recover(_ logger: Logger) {}
    public static func findings(on instance: PluginInstance) -> [PluginFinding] { [] }
}

/// What is the same for all instances of a kind.
public struct KindInformation: Sendable {
    /// In labels, in the command line, and by default of the instance; letters and hyphens.
    public var name: String
    /// A line for `list`.
    public var summary: String
    /// Whether labels, consistency words and the frame's rules choose its mounts. If not, it looks at all that its patterns match.
    public var isChosenByUsers = true
    /// Whether it also looks at mounts that nobody has chosen, if its patterns match them.
    public var looksAtOthers = false
    /// A line: which options follow the destination in a label.
    public var optionsHelp = ""
    /// Words of `-v …:WORD` that choose it, with the options that they stand for.
    public var consistencies: [(word: Consistency, options: String)] = []
    /// What besides bind mounts and volumes it is shown.
    public var types: [MountPoint.MountType] = []
    /// Whether it wants ``PluginKind/mounted(_:in:)``.
    public var wantsMounted = false
    /// Whether what it makes outlives a reboot, so that it is asked to detach after one, too.
    public var isPersistent = false
    /// Seconds that it may need; nil for what the host gives each plugin.
    public var attachTimeout: Double?
    public var detachTimeout: Double?

    public init(name: String, summary: String) {
        self.name = name
        self.summary = summary
    }
}

/// A mount that somebody has asked this kind to take part in.
public struct ChosenMount: Sendable {
    public var mount: MountPoint
    /// Of the container.
    public var containerID: String
    /// Of the label or the rule; ``PluginKind/check(_:)`` has taken them.
    public var options: String
    /// Who has chosen it, in words: for status and for messages. Empty if nobody has, see ``KindInformation/looksAtOthers``.
    public var choice: String
    /// False if it was chosen only as one of all, by `*`.
    public var isNamed: Bool
    /// An absolute path that is this mount's alone and does not exist yet, in a folder of mode 0711.
    public var folder: String

    public init(mount: MountPoint, containerID: String, options: String, choice: String, isNamed: Bool = true, folder: String) {
        self.mount = mount
        self.isNamed = isNamed
        self.containerID = containerID
        self.options = options
        self.choice = choice
        self.folder = folder
    }
}

/// What a kind will do about one mount.
public struct MountPlan: Sendable, Equatable {
    public var changes: MountPointChanges
    /// All that has to be known to undo it, whatever becomes of the settings.
    public var record: JSONValue
    /// What the host does if this plugin is away at the container's end. It must leave nothing behind that does harm, and not be empty.
    public var emergency: [EmergencyAction]

    public init(changes: MountPointChanges = MountPointChanges(), record: JSONValue = [:], emergency: [EmergencyAction]) {
        self.changes = changes
        self.record = record
        self.emergency = emergency
    }
}

/// Why something is undone.
public struct ContainerEnd: Sendable, Equatable {
    public var reason: DetachReason
    /// Of the container's first process; nil if there was none, or it is not known.
    public var exitStatus: Int32?

    public init(reason: DetachReason, exitStatus: Int32? = nil) {
        self.reason = reason
        self.exitStatus = exitStatus
    }
}

/// A line of `doctor`.
public struct PluginFinding: Sendable, Equatable {
    public enum Verdict: String, Sendable {
        case ok, warning, failed
    }

    public var verdict: Verdict
    /// What was found, and what to do about it.
    public var text: String

    public init(_ verdict: Verdict, _ text: String) {
        self.verdict = verdict
        self.text = text
    }
}

extension MountPoint {
    /// The plugin that has last given the mount another source, before this one was asked; nil if none has.
    var mover: String? {
        let name = appliedMiddleware.last { !$0.changes.effectiveSource.isEmpty }?.name
        return name.map { $0.hasBytePrefix("plugin:") ? String(decoding: $0.utf8.dropFirst("plugin:".utf8.count), as: UTF8.self) : $0 }
    }
}
