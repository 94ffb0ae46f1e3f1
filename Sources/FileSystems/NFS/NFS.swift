// SPDX-License-Identifier: AGPL-3.0-or-later

public import KernelMount
public import LinuxSystem
public import SystemPackage

/// NFS as a kind of file system, with this host's settings for it.
public struct NFS: FileSystemKind {
    public var settings: NFSSettings

    public init(_ settings: NFSSettings = NFSSettings()) { self.settings = settings }

    public var optionNames: [String] { ["server", "path", "nfsvers", "o"] }
    public var otherOptionNames: [String] { ["type", "device", "vers", "version", "share", "nfsopts"] }

    public func isMountOption(_ name: String) -> Bool { (try? NFSOptions(name)) != nil && NFSOptions.isKnownName(name) }

    /// Options that name no server also name none for the MOUNT protocol, which says where the export is.
    public func namesServer(_ options: [String: String]) -> Bool {
        guard ["server", "path", "device", "share"].allSatisfy({ options[$0] == nil }) else { return true }
        // What cannot be read is refused where options are read.
        guard let words = try? NFSOptions(options["o"] ?? options["nfsopts"] ?? "") else { return false }
        return words.server != nil || words.mountHost != nil || words.kernel.contains { $0.key == "mountaddr" }
    }

    public func source(_ options: [String: String]) throws(StorageError) -> any FileSystemSource {
        NFSSource(try NFSExport(options, settings: settings))
    }

    public func owns(_ entry: MountTableEntry) -> Bool { entry.fileSystem == "nfs" || entry.fileSystem == "nfs4" }

    public func connection(of entry: MountTableEntry) -> [String: String] {
        var connection: [String: String] = [:]
        connection["address"] = entry.value(of: "addr")
        connection["nfsvers"] = entry.value(of: "vers")
        return connection
    }

    public func activity() throws(SystemError) -> [FilePath: ActivityCounters] {
        var found: [FilePath: ActivityCounters] = [:]
        try MountStatistics.readAll { found[$0.place] = $0.counters }
        return found
    }

    public func checkHost() -> [HostFinding] {
        let helpers = (try? NFSOptions(settings.mountOptions)).map { HostHelpers(for: $0).findings() } ?? []
        return [support(for: .v4_1), support(for: .v3), lockService()] + helpers
    }

    private func support(for version: NFSVersion) -> HostFinding {
        let subject = Self.subject(version)
        switch Mounter.opensFileSystem(version.fileSystem) {
        case nil: return HostFinding(verdict: .ok, subject: subject, detail: "this kernel has it")
        case .some(.operationNotSupportedByDevice):
            let module = version == .v3 ? "nfsv3" : "nfsv4"
            return HostFinding(
                verdict: version == .v3 ? .warning : .failed, subject: subject,
                detail: "this kernel has no \(version.fileSystem) file system: modprobe \(module), or install a kernel with NFS")
        case .some(let code):
            return HostFinding(verdict: .warning, subject: subject, detail: "fsopen \(version.fileSystem): \(code.explained)")
        }
    }

    /// What a check of this host calls a version.
    public static func subject(_ version: NFSVersion) -> String { version == .v3 ? "NFS version 3" : "NFS version 4" }

    /// rpc.statd, for locks of version 3.
    public func lockService() -> HostFinding {
        if ServerProbe.statusMonitorRuns(by: Deadline(after: .seconds(2))) {
            return HostFinding(verdict: .ok, subject: "rpc.statd", detail: "runs, so version 3 has locks")
        }
        return HostFinding(
            verdict: .warning, subject: "rpc.statd",
            detail: "does not run: version 3 works with o=nolock only (systemctl start rpc-statd); version 4 does not need it")
    }
}
