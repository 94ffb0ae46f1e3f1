// SPDX-License-Identifier: AGPL-3.0-or-later

public import KernelMount
public import LinuxSystem

/// An export, as a volume's options name it: the server, the path, and what is said about how to mount it.
public struct NFSSource: FileSystemSource {
    public let server: ServerName
    /// The export's path, absolute.
    public let path: String
    /// nil: the host's default holds.
    public let versions: VersionPolicy?
    /// Further mount options as the user wrote them; they have been checked.
    public let mountOptions: String
    public let canonical: [String: String]
    /// This host's settings.
    let host: NFS

    /// Reads and checks options; nothing is resolved or contacted.
    ///
    /// - Throws: `StorageError` (`bad-option`).
    init(_ options: [String: String], host: NFS) throws(StorageError) {
        let words = try NFSOptions(options["o"] ?? "")
        let device = try Self.device(options["device"])
        let (server, isLocalSpelling) = try Self.server(options, device, words)
        path = try Self.path(options, device)
        versions = try Self.versions(options, words, type: options["type"], isLocalSpelling: isLocalSpelling)
        mountOptions = options["o"] ?? ""
        self.server = server
        self.host = host
        var canonical = ["server": server.text, "path": path]
        canonical["nfsvers"] = versions?.text
        if !mountOptions.isEmpty { canonical["o"] = mountOptions }
        self.canonical = canonical
    }

    public var kind: any FileSystemKind { host }
    public var text: String { "\(server.sourceLabel):\(path)" }
    public var location: SourceLocation {
        SourceLocation(server: server.text, components: path.split(separator: "/").map(String.init))
    }

    var effectiveVersions: VersionPolicy { versions ?? host.versions }

    /// The words that hold: the volume's over the host's over the built-in ones.
    func options(for purpose: MountPurpose) throws(StorageError) -> NFSOptions {
        let own =
            switch purpose {
            case .volume: mountOptions
            // A cache in common with volumes of the same export would show old names.
            case .catalogue: "rw,nosharecache"
            case .disposal: mountOptions.isEmpty ? "rw" : mountOptions
            }
        return try NFSOptions(own, defaults: [host.mountOptions, NFS.builtInOptions])
    }

    /// What the VFS itself reads of these words.
    ///
    /// - Throws: `StorageError` (`bad-option`).
    public func genericOptions(for purpose: MountPurpose) throws(StorageError) -> GenericMountOptions {
        try options(for: purpose).generic
    }

    public func validate(for purpose: MountPurpose) throws(StorageError) { _ = try options(for: purpose) }

    public func retryPeriod(for purpose: MountPurpose) -> Duration? {
        (try? options(for: purpose))?.retryMinutes.map { .seconds(60 * $0) }
    }

    public func negotiation(
        for purpose: MountPurpose, until deadline: Deadline, cancellation: Cancellation?
    ) throws(StorageError) -> any MountNegotiation {
        let options = try options(for: purpose)
        let servers = try ReachableServer.find(for: self, options, deadline: deadline, cancellation: cancellation)
        var mountAddress: ServerAddress?
        if let host = options.mountHost {
            mountAddress = try ReachableServer.addresses(of: host, for: self, options, deadline: deadline, cancellation).first
        }
        return NFSMountNegotiation(self, options, servers, mountAddress: mountAddress)
    }

    public func checkServer() -> (findings: [HostFinding], isWorthAMount: Bool) {
        let subject = "name \(server.text)"
        do throws(ResolutionFailure) {
            let addresses = try resolve(server, by: Deadline(after: host.limits.resolution), cancellation: nil)
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
        let port = (try? options(for: .volume))?.port ?? 2049
        let limit = host.limits.probe
        let result = ServerProbe.nfs(port: port, version: effectiveVersions.candidates[0])
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
