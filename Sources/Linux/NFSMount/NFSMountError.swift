// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

/// Why an export could not be mounted: one line that says the cause first and ends with what to do.
public struct NFSMountError: Error, Sendable, CustomStringConvertible {
    public enum Kind: Sendable, Equatable {
        case nameNotResolved, noRoute, refused, silent, mute, exportNotThere, accessDenied, versionNotOffered, badOption, noKernelSupport
        case notPrivileged, lockServiceMissing, subdirectory, conflict, timedOut, cancelled, stale, other
    }

    public var kind: Kind
    public var description: String
    /// Trying again may help without anybody doing anything.
    public var mayPass = false
    /// Set while the kernel still holds the killed process that worked on the mount point.
    public var stuck: SystemCallHold?

    public init(_ kind: Kind, _ description: String, mayPass: Bool = false, stuck: SystemCallHold? = nil) {
        self.kind = kind
        self.description = description
        self.mayPass = mayPass
        self.stuck = stuck
    }
}

/// Turns errno, stage and circumstances into the line that a person at `docker run` reads.
struct MountExplanation {
    var request: NFSMountRequest
    var address: ServerAddress
    var version: NFSVersion
    /// This host's address on the way to the server, empty if unknown.
    var localAddress: String
    var attempts: [Negotiation.Attempt]
    var waited: Duration

    func error(for failure: AttemptFailure) -> NFSMountError {
        let (kind, text) = explain(failure)
        return NFSMountError(
            kind, "cannot mount \(request.source): \(text)", mayPass: failure.end == nil && failure.error.errno.mayPass,
            stuck: failure.stuck.map(SystemCallHold.init))
    }

    private func explain(_ failure: AttemptFailure) -> (NFSMountError.Kind, String) {
        switch failure.end {
        case .cancelled: return (.cancelled, "given up because the caller has gone")
        case .bySomebodyElse:
            return (
                .other,
                "the process that made the mount was killed by somebody else, perhaps for want of memory; look at dmesg, then try again"
            )
        case .deadline:
            return (
                .timedOut,
                "\(server) took the connection but did not complete the mount within \(waited.components.seconds) s; look at the server's log and load, then try again"
            )
        case nil: break
        }
        switch failure.stage {
        case .option(let key): return option(key, failure)
        case .subdirectory: return subdirectory(failure)
        case .requirement: return requirement(failure)
        case .server, .local: return server(failure)
        }
    }

    private var server: String {
        let name = request.server.text
        let label = name == address.text ? name : "\(name) (\(address.text))"
        return request.options.port.map { "\(label) port \($0)" } ?? label
    }

    private var kernelSaid: (AttemptFailure) -> String {
        { $0.kernelLog.isEmpty ? "" : ", the kernel says \"\($0.kernelLog.joined(separator: "; "))\"" }
    }

    private func option(_ key: String, _ failure: AttemptFailure) -> (NFSMountError.Kind, String) {
        let code = failure.error.errno
        if key == "vers" { return versions(failure) }
        let operand = failure.error.operand
        return (
            .badOption,
            "option \(operand) is refused\(kernelSaid(failure)): \(code.explained); correct it in the volume's options (docker volume rm, then create)"
        )
    }

    private func versions(_ failure: AttemptFailure) -> (NFSMountError.Kind, String) {
        var tried: [String] = []
        for attempt in attempts where !tried.contains(attempt.version.rawValue) { tried.append(attempt.version.rawValue) }
        let list = tried.joined(separator: ", ")
        return (
            .versionNotOffered,
            "NFS version \(list) is not offered by \(server) or not built into this kernel (\(failure.error.errno.symbol))\(kernelSaid(failure)); give nfsvers=auto or a version that the server has"
        )
    }

    private func subdirectory(_ failure: AttemptFailure) -> (NFSMountError.Kind, String) {
        let path = request.subdirectory?.path ?? ""
        let (call, code, at) = (failure.error.call, failure.error.errno, failure.error.operand)
        switch (call, code) {
        case ("openat", .noSuchFileOrDirectory):
            return (
                .subdirectory, "the subdirectory \(path) does not exist in the export; make it there, or create the volume with create=true"
            )
        case ("openat", .notDirectory), ("openat", .tooManySymbolicLinkLevels):
            return (.subdirectory, "\(at) in the export is not a directory (symbolic links are not followed); give another subdir")
        case ("mkdirat", .readOnlyFileSystem):
            return (.subdirectory, "the subdirectory \(path) cannot be made because the export is mounted read-only; make it on the server")
        case ("mkdirat", .permissionDenied), ("mkdirat", .notPermitted), ("fchown", _), ("fchmod", _):
            return (
                .subdirectory,
                "the server does not let root of this host make the subdirectory \(path) (\(call): \(code.explained)); export with no_root_squash, or make it on the server"
            )
        default: return (.subdirectory, "subdirectory \(path): \(call) \(at): \(code.explained)\(kernelSaid(failure))")
        }
    }

    private func requirement(_ failure: AttemptFailure) -> (NFSMountError.Kind, String) {
        let (folder, code) = (failure.error.operand, failure.error.errno)
        guard code == .noSuchFileOrDirectory else { return (.subdirectory, "\(folder) in it cannot be opened: \(code.explained)") }
        return (
            .subdirectory, "it has no \(folder): is the right file system exported there, and its disk mounted on the server?"
        )
    }

    private func server(_ failure: AttemptFailure) -> (NFSMountError.Kind, String) {
        let code = failure.error.errno
        let said = "\(code.explained)\(kernelSaid(failure))"
        let here = localAddress.isEmpty ? "this host" : "this host (\(localAddress))"
        switch code {
        case .permissionDenied:
            return (
                .accessDenied,
                "\(server) denies \(here) access to \(request.path): \(said); the server's /etc/exports needs a line such as \"\(request.path) \(localAddress.isEmpty ? "HOST" : localAddress)(rw)\", then exportfs -ra; or the export wants another sec="
            )
        case .notPermitted where failure.error.call == "fsopen" || failure.error.call == "mount" && failure.kernelLog.isEmpty && !isRoot:
            return (
                .notPrivileged,
                "mounting needs root with CAP_SYS_ADMIN (\(failure.error.call): \(said)); run docker-nfsd as root on the host"
            )
        case .notPermitted:
            return (
                .accessDenied,
                "\(server) does not permit it: \(said); the export may need the option insecure, or this host root's privileges"
            )
        case .noSuchFileOrDirectory:
            return (
                .exportNotThere,
                "\(server) has no export \(request.path): \(said); look at exportfs -v on the server (with NFSv4 the path is below its root, fsid=0)"
            )
        case .notDirectory: return (.exportNotThere, "\(request.path) on \(server) is not a directory: \(said); give another path")
        case .protocolNotSupported: return versions(failure)
        case .notSupportedOnSocket where version == .v3:
            return (
                .versionNotOffered,
                "\(server) has no NFS version 3 or no mountd registered with its rpcbind: \(said); start them there, or give nfsvers=4.1"
            )
        case .timedOut:
            return (
                .silent,
                "no answer from \(server) within \(waited.components.seconds) s: \(said); is it up, and does a firewall let TCP port \(port) through?"
            )
        case .connectionRefused:
            return (.refused, "\(server) refuses the connection to TCP port \(port): \(said); is the NFS server running there?")
        case .noRouteToHost, .networkUnreachable, .networkDown, .hostIsDown:
            return (.noRoute, "no route to \(server): \(said); check this host's network and routes, or give another address")
        case .invalidArgument: return (.badOption, "the kernel refuses the options: \(said); check o= and nfsvers=")
        case .staleNFSFileHandle:
            return (.stale, "the export's file handle is stale: \(said); run exportfs -ra on the server, then try again")
        case .resourceBusy:
            return (
                .conflict,
                "the same export is in use with options that conflict: \(said); add o=nosharecache, or use the options of the other volume"
            )
        case .init(rawValue: 19), .init(rawValue: 15):
            return (
                .noKernelSupport,
                "this kernel has no \(version.fileSystem) file system: \(said); load it with modprobe \(version == .v3 ? "nfsv3" : "nfsv4"), or install a kernel with NFS"
            )
        case .ioError: return (.other, "the session with \(server) failed: \(said); look at dmesg here and at the server's log")
        case .init(rawValue: 121): return (.other, "\(server) reports a fault of its own: \(said); look at the server's log")
        case .init(rawValue: 126), .init(rawValue: 127):
            return (.accessDenied, "no valid Kerberos ticket: \(said); check /etc/krb5.keytab and that rpc-gssd runs")
        case .fileNameTooLong, .init(rawValue: 7): return (.badOption, "path or options are too long: \(said); shorten them")
        case .addressInUse: return (.other, "no privileged source port is free: \(said); add o=noresvport (the export then needs insecure)")
        default: return (.other, "\(failure.error.call): \(said)")
        }
    }

    private var port: UInt16 { request.options.port ?? 2049 }
    private var isRoot: Bool { EffectiveUser.isRoot }
}
