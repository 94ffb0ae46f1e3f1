// SPDX-License-Identifier: AGPL-3.0-or-later

public import KernelMount
public import LinuxSystem
public import NFS
public import SystemPackage

/// A local file system in the place of NFS, for tests on machines whose kernel has no NFS: options are read as NFS reads them, and one
/// fixed source is mounted whatever they name.
public struct StandIn: FileSystemKind {
    public let fileSystem: String
    public let device: String
    /// Reads the options.
    public var nfs: NFS
    /// A folder with a file for each server that does not answer, named as its key: the code of the failure, and for how many
    /// milliseconds it is waited for. nil: all answer.
    public var troubles: FilePath?

    /// Reads `TYPE:SOURCE`, such as `ext4:/dev/loop0`; nil if either is missing.
    public init?(_ text: String, reading nfs: NFS = NFS()) {
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return nil }
        (fileSystem, device) = (parts[0], parts[1])
        self.nfs = nfs
    }

    public var optionNames: [String] { nfs.optionNames }
    public var otherOptionNames: [String] { nfs.otherOptionNames }
    public func isMountOption(_ name: String) -> Bool { nfs.isMountOption(name) }
    public func namesServer(_ options: [String: String]) -> Bool { nfs.namesServer(options) }
    public func owns(_ entry: MountTableEntry) -> Bool { entry.fileSystem == fileSystem || nfs.owns(entry) }
    public func connection(of entry: MountTableEntry) -> [String: String] { nfs.connection(of: entry) }

    public func activity() throws(SystemError) -> [FilePath: ActivityCounters] { try nfs.activity() }

    public func source(_ options: [String: String]) throws(StorageError) -> any FileSystemSource {
        StandInSource(standIn: self, nfs: try nfs.source(options))
    }

    /// Answers, or not, as a server would.
    func contact(_ source: any FileSystemSource, _ deadline: Deadline, _ cancellation: Cancellation?) throws(StorageError) {
        guard let file = troubles?.appending(source.serverKey), let bytes = try? readRegularFile(file, limit: 4096) else { return }
        let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        let code = words.first.flatMap { StorageError.Code(String($0)) } ?? .other
        let length = Duration.milliseconds(words.count > 1 ? Int(words[1]) ?? 0 : 0)
        Poll.wait(for: cancellation?.descriptor.rawValue ?? -1, until: Deadline(after: length).earlier(deadline))
        if cancellation?.isCancelled == true {
            throw StorageError.mounting(source.text, .cancelled, "given up because the caller has gone")
        }
        throw StorageError.mounting(source.text, code, "the server in the test does not answer", mayPass: true)
    }

    /// A file named `stale` among the troubles says that every mount is.
    public func isStale(_ entry: MountTableEntry, program: String) -> Bool {
        guard let file = troubles?.appending("stale"), (try? readRegularFile(file, limit: 4096)) != nil else {
            return MountCheck.isStale(at: entry.mountPoint, program: program)
        }
        return true
    }

    public func checkHost() -> [HostFinding] {
        [NFSVersion.v4_1, .v3].map {
            HostFinding(verdict: .warning, subject: NFS.subject($0), detail: "\(fileSystem) stands in for it: a test")
        } + [nfs.lockService()]
    }
}

/// What the options name, and what is mounted in its place.
private struct StandInSource: FileSystemSource {
    let standIn: StandIn
    let nfs: any FileSystemSource

    var kind: any FileSystemKind { standIn }
    var text: String { nfs.text }
    var location: SourceLocation { nfs.location }
    var canonical: [String: String] { nfs.canonical }
    var notes: [String] { nfs.notes }
    var serverKey: String { nfs.serverKey }
    func shortcomings(of mount: MountTableEntry) -> [String] { nfs.shortcomings(of: mount) }
    func checkHost() -> [HostFinding] { nfs.checkHost() }
    func retryPeriod(for purpose: MountPurpose) -> Duration? { nfs.retryPeriod(for: purpose) }
    func validate(for purpose: MountPurpose) throws(StorageError) { try nfs.validate(for: purpose) }
    func probe(until deadline: Deadline, cancellation: Cancellation?) throws(StorageError) -> Bool {
        try standIn.contact(self, deadline, cancellation)
        return true
    }
    func definedByOthers() -> any FileSystemSource { StandInSource(standIn: standIn, nfs: nfs.definedByOthers()) }
    func checkServer() -> (findings: [HostFinding], isWorthAMount: Bool) { ([], true) }

    func negotiation(
        for purpose: MountPurpose, until deadline: Deadline, cancellation: Cancellation?
    ) throws(StorageError) -> any MountNegotiation {
        try standIn.contact(self, deadline, cancellation)
        let plan = MountPlan(
            fileSystem: standIn.fileSystem, source: standIn.device, options: [],
            generic: try (nfs as? NFSSource)?.genericOptions(for: purpose) ?? GenericMountOptions())
        return StandInNegotiation(server: nfs.location.server, plans: [plan])
    }
}

/// One attempt, with the kernel's own words about it.
private struct StandInNegotiation: MountNegotiation {
    let server: String
    let plans: [MountPlan]

    func step(after failure: AttemptFailure, of plan: Int) -> NegotiationStep { .end(failure) }

    func explanation(of failure: AttemptFailure, waited: Duration) -> FailureExplanation {
        if failure.stage.option != nil { return FailureExplanation(refusedOption: failure) }
        let isUnknown = failure.error.errno == .operationNotSupportedByDevice
        return FailureExplanation(isUnknown ? .noKernelSupport : .other, "\(failure.error)\(failure.kernelSaid)")
    }
}
