// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import TestSupport
import Testing

extension OwnEngineTests {
    /// SECURITY.md's table, row by row: which ways ask nobody though the runtime is the default, which ones ask, and that an authorization
    /// plugin closes the first.
    @Suite("Other ways in")
    struct OtherWaysIn {
        /// Docker with the runtime as the default, and a plugin that refuses every mount.
        private func withDefault(
            _ settings: Dockerd.Settings = .init(), extraSettings: JSONObject = [:],
            prepare: @Sendable (PrivateHost) async throws -> Void = { _ in }, _ body: (Scenario) async throws -> Void
        ) async throws {
            var extra: JSONObject = ["default-runtime": "mountpoint"]
            for member in extraSettings.members { extra[member.key] = member.value }
            try await RuntimeHost.with(settings, extraSettings: extra, prepare: prepare) { host in
                try await Scenario.run(on: host, ["first"]) { scenario in
                    scenario["first"].when(.attach, .refusal("not in this house"))
                    try await body(scenario)
                }
            }
        }

        /// `docker build` of a Dockerfile whose command says something.
        ///
        /// - Parameter buildKit: what the client's environment says; nil leaves the choice to the client.
        private func build(_ lines: String, buildKit: Bool?, _ scenario: Scenario) async throws -> CommandResult {
            let folder = scenario.host.scratch + "/context"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try "FROM busybox\n\(lines)\n".write(toFile: folder + "/Dockerfile", atomically: true, encoding: .utf8)
            var environment = ["DOCKER_CONFIG": scenario.host.scratch]
            if let buildKit { environment["DOCKER_BUILDKIT"] = buildKit ? "1" : "0" }
            return try await command(
                scenario.dockerd.client + ["build", "--no-cache", "--network", "none", "--force-rm", folder], environment: environment)
        }

        private static let says = "RUN echo built-$((40 + 2))"

        @Test("A runtime that the user names, docker cp, a device, the host's processes: nobody is asked")
        func nobodyIsAsked() async throws {
            try await withDefault { scenario in
                let options = ["--network", "none"] + (try scenario.binds("a"))
                let denied = try await scenario.failingDocker(["run", "--rm"] + options + ["busybox", "cat", "/a/who"])
                #expect(denied.contains("not in this house"))
                let asked = scenario.log.calls.count

                let output = try await scenario.docker(
                    ["run", "--name", "past", "--runtime", "runc"] + options + ["busybox", "cat", "/a/who"])
                #expect(output == "a")
                let copy = scenario.host.scratch + "/copied-who"
                try await scenario.docker("cp", "past:/a/who", copy)
                #expect(scenario.host.contents(of: copy) == "a\n")

                let disk = try scenario.folder("disk") + "/who"
                try scenario.host.write(String(repeating: "disk\n", count: 4096), to: disk)
                let loop = try await scenario.host.run(["losetup", "--find", "--show", disk]).output.trimmingCharacters(in: .newlines)
                try #require(loop.hasPrefix("/dev/loop") && !loop.contains(":"), "\(loop)")
                let read = try await scenario.runDocker(
                    ["run", "--rm", "--network", "none", "--device", loop + ":/dev/disk", "busybox", "head", "-n", "1", "/dev/disk"])
                _ = try await scenario.host.run(["losetup", "--detach", loop])
                #expect(read.output == "disk\n", "\(loop) \(read)")

                let place = "/proc/1/root" + (try scenario.folder("a")) + "/who"
                let processes = try await scenario.docker(
                    "run", "--rm", "--network", "none", "--cap-add", "SYS_PTRACE", "--pid", "host", "busybox", "cat", place)
                #expect(processes == "a")
                #expect(scenario.log.calls.count == asked)
            }
        }

        @Test("The mounts of another container: the plugin is asked")
        func volumesFrom() async throws {
            try await withDefault { scenario in
                try await scenario.docker(
                    ["create", "--name", "giver", "--volume", "kept:/kept"] + scenario.binds("a") + ["busybox", "true"])
                let denied = try await scenario.failingDocker(
                    "run", "--rm", "--network", "none", "--volumes-from", "giver", "busybox", "cat", "/a/who")
                #expect(denied.contains("not in this house"))
                let mounts = scenario.log.calls(.attach).flatMap(\.mounts).compactMap { $0["Destination"]?.stringValue }
                #expect(mounts.sorted() == ["/a", "/kept"])
            }
        }

        /// dockerd takes both kinds of build from whom asks for them, whatever its settings say.
        @Test("A build with BuildKit runs its commands past the runtime, one of the old builder does not", arguments: [nil, false])
        func builds(setting: Bool?) async throws {
            let extra: JSONObject = setting.map { ["features": ["buildkit": .bool($0)]] } ?? [:]
            try await withDefault(extraSettings: extra) { scenario in
                // A command does not run if the default runtime cannot, so that says who has run it.
                try scenario.runtimeHost.write(settings: ["no-such-key": true])
                let past = try await build(Self.says, buildKit: true, scenario)
                #expect(past.status == 0 && past.output.contains("built-42"), "\(past)")
                for choice in [nil, false] as [Bool?] {
                    let stopped = try await build(Self.says, buildKit: choice, scenario)
                    #expect(stopped.status != 0 && stopped.output.contains("no-such-key"), "\(stopped)")
                }
                try scenario.setChain(["first"])
                let passed = try await build(Self.says, buildKit: false, scenario)
                #expect(passed.status == 0 && passed.output.contains("built-42"), "\(passed)")
                #expect(scenario.log.calls(.attach).isEmpty, "it has no mounts")
                let denied = try await build("VOLUME /kept\n" + Self.says, buildKit: false, scenario)
                #expect(denied.status != 0 && denied.output.contains("not in this house"), "\(denied)")
                #expect(scenario.log.calls(.attach).flatMap(\.mounts).map { $0["Destination"] } == ["/kept"])
                try await scenario.docker("image", "prune", "--force")
                _ = scenario.host.removeEmptyControlGroups(named: "buildkit")
            }
        }

        // MARK: An authorization plugin

        /// Requests for a container with plain runc, in spellings that Docker takes.
        private static let requests: [String] = [
            #"{"Image":"busybox","Cmd":["true"],"HostConfig":{"Runtime":"runc"}}"#,
            #"{"Image":"busybox","Cmd":["true"],"hostconfig":{"RUNTIME":"runc"}}"#,
            #"{"Image":"busybox","Cmd":["true"],"Ho\u017ftConfig":{"Runtime":"runc"}}"#,
            #"{"Image":"busybox","Cmd":["true"],"HostConfig":{"Runtime":"runc"},"HostConfig":{"NetworkMode":"none"}}"#,
            #"{"Image":"busybox","Cmd":["true"],"Labels":{"long":""# + String(repeating: "x", count: 1 << 20)
                + #""},"HostConfig":{"Runtime":"runc"}}"#,
        ]

        /// - Returns: the first line of Docker's answer, and its body.
        private func create(_ name: String, _ request: String, _ scenario: Scenario) throws -> (String, String) {
            guard let descriptor = UnixSocket.connection(to: scenario.dockerd.socket) else { throw Trouble("Docker does not listen") }
            defer { close(descriptor) }
            var connection = HTTPConnection(descriptor)
            let head = "POST /v1.41/containers/create?name=\(name) HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
            _ = connection.write(Array("\(head)Content-Length: \(request.utf8.count)\r\n\r\n\(request)".utf8))
            guard let answer = connection.next() else { throw Trouble("Docker closes the connection") }
            return (answer.firstLine, String(decoding: answer.body, as: UTF8.self))
        }

        @Test("Docker takes a runtime in any of these spellings")
        func spellings() async throws {
            try await withDefault { scenario in
                for (index, request) in Self.requests.enumerated() {
                    let (status, body) = try create("spelled-\(index)", request, scenario)
                    #expect(status.contains("201"), "\(request.prefix(200)): \(body)")
                    let container = try await scenario.inspect("container", "spelled-\(index)")
                    #expect(container["HostConfig"]?["Runtime"] == "runc", "\(request.prefix(200))")
                }
            }
        }

        @Test("An authorization plugin closes them, and leaves the others open")
        func authorization() async throws {
            let settings = Dockerd.Settings(words: ["--authorization-plugin", AuthorizationPlugin.name])
            try await withDefault(settings, prepare: { try await AuthorizationPlugin.start(on: $0) }) { scenario in
                let options = ["--network", "none"] + (try scenario.binds("a"))
                for words in [
                    ["--runtime", "runc"], ["--runtime", "io.containerd.runc.v2"], ["--device", "/dev/null"], ["--privileged"],
                    ["--pid", "host"],
                ] {
                    let denied = try await scenario.failingDocker(["run", "--rm"] + words + options + ["busybox", "true"])
                    #expect(denied.contains("the house denies"), "\(words)")
                }
                for request in Self.requests {
                    let (status, body) = try create("spelled", request, scenario)
                    #expect(status.contains("403") && body.contains("the house denies"), "\(request.prefix(200)): \(status) \(body)")
                }
                let past = try await build(Self.says, buildKit: true, scenario)
                #expect(past.status != 0 && past.output.contains("received 403"), "\(past)")
                let old = try await build(Self.says, buildKit: false, scenario)
                #expect(old.status == 0 && old.output.contains("built-42"), "\(old)")
                #expect(scenario.log.calls(.attach).isEmpty)

                let asked = try await scenario.failingDocker(["run", "--rm"] + options + ["busybox", "true"])
                #expect(asked.contains("not in this house"))
                scenario["first"].when(.attach, .attachments(["Attach": true]))
                #expect(try await scenario.docker(["run", "--name", "in"] + options + ["busybox", "cat", "/a/who"]) == "a")
                let copied = try await scenario.failingDocker("cp", "in:/a/who", scenario.host.scratch + "/never")
                #expect(copied.contains("the house denies docker cp"))
                try await scenario.docker("image", "prune", "--force")
            }
        }
    }
}
