// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem

/// A kind of file system made up for these tests: a volume names a `pool`, and gets a tmpfs of its own with the pool's name as source.
struct MemoryFileSystem: FileSystemKind {
    var optionNames: [String] { ["pool", "size"] }
    var otherOptionNames: [String] { [] }
    func isMountOption(_ name: String) -> Bool { name == "noexec" }
    func namesServer(_ options: [String: String]) -> Bool { options["pool"] != nil }
    func owns(_ entry: MountTableEntry) -> Bool { entry.fileSystem == "tmpfs" && entry.source.hasPrefix("pool:") }
    func connection(of entry: MountTableEntry) -> [String: String] { ["pool": String(entry.source.dropFirst("pool:".count))] }
    func checkHost() -> [HostFinding] { [] }

    func source(_ options: [String: String]) throws(StorageError) -> any FileSystemSource {
        guard let pool = options["pool"] else { throw StorageError(.badOption, "option pool is missing; give the name of a pool") }
        return Pool(name: pool, size: options["size"])
    }
}

private struct Pool: FileSystemSource {
    let name: String
    let size: String?

    var kind: any FileSystemKind { MemoryFileSystem() }
    var text: String { "pool:\(name)" }
    var location: SourceLocation { SourceLocation(server: "memory", components: [name]) }
    var canonical: [String: String] { ["pool": name, "size": size].compactMapValues { $0 } }
    func retryPeriod(for purpose: MountPurpose) -> Duration? { .zero }
    func validate(for purpose: MountPurpose) throws(StorageError) {}
    func checkServer() -> (findings: [HostFinding], isWorthAMount: Bool) { ([], true) }

    func negotiation(
        for purpose: MountPurpose, until deadline: Deadline, cancellation: Cancellation?
    ) throws(StorageError) -> any MountNegotiation {
        Negotiation(
            server: name,
            plans: [
                MountPlan(
                    fileSystem: "tmpfs", source: text, options: size.map { [MountOption("size", $0)] } ?? [], generic: GenericMountOptions()
                )
            ])
    }

    private struct Negotiation: MountNegotiation {
        let server: String
        let plans: [MountPlan]

        func step(after failure: AttemptFailure, of plan: Int) -> NegotiationStep { .end(failure) }

        func explanation(of failure: AttemptFailure, waited: Duration) -> FailureExplanation {
            FailureExplanation(.badOption, "pool \(server) cannot be had: \(failure.error)\(failure.kernelSaid)")
        }
    }
}
