// SPDX-License-Identifier: AGPL-3.0-or-later

public import KernelMount
public import LinuxSystem

/// An export as the mounter knows it.
public struct NFSSource: FileSystemSource {
    let export: NFSExport

    /// The name that is asked, without case, and the port if it is not the usual one.
    public let serverKey: String

    init(_ export: NFSExport) {
        self.export = export
        serverKey = Self.serverKey(of: export)
    }

    public var kind: any FileSystemKind { NFS(export.settings) }

    public func definedByOthers() -> any FileSystemSource {
        var export = export
        export.isForeign = true
        return NFSSource(export)
    }

    public var text: String { export.text }
    public var notes: [String] { export.notes }
    public var canonical: [String: String] { export.canonical }
    public var location: SourceLocation {
        SourceLocation(
            server: export.server.text, components: export.path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) })
    }

    private static func serverKey(of export: NFSExport) -> String {
        let options = try? export.options(for: .volume)
        let label = (options?.server ?? export.server).sourceLabel
        // Only letters of ASCII: names are compared as the resolver does.
        let name = String(decoding: label.utf8.map { (0x41...0x5a).contains($0) ? $0 + 0x20 : $0 }, as: UTF8.self)
        guard let port = options?.port, port != 2049 else { return name }
        return "\(name):\(port)"
    }

    public func probe(until deadline: Deadline, cancellation: Cancellation?) throws(StorageError) -> Bool {
        let options = try export.options(for: .volume)
        _ = try ReachableServer.find(for: export, options, deadline: deadline, cancellation: cancellation)
        return ReachableServer.canBeAsked(options)
    }

    public func drift(from entry: MountTableEntry) -> [String] { export.drift(from: entry) }

    /// What the VFS itself reads of these words.
    ///
    /// - Throws: `StorageError` (`bad-option`).
    public func genericOptions(for purpose: MountPurpose) throws(StorageError) -> GenericMountOptions {
        try export.options(for: purpose).generic
    }

    public func validate(for purpose: MountPurpose) throws(StorageError) { _ = try export.options(for: purpose) }

    public func retryPeriod(for purpose: MountPurpose) -> Duration? {
        (try? export.options(for: purpose))?.retryMinutes.map { .seconds(60 * $0) }
    }

    public func shortcomings(of mount: MountTableEntry) -> [String] {
        guard mount.fileSystem == NFSVersion.v3.fileSystem, (try? export.options(for: .volume))?.locksAreLocal == false,
            !ServerProbe.statusMonitorRuns(by: Deadline(after: .seconds(2)))
        else { return [] }
        return ["file locks fail (ENOLCK), because rpc.statd does not run on this host: systemctl start rpc-statd, or give o=nolock"]
    }

    public func checkHost() -> [HostFinding] { (try? export.options(for: .volume)).map { HostHelpers(for: $0).findings() } ?? [] }

    public func negotiation(
        for purpose: MountPurpose, until deadline: Deadline, cancellation: Cancellation?
    ) throws(StorageError) -> any MountNegotiation {
        let options = try export.options(for: purpose)
        let servers = try ReachableServer.find(for: export, options, deadline: deadline, cancellation: cancellation)
        var mountAddress: ServerAddress?
        if let host = options.mountHost {
            mountAddress = try ReachableServer.addresses(of: host, for: export, options, deadline: deadline, cancellation).first
        }
        return NFSMountNegotiation(export, options, servers, mountAddress: mountAddress)
    }

    public func checkServer() -> (findings: [HostFinding], isWorthAMount: Bool) {
        let subject = "name \(export.server.text)"
        do throws(ResolutionFailure) {
            let addresses = try export.settings.resolver.resolve(
                export.server, by: Deadline(after: export.settings.limits.resolution), cancellation: nil)
            let resolved = HostFinding(verdict: .ok, subject: subject, detail: addresses.map(\.text).joined(separator: ", "))
            return ([resolved] + addresses.map(check), true)
        } catch {
            let unknown = HostFinding(
                verdict: .failed, subject: subject,
                detail: "does not resolve (\(error.reason)): check its spelling, /etc/hosts and /etc/resolv.conf")
            return ([unknown], false)
        }
    }

    private func check(_ address: ServerAddress) -> HostFinding {
        let port = (try? export.options(for: .volume))?.port ?? 2049
        let limit = export.settings.limits.probe
        let result = ServerProbe.nfs(port: port, version: export.effectiveVersions.candidates[0])
            .ask([address], by: Deadline(after: limit), cancellation: nil)[0]
        let subject = "server \(address) port \(port)"
        switch result {
        case .answers(let local): return HostFinding(verdict: .ok, subject: subject, detail: "answers; it sees this host as \(local)")
        case .unreachable(let code):
            return HostFinding(
                verdict: .failed, subject: subject, detail: "\(code.explained): is the NFS server running, and is there a route?")
        case .silent:
            return HostFinding(
                verdict: .failed, subject: subject,
                detail: "no answer within \(limit.components.seconds) s: host down, or a firewall")
        case .mute, .undecided:
            return HostFinding(
                verdict: .failed, subject: subject,
                detail:
                    "takes the connection but does not answer within \(limit.components.seconds) s: restart the NFS server, or correct the port"
            )
        }
    }
}
