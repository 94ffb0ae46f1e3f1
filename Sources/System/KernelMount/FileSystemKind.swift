// SPDX-License-Identifier: AGPL-3.0-or-later

public import LinuxSystem
public import SystemPackage

/// One kind of file system that volumes can be of: how its options are read, what is tried to mount it, and what failures mean.
///
/// The mounter and the table of volumes know file systems only by this. A kind holds the settings of this host for it.
public protocol FileSystemKind: Sendable {
    /// The options of a volume that ``source(_:)`` reads, by name.
    var optionNames: [String] { get }
    /// Further names of those, which are read for the sake of definitions that were written for another driver.
    var otherOptionNames: [String] { get }
    /// Whether this is the name of a mount option, which belongs into `o`.
    func isMountOption(_ name: String) -> Bool
    /// Whether a volume's options say where its file system is, so that no default share stands in.
    func namesServer(_ options: [String: String]) -> Bool
    /// Reads those options once. Nothing is resolved or contacted.
    ///
    /// - Throws: `StorageError` (`bad-option`) that names the option and what to write instead.
    func source(_ options: [String: String]) throws(StorageError) -> any FileSystemSource
    /// Whether an entry of the mount table is of this kind.
    func owns(_ entry: MountTableEntry) -> Bool
    /// What an entry of the mount table says about the connection, by the names that status shows.
    func connection(of entry: MountTableEntry) -> [String: String]
    /// What the kernel has counted, by mount point. Reads /proc alone, and never touches a mount or a server.
    ///
    /// - Throws: `SystemError` if that cannot be read.
    func activity() throws(SystemError) -> [FilePath: ActivityCounters]
    /// Whether the server has said that what is mounted there is gone. Blocks for some seconds at most, and never touches the mount with
    /// this process's own threads.
    ///
    /// - Parameter program: what a process that asks is called in ps(1), before `-check`.
    func isStale(_ entry: MountTableEntry, program: String) -> Bool
    /// Whether this host has what the kind needs. Blocks for some seconds at most.
    func checkHost() -> [HostFinding]
}

/// What the options of a volume name: a server and a place on it, read once.
public protocol FileSystemSource: Sendable {
    var kind: any FileSystemKind { get }
    /// As the mount table and messages show it, such as `host:/path`.
    var text: String { get }
    var location: SourceLocation { get }
    /// Which server is asked: opaque, at most some 300 bytes, and equal if two sources ask the same one.
    var serverKey: String { get }
    /// What of the options has no effect, and why; for the log.
    var notes: [String] { get }
    /// The options in one spelling, without secrets: equal if two sources mean the same.
    var canonical: [String: String] { get }
    /// The same source, if the options are those of a definition that others than the callers of this host have written: what protects
    /// this host in its own settings then holds over them, and ``validate(for:)`` refuses what only the settings may say.
    func definedByOthers() -> any FileSystemSource
    /// For how long failures that may pass are tried again: nil if nothing is said, zero for one attempt.
    func retryPeriod(for purpose: MountPurpose) -> Duration?
    /// Whether the options and this host's defaults can be used together.
    ///
    /// - Throws: `StorageError` (`bad-option`).
    func validate(for purpose: MountPurpose) throws(StorageError)
    /// Resolves names and asks servers whether they answer. Blocks.
    ///
    /// - Throws: `StorageError` if there is nothing to attempt.
    func negotiation(
        for purpose: MountPurpose, until deadline: Deadline, cancellation: Cancellation?
    ) throws(StorageError) -> any MountNegotiation
    /// Asks the server whether it answers, without mounting anything. Blocks, for the kind's own limits at the longest.
    ///
    /// - Returns: false if a server of this kind can only be asked by a mount.
    /// - Throws: `StorageError` with the code and the reason that a mount would fail with.
    func probe(until deadline: Deadline, cancellation: Cancellation?) throws(StorageError) -> Bool
    /// What does not work in a mount of this source because this host lacks something; for log and status. Blocks for some seconds at most.
    func shortcomings(of mount: MountTableEntry) -> [String]
    /// Whether this host has what these options need besides what the kind always needs. Blocks for some seconds at most.
    func checkHost() -> [HostFinding]
    /// In what a mount differs from what these options ask for, a line for each: what was made with other options, or shares the
    /// superblock of an earlier mount. What the options leave to defaults is no difference.
    func drift(from entry: MountTableEntry) -> [String]
    /// Whether the server can be found and answers. Blocks.
    func checkServer() -> (findings: [HostFinding], isWorthAMount: Bool)
}

/// Where a source is, for telling whether two overlap.
public struct SourceLocation: Sendable, Equatable {
    public var server: String
    /// The names of the path on it.
    public var components: [String]

    public init(server: String, components: [String]) {
        self.server = server
        self.components = components
    }

    /// By bytes: two Swift strings are equal if they look the same.
    public static func == (left: Self, right: Self) -> Bool {
        left.server.hasSameBytes(as: right.server) && left.components.hasSameBytes(as: right.components)
    }
}

/// What a mount is for; it decides which option words hold.
public enum MountPurpose: Sendable {
    /// For containers, with the volume's own words.
    case volume
    /// For the share's catalogue: to be written to, and sharing no cache with volumes of the same export.
    case catalogue
    /// For archiving or deleting a volume's directory: to be written to unless the volume's own words say otherwise.
    case disposal
}

/// The attempts that one mount may take, best first, and what their failures mean. A value of rules, without system calls of the mount.
public protocol MountNegotiation {
    /// In the order to try; not empty.
    var plans: [MountPlan] { get }
    /// Why a plan cannot be tried on this host; nil if it can.
    func obstacle(to plan: Int) -> AttemptFailure?
    /// What to do after a failure of a plan.
    mutating func step(after failure: AttemptFailure, of plan: Int) -> NegotiationStep
    /// The server as a person knows it, such as `nas (192.0.2.7)`; after the negotiation has ended, the one that it ended with.
    var server: String { get }
    /// The words for the failure with which the negotiation ended, if it is an answer of the server, an option's, or of a call on this
    /// host. The mounter words all others.
    func explanation(of failure: AttemptFailure, waited: Duration) -> FailureExplanation
}

extension FileSystemKind {
    /// For a kind that counts nothing.
    public func activity() throws(SystemError) -> [FilePath: ActivityCounters] { [:] }
    public func isStale(_ entry: MountTableEntry, program: String) -> Bool { MountCheck.isStale(at: entry.mountPoint, program: program) }
}

extension FileSystemSource {
    public var notes: [String] { [] }
    public var serverKey: String { location.server }
    public func drift(from entry: MountTableEntry) -> [String] { [] }
    public func probe(until deadline: Deadline, cancellation: Cancellation?) throws(StorageError) -> Bool { false }
    public func shortcomings(of mount: MountTableEntry) -> [String] { [] }
    public func checkHost() -> [HostFinding] { [] }
}

extension MountNegotiation {
    public func obstacle(to plan: Int) -> AttemptFailure? { nil }
}

public enum NegotiationStep: Sendable {
    /// Try this plan next.
    case plan(Int)
    /// No rule allows another attempt; this is the failure that says most.
    case end(AttemptFailure)
}

/// One line of a check of this host or of a server: what was looked at, how it is, and what to do where it is wrong.
public struct HostFinding: Sendable {
    public enum Verdict: String, Sendable {
        case ok, warning, failed
    }

    public var verdict: Verdict
    public var subject: String
    public var detail: String

    public init(verdict: Verdict, subject: String, detail: String) {
        self.verdict = verdict
        self.subject = subject
        self.detail = detail
    }

    public var text: String { "[\(verdict.rawValue)] \(subject): \(detail)" }
}
