// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import TestSupport
import Testing

extension SharedEngineTests.Origins {
    private static let denial = #"{"rules": [{"action": "deny", "source": ["\#(secret)"], "reason": "it is secret"}]}"#

    private func withPolicy(
        _ settings: String = denial, before: [String] = [], _ body: (Scenario) async throws -> Void
    ) async throws {
        try await Scenario.run { scenario in
            for folder in ["above/secret", "above/secret/in", "beside/other"] { _ = try scenario.folder(folder) }
            for name in before { try await scenario.serve(name) }
            try await ServedPlugin.run("policy", settings: settings, before: before, in: scenario) { try await body(scenario) }
        }
    }

    @Test("policy denies a place, whatever the way", arguments: ways)
    func isDeniedByPolicy(_ way: Way) async throws {
        try await withPolicy { scenario in
            try await with(way.commands, mounts: way.mounts, in: scenario) {
                if !way.volume.isEmpty {
                    try await scenario.docker(["volume", "create"] + way.volume.flatMap { ["--opt", Self.filled($0)] } + ["named"])
                }
                let result = try await scenario.run(["-v", "\(Self.filled(way.source)):/a:ro"], script: "cat /a/who")
                #expect(
                    result.status == 125 && result.output.contains("middleware plugin:policy failed with error: /a would show"), "\(result)"
                )
                #expect(result.output.contains("(rule 1)"), "\(result)")
            }
        }
    }

    @Test("policy sees what is mounted below a source, and what a plugin before it has mounted in its place")
    func policyLooksBelow() async throws {
        try await withPolicy(before: ["second"]) { scenario in
            try await with(
                [["mkdir", "DATA/other/in"], ["mount", "--bind", "SECRET", "DATA/other/in"]], mounts: ["DATA/other/in"], in: scenario
            ) {
                let result = try await scenario.run(["-v", "\(Self.data)/other:/a"], script: "cat /a/in/who")
                #expect(result.status == 125 && result.output.contains("/a would show \(Self.secret): it is secret (rule 1)"), "\(result)")
            }
            try await with([], mounts: ["DATA/other"], in: scenario) {
                let hold = scenario["second"].hold(.attach)
                async let run = scenario.run(["-v", "\(Self.data)/other:/a"], script: "cat /a/who")
                try await hold.isReached()
                _ = try await scenario.host.run(["mount", "--bind", Self.secret, "\(Self.data)/other"])
                hold.release()
                let result = try await run
                #expect(result.status == 125 && result.output.contains("it is secret"), "\(result)")
            }
        }
    }

    @Test("While a link is turned round, no container sees what the policy denies")
    func policyHoldsAgainstARace() async throws {
        try await withPolicy { scenario in
            let turning = try scenario.host.start(
                [
                    "sh", "-c",
                    "cd \(Self.data) && while [ ! -e stop ]; do ln -sfn \(Self.secret) l.new && mv -T l.new l; ln -sfn other l.new && mv -T l.new l; done",
                ], log: "turning.log")
            for _ in 0..<8 {
                let result = try await scenario.run(["--rm", "-v", "\(Self.data)/l:/a:ro"], script: "cat /a/who")
                #expect(result.output == "beside/other\n" || result.output.contains("it is secret"), "\(result)")
            }
            try scenario.host.write("", to: "\(Self.data)/stop")
            _ = try await turning.end(within: .seconds(10))
        }
    }

    @Test("policy makes mounts read-only, lets others alone, forgets all at the end, and its log has what was denied")
    func policyMakesReadOnly() async throws {
        let settings = #"""
            {"rules": [{"action": "deny", "image": "busybox*", "source": ["\#(Self.secret)"]},
                       {"action": "read-only", "source": ["\#(Self.data)"]},
                       {"action": "deny", "type": "volume", "options": {"type": "tmpfs"}, "reason": "no tmpfs"}]}
            """#
        try await withPolicy(settings) { scenario in
            let host = scenario.host
            let container = try await scenario.start("web", ["-v", "\(Self.data)/other:/m", "-v", "plain:/v"])
            let tried = try await scenario.runDocker(["exec", "web", "sh", "-c", "touch /v/x && ! touch /m/x"])
            #expect(tried.status == 0, "\(tried)")
            let status = try await ServedPlugin.command(["status", "web"], on: host)
            #expect(status.output.contains("policy: container web (\(container.prefix(12)))"), "\(status)")
            #expect(status.output.contains("  /m: \(Self.data)/other [rule 2]"), "\(status)")
            #expect(try await scenario.stop("web") == 0)
            #expect(host.names(in: ServedPlugin.state + "/policy") == [])
            try await scenario.docker("volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "ram")
            let denied = try await scenario.run(["-v", "ram:/r"], script: "true")
            #expect(denied.status == 125 && denied.output.contains("no tmpfs (rule 3)"), "\(denied)")
            let log = try await ServedPlugin.command(["policy", "log"], on: host)
            #expect(log.output.contains(" of busybox: /r (volume ram) is not allowed: no tmpfs (rule 3)"), "\(log)")
            let check = try await ServedPlugin.command(
                ["policy", "check", "-v", "\(Self.secret):/s", "-v", "ram:/r", "--image", "busybox"], on: host)
            #expect(check.status == 1 && check.output.contains("denied by rule 1") && check.output.contains("denied by rule 3"), "\(check)")
        }
    }

    @Test("A policy that was killed is away, and its containers start again when it is back; what runs is detached")
    func policyIsKilled() async throws {
        try await withPolicy(#"{"rules": [{"action": "read-only", "source": ["\#(Self.data)"]}]}"#) { scenario in
            let host = scenario.host
            try await scenario.start("web", ["-v", "\(Self.data)/other:/m"])
            for process in host.processes() where process.name.hasPrefix("mountpoint-plug") { try await host.signal(SIGKILL, process.id) }
            let again = try await ServedPlugin.start("policy", on: host)
            #expect(host.names(in: ServedPlugin.state + "/policy").count == 1)
            #expect(try await scenario.stop("web") == 0)
            #expect(host.names(in: ServedPlugin.state + "/policy") == [])
            try await ServedPlugin.end(again, on: host)
        }
    }
}
