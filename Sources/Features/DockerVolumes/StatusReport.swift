// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import KernelMount
public import LinuxSystem
public import Logging
import SystemPackage
import Volumes

/// What `docker-nfsd status` tells: read from the daemon's files, the kernel's mount table and Docker's files, so it
/// needs neither the daemon nor Docker, and never touches a mount.
public struct StatusReport: Sendable {
    struct Line: Sendable {
        var name: String
        var driver: String
        var createdAt: String
        var place: String
        /// The key of its server.
        var server: String
        var status: VolumeStatus
        /// Set if containers that could not start without it are to be started again: how often that was tried in vain.
        var triesOfStart: Int?
    }

    let lines: [Line]
    /// Sockets by path, and whether a process listens there.
    let sockets: [(path: String, state: SocketState)]
    /// When the daemon wrote what it knows of servers: RFC 3339, UTC; nil if it has not in this boot.
    let healthWritten: String?
    /// Whether that is so long ago that it may not hold any more.
    let isHealthOld: Bool

    /// - Parameter namesHolders: false leaves out which containers hold the volumes, for which Docker's files are read.
    /// - Throws: `SystemError` if the state directory cannot be read, such as `EACCES` for others than root.
    public init(settings: DaemonSettings, namesHolders: Bool = true, logger: Logger) throws(SystemError) {
        let volumes = settings.volumes
        let files = try VolumeFiles(state: volumes.stateDirectory, runtime: volumes.runtimeDirectory, kind: volumes.kind, isOwner: false)
        let references = try files.readReferences(logger: logger)
        let failures = files.failures.read()
        let table = try MountTable()
        let containers = namesHolders ? DockerContainers(settings.engine).namesByMountID() : [:]
        let activity = (try? volumes.kind.activity()) ?? [:]
        let failedStarts = try settings.engine.restartsFailedContainers ? FailedStartFile(runtime: volumes.runtimeDirectory).read() : [:]
        let known = try HealthFile(runtime: volumes.runtimeDirectory).read()
        healthWritten = known?.written
        isHealthOld = known.map { $0.seconds < secondsSinceBoot() - HealthFile.freshness } ?? false
        lines = try files.readDefinitions(logger: logger).map { definition in
            var record = VolumeRecord(definition)
            let folder = settings.places.place(of: definition.name)
            let place = folder.string
            record.references = references[definition.name.fileName] ?? References()
            record.mount = table.topmost(at: place)
            record.shortcomings = record.mount.map(definition.options.source.shortcomings) ?? []
            record.lastFailure = failures[definition.name.fileName]
            var status = VolumeStatus(record: record, holderNames: containers, .docker)
            status.health.server = known?.servers[definition.options.source.serverKey]
            if let mount = record.mount {
                status.health.activity = activity[folder]
                status.health.usage = known?.usage[mount.device]
            }
            return Line(
                name: definition.name.text, driver: definition.owner, createdAt: definition.createdAt, place: place,
                server: definition.options.source.serverKey, status: status, triesOfStart: failedStarts[definition.name]?.tries)
        }
        sockets = DaemonSettings.driverNames.map { name in
            let path = settings.socketDirectory.appending(name + ".sock")
            return (path.string, SocketState(of: path))
        }
    }

    var json: JSONValue {
        let volumes = lines.map { line -> JSONValue in
            var object: JSONObject = [
                "name": .string(line.name), "driver": .string(line.driver), "createdAt": .string(line.createdAt),
                "mountpoint": .string(line.status.fileSystem == nil ? "" : line.place),
            ]
            for member in line.status.json.members + line.status.health.json.members { object[member.key] = member.value }
            if let tries = line.triesOfStart { object["startsAgain"] = ["triesInVain": JSONValue(tries)] }
            return .object(object)
        }
        var listening = JSONObject()
        for socket in sockets { listening[socket.path] = .bool(socket.state == .listening) }
        var report: JSONObject = ["listening": .object(listening), "volumes": .array(volumes)]
        if let healthWritten { report["healthAsOf"] = .string(healthWritten) }
        return .object(report)
    }

    /// Of each server that does not answer: since when, and who waits for it.
    private var outages: [String] {
        var waiting: [String: [Line]] = [:]
        for line in lines where line.status.health.isAway && line.status.fileSystem != nil {
            waiting[line.server, default: []].append(line)
        }
        return waiting.sorted { $0.key < $1.key }.map { server, lines in
            let since = lines.first?.status.health.server?.awaySince ?? ""
            let containers = Set(lines.flatMap { line in line.status.references.compactMap(\.name) }).sorted()
            return "server \(server) has not answered since \(since); volumes that wait: \(lines.map(\.name).joined(separator: ", "))"
                + (containers.isEmpty ? "" : "; containers: \(containers.joined(separator: ", "))")
        }
    }

    /// ``json`` as text, ending with a newline.
    public var jsonText: String { String(decoding: json.encoded(.pretty), as: UTF8.self) + "\n" }

    /// For a person, a line an item, ending with a newline.
    ///
    /// Names and options are other people's words: what could do something to a terminal in them is `?`.
    public var text: String {
        var out = ""
        for socket in sockets {
            out += "\(socket.path): \(socket.state == .listening ? "listening" : "nobody listens (systemctl status docker-nfsd)")\n"
        }
        if let healthWritten, isHealthOld {
            out += "what is known of servers and of usage is as of \(healthWritten)\n"
        }
        for outage in outages { out += SanitizedText.withoutControls(outage) + "\n" }
        if lines.isEmpty { out += "no volumes\n" }
        for line in lines {
            let heading = "\(line.name)  (driver \(line.driver), created \(line.createdAt))"
            out += "\n\(SanitizedText.withoutControls(heading))\n" + line.status.withoutControls.text(at: line.place)
            if let tries = line.triesOfStart {
                out += "  waits      containers that could not start without it are started again when its server answers"
                out += tries > 0 ? " (\(tries) times in vain)\n" : "\n"
            }
        }
        return out
    }
}

extension VolumeStatus {
    /// The same with `?` in the place of each control character in the words of others.
    fileprivate var withoutControls: VolumeStatus {
        var plain = self
        plain.source = SanitizedText.withoutControls(source)
        plain.requested = requested.mapValues(SanitizedText.withoutControls)
        plain.effective = effective.map(SanitizedText.withoutControls)
        plain.share = share.map(SanitizedText.withoutControls)
        plain.drift = drift.map(SanitizedText.withoutControls)
        if let reason = health.server?.reason { plain.health.server?.reason = SanitizedText.withoutControls(reason) }
        plain.lastFailure?.text = SanitizedText.withoutControls(lastFailure?.text ?? "")
        plain.references = references.map {
            (SanitizedText.withoutControls($0.id), $0.count, $0.name.map(SanitizedText.withoutControls))
        }
        return plain
    }
}
