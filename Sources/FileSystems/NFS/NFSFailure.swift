// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import KernelMount
import LinuxSystem
import SystemPackage

/// Turns the answers of an NFS server and of the kernel's client into the line that a person at `docker run` reads.
struct NFSFailure {
    var export: NFSExport
    var options: NFSOptions
    var address: ServerAddress
    var version: NFSVersion
    /// This host's address on the way to the server, empty if unknown.
    var localAddress: String
    var attempts: [NFSNegotiation.Attempt]
    var waited: Duration
    var helpers: HostHelpers

    init(
        export: NFSExport, options: NFSOptions, address: ServerAddress, version: NFSVersion, localAddress: String,
        attempts: [NFSNegotiation.Attempt], waited: Duration, helpers: HostHelpers? = nil
    ) {
        self.export = export
        self.options = options
        self.address = address
        self.version = version
        self.localAddress = localAddress
        self.attempts = attempts
        self.waited = waited
        self.helpers = helpers ?? HostHelpers(for: options)
    }

    func explanation(of failure: AttemptFailure) -> FailureExplanation {
        if let helper = helpers.explanation(of: failure) { return helper }
        return explanationWithoutHelpers(of: failure)
    }

    private func explanationWithoutHelpers(of failure: AttemptFailure) -> FailureExplanation {
        switch failure.stage.option {
        case "vers": return versions(failure)
        case "lock":
            return .init(
                .lockServiceMissing,
                "NFS version 3 needs rpc.statd on this host for file locks, and it is not running; start it (systemctl start rpc-statd), or give o=nolock (locks then hold on this host only), or nfsvers=4.1"
            )
        case .some: return FailureExplanation(refusedOption: failure)
        case nil: return server(failure)
        }
    }

    /// The server with its address and, if the user gave one, its port.
    var server: String {
        let name = export.server.text
        let label = name == address.text ? name : "\(name) (\(address.text))"
        return options.port.map { "\(label) port \($0)" } ?? label
    }

    private func versions(_ failure: AttemptFailure) -> FailureExplanation {
        var tried: [String] = []
        for attempt in attempts where !tried.contains(attempt.version.rawValue) { tried.append(attempt.version.rawValue) }
        let list = tried.joined(separator: ", ")
        return .init(
            .versionNotOffered,
            "NFS version \(list) is not offered by \(server) or not built into this kernel (\(failure.error.errno.symbol))\(failure.kernelSaid); give nfsvers=auto or a version that the server has"
        )
    }

    private func server(_ failure: AttemptFailure) -> FailureExplanation {
        let said = "\(failure.error.errno.explained)\(failure.kernelSaid)"
        return network(failure, said) ?? answer(failure, said) ?? host(failure, said)
            ?? .init(.other, "\(failure.error.call): \(said)")
    }

    /// The way to the server, and whether it answers.
    private func network(_ failure: AttemptFailure, _ said: String) -> FailureExplanation? {
        switch failure.error.errno {
        case .timedOut:
            return .init(
                .silent,
                "no answer from \(server) within \(waited.components.seconds) s: \(said); is it up, and does a firewall let TCP port \(port) through?"
            )
        case .connectionRefused:
            return .init(.refused, "\(server) refuses the connection to TCP port \(port): \(said); is the NFS server running there?")
        case .noRouteToHost, .networkUnreachable, .networkDown, .hostIsDown:
            return .init(.noRoute, "no route to \(server): \(said); check this host's network and routes, or give another address")
        case .ioError: return .init(.other, "the session with \(server) failed: \(said); look at dmesg here and at the server's log")
        case Errno(rawValue: EREMOTEIO): return .init(.other, "\(server) reports a fault of its own: \(said); look at the server's log")
        default: return nil
        }
    }

    /// What the server says about the export.
    private func answer(_ failure: AttemptFailure, _ said: String) -> FailureExplanation? {
        let here = localAddress.isEmpty ? "this host" : "this host (\(localAddress))"
        switch failure.error.errno {
        case .permissionDenied:
            return .init(
                .accessDenied,
                "\(server) denies \(here) access to \(export.path): \(said); the server's /etc/exports needs a line such as \"\(export.path) \(localAddress.isEmpty ? "HOST" : localAddress)(rw)\", then exportfs -ra; or the export wants another sec="
            )
        case .notPermitted where failure.error.call == "fsopen" || failure.error.call == "mount" && failure.kernelLog.isEmpty && !isRoot:
            return .init(
                .notPrivileged,
                "mounting needs root with CAP_SYS_ADMIN (\(failure.error.call): \(said)); run docker-nfsd as root on the host"
            )
        case .notPermitted:
            return .init(
                .accessDenied,
                "\(server) does not permit it: \(said); the export may need the option insecure, or this host root's privileges"
            )
        case .noSuchFileOrDirectory:
            return .init(
                .exportNotThere,
                "\(server) has no export \(export.path): \(said); look at exportfs -v on the server (with NFSv4 the path is below its root, fsid=0)"
            )
        case .notDirectory: return .init(.exportNotThere, "\(export.path) on \(server) is not a directory: \(said); give another path")
        case .protocolNotSupported: return versions(failure)
        case .notSupportedOnSocket where version == .v3:
            return .init(
                .versionNotOffered,
                "\(server) has no NFS version 3 or no mountd registered with its rpcbind: \(said); start them there, or give nfsvers=4.1"
            )
        case .notSupportedOnSocket: return versions(failure)
        case .staleNFSFileHandle:
            return .init(.stale, "the export's file handle is stale: \(said); run exportfs -ra on the server, then try again")
        case Errno(rawValue: ENOKEY), Errno(rawValue: EKEYEXPIRED):
            return .init(.accessDenied, "no valid Kerberos ticket: \(said); check /etc/krb5.keytab and that rpc-gssd runs")
        default: return nil
        }
    }

    /// What this host lacks, or was told wrongly.
    private func host(_ failure: AttemptFailure, _ said: String) -> FailureExplanation? {
        switch failure.error.errno {
        case .invalidArgument: return .init(.badOption, "the kernel refuses the options: \(said); check o= and nfsvers=")
        case .resourceBusy:
            return .init(
                .conflict,
                "the same export is in use with options that conflict: \(said); add o=nosharecache, or use the options of the other volume"
            )
        case .operationNotSupportedByDevice, .notBlockDevice:
            return .init(
                .noKernelSupport,
                "this kernel has no \(version.fileSystem) file system: \(said); load it with modprobe \(version == .v3 ? "nfsv3" : "nfsv4"), or install a kernel with NFS"
            )
        case .fileNameTooLong, .argListTooLong: return .init(.badOption, "path or options are too long: \(said); shorten them")
        case .addressInUse:
            return .init(.other, "no privileged source port is free: \(said); add o=noresvport (the export then needs insecure)")
        default: return nil
        }
    }

    private var port: UInt16 { options.port ?? 2049 }
    private var isRoot: Bool { EffectiveUser.isRoot }
}
