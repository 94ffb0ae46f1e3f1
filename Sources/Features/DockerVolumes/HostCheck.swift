// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
public import KernelMount
import Logging
import SystemPackage
import Volumes

/// What `docker-nfsd doctor` looks at: each part of the host that volumes depend on, with what to do where it is wrong.
public struct HostCheck: Sendable {
    private let settings: DaemonSettings

    public init(settings: DaemonSettings) { self.settings = settings }

    /// The host itself. Blocks for some seconds at most; changes nothing.
    public func host() -> [HostFinding] {
        var kind = settings.volumes.kind.checkHost()
        // What the volumes ask for, each thing once.
        for finding in definitions().flatMap({ $0.options.source.checkHost() })
        where !kind.contains(where: { $0.subject == finding.subject }) {
            kind.append(finding)
        }
        return [root(), mountCalls()] + kind + sockets() + [engine(), containers(), MountFolderAccess(settings).finding()]
            + engineAPI()
    }

    /// Those that can be read; none before the daemon has run.
    private func definitions() -> [VolumeDefinition] {
        (try? files?.readDefinitions(logger: Self.silent)) ?? []
    }

    private var files: VolumeFiles? {
        let volumes = settings.volumes
        return try? VolumeFiles(state: volumes.stateDirectory, runtime: volumes.runtimeDirectory, kind: volumes.kind, isOwner: false)
    }

    private static let silent = Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() }

    private func root() -> HostFinding {
        let isAdministrator = capabilities().map { $0 & (1 << 21) != 0 } ?? EffectiveUser.isRoot
        if EffectiveUser.isRoot && isAdministrator { return HostFinding(verdict: .ok, subject: "root", detail: "with CAP_SYS_ADMIN") }
        return HostFinding(
            verdict: .failed, subject: "root",
            detail: "mounting needs root with CAP_SYS_ADMIN: run docker-nfsd on the host itself, as root (sudo docker-nfsd doctor)")
    }

    /// CapEff of /proc/self/status.
    private func capabilities() -> UInt64? {
        guard let bytes = try? readWholeFile("/proc/self/status", limit: 1 << 20) else { return nil }
        for line in String(decoding: bytes, as: UTF8.self).split(atByte: "\n") where line.hasBytePrefix("CapEff:") {
            return UInt64(line.dropFirst(7).drop { $0 == "\t" || $0 == " " }, radix: 16)
        }
        return nil
    }

    private func mountCalls() -> HostFinding {
        switch Mounter.opensFileSystem("tmpfs") {
        case nil: HostFinding(verdict: .ok, subject: "mount calls", detail: "fsopen and its family")
        case .noFunction:
            HostFinding(
                verdict: .warning, subject: "mount calls",
                detail: "this kernel has no fsopen: mount is used, and the kernel's own words about a failure stay in dmesg")
        case .some(let code):
            HostFinding(verdict: .warning, subject: "mount calls", detail: "fsopen: \(code.explained): mount is used instead")
        }
    }

    private func sockets() -> [HostFinding] {
        DaemonSettings.driverNames.map { name in
            let path = settings.socketDirectory.appending(name + ".sock")
            switch SocketState(of: path) {
            case .listening: return HostFinding(verdict: .ok, subject: "socket \(path)", detail: "somebody listens")
            case .missing:
                return HostFinding(verdict: .failed, subject: "socket \(path)", detail: "is not there: systemctl enable --now docker-nfsd")
            case .dead:
                return HostFinding(
                    verdict: .failed, subject: "socket \(path)",
                    detail: "nobody listens, which costs Docker 15 s at each use: systemctl restart docker-nfsd, or remove the file")
            case .notASocket:
                return HostFinding(
                    verdict: .failed, subject: "socket \(path)", detail: "is not a socket: remove it, then systemctl restart docker-nfsd")
            case .unknown(let error): return HostFinding(verdict: .failed, subject: "socket \(path)", detail: "\(error)")
            }
        }
    }

    private func engine() -> HostFinding {
        let engines = MountNamespace.processes(named: "dockerd")
        if engines.isEmpty {
            return HostFinding(verdict: .warning, subject: "Docker", detail: "no dockerd runs here: systemctl start docker")
        }
        if let problem = Propagation.problem(mountDirectory: settings.mountDirectory.string) {
            return HostFinding(verdict: .failed, subject: "Docker", detail: problem)
        }
        return HostFinding(
            verdict: .ok, subject: "Docker",
            detail: "dockerd (process \(engines.map(String.init).joined(separator: ", "))) sees what is mounted here")
    }

    /// Whether containers can be started again; nothing if nobody wants that.
    private func engineAPI() -> [HostFinding] {
        guard settings.engine.restartsFailedContainers, let socket = settings.engine.apiSocket else { return [] }
        let subject = "restart-failed"
        if SocketState(of: socket) == .listening {
            return [HostFinding(verdict: .ok, subject: subject, detail: "containers are started again by \(socket)")]
        }
        return [
            HostFinding(
                verdict: .failed, subject: subject,
                detail: "nobody listens at \(socket), so no container can be started again: give Docker's API as engine-socket")
        ]
    }

    /// Whether Docker's files say which containers hold volumes.
    private func containers() -> HostFinding {
        let containers = DockerContainers(settings.engine)
        let (subject, advice) = ("Docker's files", "give Docker's data root as docker-directory")
        let folders = containers.folders
        if folders.isEmpty {
            let places = settings.engine.dataRoot?.string ?? "the data-root of \(settings.engine.daemonFile), nor in /var/lib/docker"
            return HostFinding(verdict: .warning, subject: subject, detail: "no folder of containers is in \(places): \(advice)")
        }
        let names = containers.namesByMountID()
        let references = (try? files?.readReferences(logger: Self.silent)) ?? [:]
        let unknown = references.values.flatMap { $0.holders.keys }.filter { names[$0] == nil }.count
        let list = folders.map(\.string).joined(separator: ", ")
        if unknown > 0 {
            return HostFinding(
                verdict: .warning, subject: subject, detail: "\(unknown) of those who hold volumes are no containers in \(list): \(advice)")
        }
        return HostFinding(verdict: .ok, subject: subject, detail: "\(list) says which containers hold volumes")
    }

    // MARK: A server

    /// An export: its server's name, whether it answers, and a trial mount, which is taken back at once. Blocks, at the
    /// longest for the deadlines of the settings.
    ///
    /// - Throws: `StorageError` if the text is not `server:/path`.
    public func export(_ text: String, options: String, versions: String?) throws(StorageError) -> [HostFinding] {
        var given = ["device": text]
        if !options.isEmpty { given["o"] = options }
        if let versions { given["nfsvers"] = versions }
        let source = try VolumeOptions(given, kind: settings.volumes.kind).source
        let (findings, isWorthAMount) = source.checkServer()
        let helpers = source.checkHost()
        return helpers + (isWorthAMount ? findings + [trial(source)] : findings)
    }

    private func trial(_ source: any FileSystemSource) -> HostFinding {
        let subject = "trial mount"
        let stagingFolder = settings.volumes.stagingFolder
        let place = stagingFolder.appending("doctor-\(UInt64.random(in: 0 ... .max))")
        let mounter = Mounter(
            limits: settings.volumes.limits, method: settings.volumes.mountMethod, stagingFolder: stagingFolder,
            program: settings.volumes.processName)
        do {
            try makeFolders(place, mode: 0o700)
            defer { try? removeEmptyFolder(place) }
            let entry = try mounter.mount(MountRequest(source, at: MountDestination(place.string)))
            let unmounted = try mounter.unmount(place.string)
            let options = entry.superblockOptions.joined(separator: ",")
            if unmounted != .unmounted {
                return HostFinding(verdict: .warning, subject: subject, detail: "mounted (\(options)), but could only be detached")
            }
            return HostFinding(verdict: .ok, subject: subject, detail: "mounted and unmounted again: \(options)")
        } catch {
            return HostFinding(verdict: .failed, subject: subject, detail: "\(error)")
        }
    }
}
