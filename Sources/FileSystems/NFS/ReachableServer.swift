// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import SystemPackage

/// An address at which something answered, before the kernel is sent there.
struct ReachableServer: Sendable {
    var address: ServerAddress
    /// This host's address on the way there, empty if it was not asked.
    var localAddress: String

    /// Every address of the export's server that is worth an attempt, in the resolver's order.
    ///
    /// - Throws: `StorageError` if the name has no address, or none of them answers.
    static func find(
        for export: NFSExport, _ options: NFSOptions, deadline: Deadline, cancellation: Cancellation?
    ) throws(StorageError) -> [ReachableServer] {
        let name = options.server ?? export.server
        let addresses = try addresses(of: name, for: export, options, deadline: deadline, cancellation)
        if !canBeAsked(options) {
            return addresses.map { ReachableServer(address: $0, localAddress: "") }
        }
        let began = ContinuousClock.now
        let limit = Deadline(after: export.settings.limits.probe).earlier(deadline)
        let port = options.port ?? 2049
        let best = export.effectiveVersions.candidates[0]
        var results = ServerProbe.nfs(port: port, version: best).ask(addresses, by: limit, cancellation: cancellation)
        // A version 3 server may listen elsewhere; its rpcbind knows, and the kernel asks it, at its leisure, so it is asked first here.
        if options.port == nil, export.effectiveVersions.candidates.contains(.v3), !results.contains(where: \.isWorthAnAttempt) {
            let again = Deadline(after: export.settings.limits.probe).earlier(deadline)
            let elsewhere = ServerProbe.portsOfVersion3(
                at: addresses, by: again, cancellation: cancellation, port: export.settings.portmapPort)
            for (index, other) in elsewhere.enumerated() {
                guard let other, other != 0, other != port else { continue }
                results[index] =
                    ServerProbe.nfs(port: other, version: .v3).ask([addresses[index]], by: again, cancellation: cancellation)[0]
            }
        }
        // A question that was cut short has shown nothing.
        if cancellation?.isCancelled == true { throw cancelled(export) }
        let reachable = zip(addresses, results).filter { $1.isWorthAnAttempt }
        if reachable.isEmpty {
            throw failure(export, addresses, results, port: port, waited: ContinuousClock.now - began)
        }
        return reachable.map { address, result in
            if case .answers(let local) = result { return ReachableServer(address: address, localAddress: local) }
            return ReachableServer(address: address, localAddress: "")
        }
    }

    /// There is no cheap question for a UDP or RDMA server.
    static func canBeAsked(_ options: NFSOptions) -> Bool { options.transport.map { $0 == "tcp" } ?? true }

    static func addresses(
        of name: ServerName, for export: NFSExport, _ options: NFSOptions, deadline: Deadline, _ cancellation: Cancellation?
    ) throws(StorageError) -> [ServerAddress] {
        let all: [ServerAddress]
        do throws(ResolutionFailure) {
            all = try export.settings.resolver.resolve(
                name, by: Deadline(after: export.settings.limits.resolution).earlier(deadline), cancellation: cancellation)
        } catch {
            if cancellation?.isCancelled == true { throw cancelled(export) }
            throw StorageError.mounting(
                export.text, .nameNotResolved,
                "the server name \(name.text) does not resolve (\(error.reason)); check its spelling and this host's DNS (getent ahosts \(name.text))",
                cause: error, mayPass: error.isTemporary)
        }
        guard let family = options.family else { return all }
        let fitting = all.filter { $0.family == family }
        if fitting.isEmpty {
            throw StorageError.mounting(
                export.text, .nameNotResolved,
                "\(name.text) has no IPv6 address, which proto=\(options.transport ?? "tcp")6 asks for; leave proto out"
            )
        }
        return fitting
    }

    private static func cancelled(_ export: NFSExport) -> StorageError {
        StorageError.mounting(export.text, .cancelled, "given up because the caller has gone")
    }

    private static func failure(
        _ export: NFSExport, _ addresses: [ServerAddress], _ results: [ProbeResult], port: UInt16, waited: Duration
    ) -> StorageError {
        let told = zip(addresses, results).map { "\($0.text): \($1.words(waited))" }.joined(separator: ", ")
        let start = "the server does not answer at TCP port \(port) (\(told))"
        if results.contains(where: \.isNotNFS) {
            return .mounting(
                export.text, .mute, "\(start); something listens there but does not speak NFS: restart the NFS server, or correct the port",
                mayPass: true)
        }
        if results.contains(.unreachable(.connectionRefused)) {
            return .mounting(
                export.text, .refused, "\(start); is the NFS server running there (systemctl status nfs-server)?", mayPass: true)
        }
        if results.contains(.silent) {
            return .mounting(
                export.text, .silent, "\(start); is the server up, and does a firewall let TCP port \(port) through?", mayPass: true)
        }
        return .mounting(export.text, .noRoute, "\(start); check this host's network and routes, or give another address", mayPass: true)
    }
}

extension ProbeResult {
    fileprivate var isWorthAnAttempt: Bool {
        switch self {
        case .answers, .undecided: true
        case .unreachable, .silent, .mute: false
        }
    }

    /// The connection was taken, and then there was no answer or it was closed.
    fileprivate var isNotNFS: Bool {
        switch self {
        case .mute, .unreachable(.connectionReset): true
        case .answers, .undecided, .unreachable, .silent: false
        }
    }

    fileprivate func words(_ waited: Duration) -> String {
        switch self {
        case .answers: "answers"
        case .undecided: "not asked"
        case .unreachable(let code): code.explained
        case .silent: "no answer to the connection within \(waited.components.seconds) s"
        case .mute: "connected, but no answer to a call within \(waited.components.seconds) s"
        }
    }
}
