// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
public import NFSMount
import SystemPackage

/// What `docker-nfsd doctor` looks at: each part of the host that volumes depend on, with what to do where it is wrong.
public struct HostCheck: Sendable {
    public enum Verdict: String, Sendable {
        case ok, warning, failed
    }

    public struct Finding: Sendable {
        public var verdict: Verdict
        public var subject: String
        public var detail: String

        public var text: String { "[\(verdict.rawValue)] \(subject): \(detail)" }
    }

    private let settings: DaemonSettings

    public init(settings: DaemonSettings) { self.settings = settings }

    /// The host itself. Blocks for some seconds at most; changes nothing.
    public func host() -> [Finding] { [root(), mountCalls(), nfs(.v4_1), nfs(.v3), locks()] + sockets() + [engine()] }

    private func root() -> Finding {
        let isAdministrator = capabilities().map { $0 & (1 << 21) != 0 } ?? EffectiveUser.isRoot
        if EffectiveUser.isRoot && isAdministrator { return Finding(verdict: .ok, subject: "root", detail: "with CAP_SYS_ADMIN") }
        return Finding(
            verdict: .failed, subject: "root",
            detail: "mounting needs root with CAP_SYS_ADMIN: run docker-nfsd on the host itself, as root (sudo docker-nfsd doctor)")
    }

    /// CapEff of /proc/self/status.
    private func capabilities() -> UInt64? {
        guard let bytes = try? readWholeFile("/proc/self/status", limit: 1 << 20) else { return nil }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") where line.hasPrefix("CapEff:") {
            return UInt64(line.dropFirst(7).drop { $0 == "\t" || $0 == " " }, radix: 16)
        }
        return nil
    }

    private func mountCalls() -> Finding {
        switch NFSMounter.opensFileSystem("tmpfs") {
        case nil: Finding(verdict: .ok, subject: "mount calls", detail: "fsopen and its family")
        case .noFunction:
            Finding(
                verdict: .warning, subject: "mount calls",
                detail: "this kernel has no fsopen: mount is used, and the kernel's own words about a failure stay in dmesg")
        case .some(let code): Finding(verdict: .warning, subject: "mount calls", detail: "fsopen: \(code.explained): mount is used instead")
        }
    }

    private func nfs(_ version: NFSVersion) -> Finding {
        let subject = version == .v3 ? "NFS version 3" : "NFS version 4"
        if let standIn = settings.volumes.standIn {
            return Finding(verdict: .warning, subject: subject, detail: "\(standIn.fileSystem) stands in for it: a test")
        }
        switch NFSMounter.opensFileSystem(version.fileSystem) {
        case nil: return Finding(verdict: .ok, subject: subject, detail: "this kernel has it")
        case .init(rawValue: 19):
            let module = version == .v3 ? "nfsv3" : "nfsv4"
            return Finding(
                verdict: version == .v3 ? .warning : .failed, subject: subject,
                detail: "this kernel has no \(version.fileSystem) file system: modprobe \(module), or install a kernel with NFS")
        case .some(let code): return Finding(verdict: .warning, subject: subject, detail: "fsopen \(version.fileSystem): \(code.explained)")
        }
    }

    private func locks() -> Finding {
        if ServerProbe.statusMonitorRuns(by: Deadline(after: .seconds(2))) {
            return Finding(verdict: .ok, subject: "rpc.statd", detail: "runs, so version 3 has locks")
        }
        return Finding(
            verdict: .warning, subject: "rpc.statd",
            detail: "does not run: version 3 works with o=nolock only (systemctl start rpc-statd); version 4 does not need it")
    }

    private func sockets() -> [Finding] {
        DaemonSettings.driverNames.map { name in
            let path = settings.socketDirectory.appending(name + ".sock")
            switch SocketState(of: path) {
            case .listening: return Finding(verdict: .ok, subject: "socket \(path)", detail: "somebody listens")
            case .missing:
                return Finding(verdict: .failed, subject: "socket \(path)", detail: "is not there: systemctl enable --now docker-nfsd")
            case .dead:
                return Finding(
                    verdict: .failed, subject: "socket \(path)",
                    detail: "nobody listens, which costs Docker 15 s at each use: systemctl restart docker-nfsd, or remove the file")
            case .notASocket:
                return Finding(
                    verdict: .failed, subject: "socket \(path)", detail: "is not a socket: remove it, then systemctl restart docker-nfsd")
            case .unknown(let error): return Finding(verdict: .failed, subject: "socket \(path)", detail: "\(error)")
            }
        }
    }

    private func engine() -> Finding {
        let engines = MountNamespace.processes(named: "dockerd")
        if engines.isEmpty { return Finding(verdict: .warning, subject: "Docker", detail: "no dockerd runs here: systemctl start docker") }
        if let problem = Propagation.problem(mountDirectory: settings.volumes.mountDirectory.string) {
            return Finding(verdict: .failed, subject: "Docker", detail: problem)
        }
        return Finding(
            verdict: .ok, subject: "Docker",
            detail: "dockerd (process \(engines.map(String.init).joined(separator: ", "))) sees what is mounted here")
    }

    // MARK: A server

    /// An export: its server's name, whether it answers, and a trial mount, which is taken back at once. Blocks, at the
    /// longest for the deadlines of the settings.
    ///
    /// - Throws: `StorageError` if the text is not `server:/path`.
    public func export(_ text: String, options: String, versions: String?) throws(StorageError) -> [Finding] {
        var given = ["device": text]
        if !options.isEmpty { given["o"] = options }
        if let versions { given["nfsvers"] = versions }
        let volume = try VolumeOptions(given)
        var findings: [Finding] = []
        if settings.volumes.standIn == nil {
            let limits = settings.volumes.limits
            do throws(ResolutionFailure) {
                let addresses = try resolve(volume.server, by: Deadline(after: limits.resolution), cancellation: nil)
                findings.append(
                    Finding(verdict: .ok, subject: "name \(volume.server.text)", detail: addresses.map(\.text).joined(separator: ", ")))
                findings += reach(addresses, volume)
            } catch {
                findings.append(
                    Finding(
                        verdict: .failed, subject: "name \(volume.server.text)",
                        detail: "does not resolve (\(error.reason)): check its spelling, /etc/hosts and /etc/resolv.conf"))
                return findings
            }
        }
        return findings + [trial(volume)]
    }

    private func reach(_ addresses: [ServerAddress], _ volume: VolumeOptions) -> [Finding] {
        let port = (try? settings.volumes.options(of: volume))?.port ?? 2049
        let version = (volume.versions ?? settings.volumes.versions).candidates[0]
        return addresses.map { address in
            let limit = settings.volumes.limits.probe
            let result = ServerProbe.nfs(port: port, version: version).ask([address], by: Deadline(after: limit), cancellation: nil)[0]
            let subject = "server \(address) port \(port)"
            switch result {
            case .answers(let local): return Finding(verdict: .ok, subject: subject, detail: "answers; it sees this host as \(local)")
            case .unreachable(let code):
                return Finding(
                    verdict: .failed, subject: subject, detail: "\(code.explained): is the NFS server running, and is there a route?")
            case .silent:
                return Finding(
                    verdict: .failed, subject: subject, detail: "no answer within \(limit.components.seconds) s: host down, or a firewall")
            case .mute, .undecided:
                return Finding(
                    verdict: .failed, subject: subject,
                    detail:
                        "takes the connection but does not answer within \(limit.components.seconds) s: restart the NFS server, or correct the port"
                )
            }
        }
    }

    private func trial(_ volume: VolumeOptions) -> Finding {
        let subject = "trial mount"
        let place = settings.volumes.runtimeDirectory.appending("staging").appending("doctor-\(UInt64.random(in: 0 ... .max))")
        let mounter = NFSMounter(
            limits: settings.volumes.limits, method: settings.volumes.mountMethod,
            stagingFolder: settings.volumes.runtimeDirectory.appending("staging"), standIn: settings.volumes.standIn)
        do {
            try makeFolders(place, mode: 0o700)
            defer { try? removeEmptyFolder(place) }
            let request = NFSMountRequest(
                server: volume.server, path: volume.path, versions: volume.versions ?? settings.volumes.versions,
                options: try settings.volumes.options(of: volume), target: place.string)
            let mounted = try mounter.mount(request)
            let unmounted = try mounter.unmount(place.string)
            let options = mounted.entry.superblockOptions.joined(separator: ",")
            if unmounted != .unmounted {
                return Finding(verdict: .warning, subject: subject, detail: "mounted (\(options)), but could only be detached")
            }
            return Finding(verdict: .ok, subject: subject, detail: "mounted and unmounted again: \(options)")
        } catch {
            return Finding(verdict: .failed, subject: subject, detail: "\(error)")
        }
    }
}
