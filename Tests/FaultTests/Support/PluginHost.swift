// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import Synchronization
import TestSupport

/// mountpoint-plugin as a process, on a host of its own, asked as mountpoint-runc asks it. A folder on a tmpfs is the source of mounts.
final class PluginHost: Sendable {
    /// What a container is given, and by which kind.
    struct Kind: Sendable, CustomStringConvertible {
        var name: String
        var description: String
        var settings = "{}"
        var type = "bind"
        var source = PluginHost.source
        /// Of the container; DESTINATION is replaced.
        var labels: [String: String] = [:]
        /// Of the volume.
        var volume: JSONObject = [:]
        /// Whether another container has the same, which must not notice anything.
        var hasOther = false
        /// What the container does: a script that is given what it sees of the source.
        var work: String?
        /// A line of what the source is afterwards; nil if it is what it was.
        var outcome: String?

        static let all = [
            Kind(
                name: "policy", description: "policy", settings: #"{"rules":[{"action":"read-only","source":["\#(PluginHost.source)"]}]}"#),
            Kind(
                name: "translate", description: "translate",
                settings: #"{"paths":[{"prefix":"/no-such","to":"\#(PluginHost.folder)","remove-created":true}]}"#,
                source: "/no-such/source"),
            Kind(name: "ownership", description: "ownership", labels: ["mountpoint.ownership": "DESTINATION:match-user"]),
            Kind(name: "noswap", description: "noswap", labels: ["mountpoint.noswap": "DESTINATION:size=1m"]),
            Kind(
                name: "noswap", description: "noswap of a shared volume", type: "volume",
                volume: ["Name": "web", "Driver": "local", "Labels": ["mountpoint.noswap": "size=1m"]], hasOther: true),
            Kind(
                name: "ownership", description: "ownership by transfer",
                labels: ["mountpoint.ownership": "DESTINATION:match-user,mode=transfer"],
                work: "cd $0; echo more >>file; echo made >made; chown 33:33 made", outcome: "./made f 1000 1000 644 1"),
            Kind(
                name: "ownership", description: "ownership given back",
                labels: ["mountpoint.ownership": "DESTINATION:match-user,mode=give-back"],
                work: "cd $0; echo made >in/made; chown 33:33 in/made", outcome: "./in/made f 1000 1000 644 1"),
            Kind(
                name: "copy-on-write", description: "copy-on-write", labels: ["mountpoint.copy-on-write": "DESTINATION"],
                work: "cd $0; echo more >>file; rmdir in; echo made >made"),
            Kind(
                name: "copy-on-write", description: "copy-on-write with a commit",
                labels: ["mountpoint.copy-on-write": "DESTINATION:commit"],
                work: "cd $0; echo more >>file; mv in out; echo made >out/made; ln out/made link", outcome: "./out/made f 0 0 644 2"),
        ]

        /// - Parameter count: mounts of the container.
        func mounts(_ count: Int = 1) -> JSONValue {
            .array(
                (0..<count).map { index in
                    let place = "/m\(index)"
                    var labels = JSONObject()
                    for (key, value) in self.labels {
                        let entries = (0..<count).map { value.replacing("DESTINATION", with: "/m\($0)") }
                        labels[key] = .string(entries.joined(separator: ";"))
                    }
                    return [
                        "Type": .string(type), "Source": .string(source), "EffectiveSource": .string(source), "Destination": .string(place),
                        "Volume": .object(volume),
                        "Container": ["Labels": .object(labels), "Name": "web", "User": ["UID": 33, "GID": 33]],
                    ]
                })
        }
    }

    /// What must be the same afterwards.
    struct Snapshot: Equatable {
        var mounts: [String]
        /// Of the plugin's state.
        var files: [String]
        /// With owners, modes and contents.
        var source: String
    }

    static let folder = PrivateHost.folder + "/plugin"
    static let source = folder + "/source"
    static let state = folder + "/lib"

    let host: PrivateHost
    private let running = Mutex<(process: SpawnedProcess, id: pid_t)?>(nil)

    private init(host: PrivateHost) { self.host = host }

    static func with(_ body: (PluginHost) async throws -> Void) async throws {
        let cleanup = Cleanup()
        var failure: (any Error)?
        do {
            let host = try await PrivateHost()
            cleanup.add { try FileManager.default.removeItem(atPath: host.scratch) }
            cleanup.add { try await host.end() }
            let script = """
                set -e; mkdir -p \(folder)/etc \(folder)/sockets \(source); mount -t tmpfs -o mode=0755 tmpfs \(source)
                """
            let made = try await host.run(["bash", "-c", script])
            guard made.status == 0 else { throw Trouble("\(made)") }
            let plugin = PluginHost(host: host)
            try await plugin.makeSource()
            try await body(plugin)
        } catch {
            failure = error
        }
        await cleanup.run()
        if let failure { throw failure }
    }

    // MARK: The plugin

    /// Its number outside; nil if it does not run.
    var process: pid_t? { running.withLock { $0.flatMap { $0.process.hasEnded ? nil : $0.id } } }
    var log: String { host.log("plugin.log") }

    private static let environment = [
        "MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY": folder + "/sockets", "MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY": folder + "/etc",
        "MOUNTPOINT_PLUGIN_STATE_DIRECTORY": state, "MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY": folder + "/run",
        "MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY": folder + "/docker",
    ]

    private func socket(_ kind: Kind) -> String { host.path("\(Self.folder)/sockets/\(kind.name).sock") }

    /// Starts it and waits until it answers: all that an earlier one has left is taken up by then.
    func start(_ kind: Kind) async throws {
        try host.write(kind.settings, to: "\(Self.folder)/etc/\(kind.name).json")
        let started = try host.start([Programs.plugin, kind.name], environment: Self.environment, log: "plugin.log")
        let socket = socket(kind)
        try await eventually("\(kind) answers") {
            if started.hasEnded { throw Trouble("\(kind) has ended: \(self.log.suffix(2000))") }
            return UnixSocket.accepts(socket)
        }
        let id = try await started.child(running: "mountpoint-plug")
        running.withLock { $0 = (started, id) }
    }

    func kill() async {
        guard let plugin = running.withLock({ $0.take() }) else { return }
        if !plugin.process.hasEnded { Glibc.kill(plugin.id, SIGKILL) }
        _ = try? await plugin.process.end(within: .seconds(20))
    }

    /// - Returns: nil if there was no answer.
    func ask(_ call: String, _ kind: Kind, id: String, mounts: Int = 1) async throws -> JSONValue? {
        let socket = socket(kind)
        var request: JSONObject = ["ID": .string(id)]
        if call == "Attach" { request["Mounts"] = kind.mounts(mounts) }
        let body = JSONValue.object(request).encoded()
        return try await blocking {
            guard let descriptor = UnixSocket.connection(to: socket) else { return nil }
            defer { close(descriptor) }
            var time = timeval(tv_sec: 60, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
            var connection = HTTPConnection(descriptor)
            let header =
                "POST /MountPointPlugin.MountPoint\(call) HTTP/1.1\r\nHost: plugin\r\nContent-Length: \(body.count)\r\n\r\n"
            return connection.write(Array(header.utf8) + body) ? connection.next()?.document : nil
        }
    }

    /// - Throws: `Trouble` unless it succeeds.
    @discardableResult
    func succeed(_ call: String, _ kind: Kind, id: String, mounts: Int = 1) async throws -> JSONValue {
        let answer = try await ask(call, kind, id: id, mounts: mounts)
        guard let answer, answer["Success"] == true else { throw Trouble("\(call) of \(id): \(answer.map { "\($0)" } ?? "no answer")") }
        return answer
    }

    /// Verifies it with a mount that it takes, and has it killed and started again meanwhile. None runs before and afterwards.
    ///
    /// - Returns: the report in JSON.
    func verify(_ kind: Kind) async throws -> JSONValue {
        try host.write(kind.settings, to: "\(Self.folder)/etc/\(kind.name).json")
        let (restart, number) = (Self.folder + "/restart", Self.folder + "/number")
        let (environment, socket) = (Self.environment.map { "\($0)=\($1)" }, "\(Self.folder)/sockets/\(kind.name).sock")
        let script = """
            #!/bin/bash
            if [ -e \(number) ]; then kill -9 $(cat \(number)); fi
            rm -f \(socket)
            # Whoever waits for this script waits for all that has what it was given open.
            (for file in /proc/$BASHPID/fd/*; do [ ${file##*/} -le 2 ] || eval "exec ${file##*/}>&-"; done
              exec env \(environment.joined(separator: " ")) \(Programs.plugin) \(kind.name)) </dev/null >>\(host.scratch)/plugin.log 2>&1 &
            echo $! >\(number)
            for ((tries = 0; tries < 1000; tries++)); do [ ! -S \(socket) ] || exit 0; sleep 0.02; done
            exit 1
            """
        try host.write(script, to: restart)
        let started = try await host.run(["bash", restart])
        guard started.status == 0 else { throw Trouble("\(kind) does not start: \(started), \(log)") }
        guard let mount = kind.mounts().arrayValue?.first else { throw Trouble("\(kind) has no mount") }
        let done = try await host.run(
            [
                Programs.plugin, "verify", "unix://" + socket, "--report", "json", "--mount", "\(mount)", "--cycles", "100",
                "--restart-command", "/bin/bash \(restart)",
            ], limit: 600)
        _ = try await host.run(["bash", "-c", "kill -9 $(cat \(number)); rm -f \(socket)"])
        guard let report = try? JSONValue(parsing: done.output) else { throw Trouble("\(kind): \(done)") }
        return report
    }

    // MARK: The host

    /// As mountpoint-runc does it before it asks plugins, and when all have been asked to detach.
    func setRunning(_ id: String, _ isRunning: Bool) throws {
        let folder = host.path("\(Self.folder)/run/containers/default/\(id)")
        if isRunning {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } else {
            try? FileManager.default.removeItem(atPath: folder)
        }
    }

    /// Carries out a plugin's emergency actions; what they are about may be gone by then.
    func performEmergency(_ answer: JSONValue) async throws {
        for attachment in answer["Attachments"]?.arrayValue ?? [] {
            for action in attachment["EmergencyDetach"]?.arrayValue ?? [] {
                if let place = action["Unmount"]?.stringValue { _ = try await host.run(["umount", place]) }
                if let place = action["Remove"]?.stringValue { _ = try await host.run(["bash", "-c", "rmdir \(place) || rm \(place)"]) }
            }
        }
    }

    /// Makes the source what it is at first.
    func makeSource() async throws {
        let script = """
            set -e; cd \(Self.source); find . -mindepth 1 -delete; mkdir in; echo text >file; chown -R 1000:1000 .; chmod 0755 . in
            """
        let made = try await host.run(["bash", "-c", script])
        guard made.status == 0 else { throw Trouble("\(made)") }
    }

    /// Does what the container does.
    ///
    /// - Parameter answer: to its Attach.
    func work(_ kind: Kind, on answer: JSONValue) async throws {
        guard let work = kind.work else { return }
        let shown = answer["Attachments"]?.arrayValue?.first?["Changes"]?["EffectiveSource"]?.stringValue
        let done = try await host.run(["bash", "-e", "-c", work, shown ?? kind.source])
        guard done.status == 0 else { throw Trouble("\(kind): \(done)") }
    }

    /// Commits what is kept of a container that was to be committed.
    func commitKept(_ kind: Kind) async throws {
        guard kind.name == "copy-on-write" else { return }
        let environment = ["env"] + Self.environment.map { "\($0)=\($1)" }
        for name in host.names(in: Self.state + "/copy-on-write/changes") {
            let done = try await host.run(environment + [Programs.plugin, kind.name, "commit", name])
            guard done.status == 0 else { throw Trouble("\(kind): \(done)") }
        }
    }

    func snapshot() async throws -> Snapshot {
        let script = "cd $0; find . -printf '%p %y %U %G %m %n\\n' | sort; find . -type f | sort | xargs --no-run-if-empty head -v"
        let source = try await host.run(["bash", "-c", script, Self.source])
        return Snapshot(
            mounts: try host.mountPoints(below: "/run").sorted(),
            files: host.paths(below: Self.state).filter { $0.contains("/") && $0 != "copy-on-write/changes" }.sorted(),
            source: source.output)
    }
}

extension Programs {
    /// The plugins' program, of the same build as ``daemon``.
    static var plugin: String {
        let beside = URL(fileURLWithPath: daemon).deletingLastPathComponent().path + "/mountpoint-plugin"
        return FileManager.default.isExecutableFile(atPath: beside) ? beside : folder + "/mountpoint-plugin"
    }
}
