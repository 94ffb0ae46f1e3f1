// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("A guarded place by another name")
    struct Origins {
        /// One more name for a folder. In all words, SECRET is the guarded folder, ABOVE the one that it is in, and DATA one besides.
        struct Way: Sendable, CustomTestStringConvertible {
            var testDescription: String
            /// Run on the host, one after the other.
            var commands: [[String]] = []
            /// Mount points that they have made.
            var mounts: [String] = []
            /// What a local volume `named` is made with.
            var volume: [String] = []
            var source = "named"
        }

        static let ways: [Way] = [
            Way(testDescription: "its own", source: "SECRET"),
            Way(testDescription: "a folder in it", source: "SECRET/in"),
            Way(testDescription: "the folder above it", source: "ABOVE"),
            Way(testDescription: "the whole file system", source: "/run"),
            Way(testDescription: "a link", commands: [["ln", "-s", "SECRET", "DATA/link"]], source: "DATA/link/in"),
            Way(testDescription: "a volume with a device", volume: ["type=none", "o=bind", "device=SECRET"]),
            Way(testDescription: "a volume whose device is in it", volume: ["type=none", "o=bind", "device=SECRET/in"]),
            Way(testDescription: "a volume whose device is above it", volume: ["type=none", "o=bind", "device=ABOVE"]),
            Way(
                testDescription: "a volume whose device is a link", commands: [["ln", "-s", "SECRET", "DATA/link"]],
                volume: ["type=none", "o=bind", "device=DATA/link"]),
            Way(
                testDescription: "a volume with it as a layer",
                volume: ["type=overlay", "o=lowerdir=DATA/other:SECRET", "device=overlay"]),
            Way(
                testDescription: "a volume with a link to it as a layer", commands: [["ln", "-s", "SECRET", "DATA/link"]],
                volume: ["type=overlay", "o=lowerdir=DATA/link:DATA/other", "device=overlay"]),
            Way(
                testDescription: "a volume with the folder above it as a layer",
                volume: ["type=overlay", "o=lowerdir=ABOVE:DATA/other", "device=overlay"]),
            Way(
                testDescription: "a bind by hand", commands: [["mkdir", "DATA/a b"], ["mount", "--bind", "SECRET", "DATA/a b"]],
                mounts: ["DATA/a b"], source: "DATA/a b/in"),
            Way(
                testDescription: "a bind of a bind",
                commands: [
                    ["mkdir", "DATA/one", "DATA/two"], ["mount", "--bind", "ABOVE", "DATA/one"],
                    ["mount", "--bind", "DATA/one/secret", "DATA/two"],
                ], mounts: ["DATA/one", "DATA/two"], source: "DATA/two"),
            Way(
                testDescription: "a bind of a single file",
                commands: [["touch", "DATA/file"], ["mount", "--bind", "SECRET/who", "DATA/file"]], mounts: ["DATA/file"],
                source: "DATA/file"),
            Way(
                testDescription: "the file system a second time",
                commands: [["mkdir", "DATA/again"], ["mount", "--bind", "/run", "DATA/again"]], mounts: ["DATA/again"],
                source: "DATA/again/test/data/above/secret"),
            // As Docker 26 does for volume-subpath.
            Way(
                testDescription: "Docker's safe mount",
                commands: [
                    ["mkdir", "-p", "\(Dockerd.dataRoot)/tmp/safe-mount1"],
                    ["mount", "--bind", "SECRET", "\(Dockerd.dataRoot)/tmp/safe-mount1"],
                ], mounts: ["\(Dockerd.dataRoot)/tmp/safe-mount1"], source: "\(Dockerd.dataRoot)/tmp/safe-mount1"),
            // As buildah does for its -v.
            Way(
                testDescription: "buildah's bind target",
                commands: [
                    ["mkdir", "-p", "DATA/buildah1/mnt/buildah-bind-target-0"],
                    ["mount", "--rbind", "SECRET", "DATA/buildah1/mnt/buildah-bind-target-0"],
                ], mounts: ["DATA/buildah1/mnt/buildah-bind-target-0"], source: "DATA/buildah1/mnt/buildah-bind-target-0"),
        ]

        static let above = RuntimeHost.dataFolder + "/above"
        static let secret = above + "/secret"
        static let data = RuntimeHost.dataFolder + "/beside"

        static func filled(_ text: String) -> String {
            text.replacing("SECRET", with: secret).replacing("ABOVE", with: above).replacing("DATA", with: data)
        }

        /// Makes the folders, and a guard as Docs/mountpoint-runc.md advises.
        private func withGuard(_ chain: [String] = ["first"], _ body: (Scenario) async throws -> Void) async throws {
            try await Scenario.run("first", "second") { scenario in
                for folder in ["above/secret", "above/secret/in", "beside/other"] { _ = try scenario.folder(folder) }
                let patterns: JSONValue = [
                    ["Origin": [["PathPrefix": .string(Self.secret)]]], ["Origin": [["PathContains": .string(Self.secret)]]],
                ]
                let guardian = chain.last ?? ""
                try await scenario.serve(guardian, patterns: patterns)
                scenario[guardian].when(.attach, .failure("it is guarded"))
                try scenario.setChain(chain)
                try await body(scenario)
            }
        }

        /// Runs commands on the host and unmounts what they have mounted afterwards.
        func with(_ commands: [[String]], mounts: [String], in scenario: Scenario, _ body: () async throws -> Void) async throws {
            var failure: (any Error)?
            do {
                for command in commands {
                    let result = try await scenario.host.run(command.map(Self.filled))
                    if result.status != 0 { throw Trouble("\(command): \(result)") }
                }
                try await body()
            } catch {
                failure = error
            }
            for mount in mounts.reversed() { _ = try await scenario.host.run(["umount", "--lazy", Self.filled(mount)]) }
            if let failure { throw failure }
        }

        @Test("A guard that asks by Origin is asked, whatever the way", arguments: ways)
        func isGuarded(_ way: Way) async throws {
            try await withGuard { scenario in
                try await with(way.commands, mounts: way.mounts, in: scenario) {
                    if !way.volume.isEmpty {
                        try await scenario.docker(
                            ["volume", "create"] + way.volume.flatMap { ["--opt", Self.filled($0)] } + ["named"])
                    }
                    let result = try await scenario.run(["-v", "\(Self.filled(way.source)):/a:ro"], script: "cat /a/who")
                    #expect(result.status == 125 && result.output.contains("it is guarded"), "\(result)")
                    let mount = try #require(scenario.log.calls(.attach).last?.mounts.first)
                    let origin = (mount["Origin"]?.arrayValue ?? []).compactMap(\.stringValue)
                    #expect(origin.first.map { .string($0) } == mount["EffectiveSource"], "\(mount)")
                }
            }
        }

        @Test("It is not asked about what lies beside, nor about a volume without options")
        func othersAreNotAsked() async throws {
            try await withGuard { scenario in
                let result = try await scenario.run(["-v", "\(Self.data)/other:/a", "-v", "plain:/b"], script: "cat /a/who")
                #expect(result.status == 0 && result.output == "beside/other\n", "\(result)")
                #expect(scenario.log.calls(.attach).isEmpty)
            }
        }

        /// On a `/srv` that only this test sees.
        @Test("The first plugin of Docs/writing-a-plugin.md is such a guard")
        func firstPlugin() async throws {
            try await Scenario.run("second") { scenario in
                let commands = [["mount", "-t", "tmpfs", "tmpfs", "/srv"], ["mkdir", "/srv/private", "/srv/data"]]
                try await with(commands, mounts: ["/srv"], in: scenario) {
                    try await withFirstPlugin(on: scenario.host) {
                        try scenario.setChain(["first"])
                        for (name, options) in [
                            "below": ["type=none", "o=bind", "device=/srv/private"], "above": ["type=none", "o=bind", "device=/srv"],
                            "layered": ["type=overlay", "o=lowerdir=/srv/private:/srv/data", "device=overlay"],
                        ] { try await scenario.docker(["volume", "create"] + options.flatMap { ["--opt", $0] } + [name]) }
                        for source in ["/srv/private", "/srv", "/", "below", "above", "layered"] {
                            let result = try await scenario.run(["-v", "\(source):/a:ro"], script: "true")
                            #expect(result.status == 125 && result.output.contains("it is private"), "\(source): \(result)")
                        }
                        let result = try await scenario.run(["-v", "/srv/data:/a"], script: "touch /a/done")
                        #expect(result.status == 0, "\(result)")
                    }
                }
            }
        }

        private func withFirstPlugin(on host: PrivateHost, _ body: () async throws -> Void) async throws {
            let page = try String(contentsOfFile: Repository.root + "/Docs/writing-a-plugin.md", encoding: .utf8)
            let program = try #require(page.firstMatch(of: /<!-- example: first\.py -->\n```python\n([^`]*)```/)?.output.1)
            let (file, number) = (PrivateHost.folder + "/first.py", PrivateHost.folder + "/first.pid")
            try host.write(String(program), to: file)
            let plugin = try host.start(["sh", "-c", "echo $$ > \(number); exec python3 \(file)"], log: "first.log")
            var failure: (any Error)?
            do {
                try await eventually("first.py listens", within: .seconds(20)) {
                    if plugin.hasEnded { throw Trouble("first.py has ended: \(host.log("first.log"))") }
                    return host.names(in: Dockerd.pluginFolder).contains("first.sock")
                }
                try await body()
            } catch {
                failure = error
            }
            _ = try await host.run(["sh", "-c", "kill $(cat \(number)); rm -f \(file) \(number) \(Dockerd.pluginFolder)/first.sock"])
            _ = try await plugin.end(within: .seconds(10))
            if let failure { throw failure }
        }

        @Test("It sees where the plugin before it has moved a mount to")
        func moved() async throws {
            try await withGuard(["second", "first"]) { scenario in
                let commands = [["mkdir", "DATA/bind"], ["mount", "--bind", "SECRET", "DATA/bind"]]
                try await with(commands, mounts: ["DATA/bind"], in: scenario) {
                    scenario["second"].attach(["/a": ["Attach": true, "Changes": ["EffectiveSource": .string("\(Self.data)/bind")]]])
                    let result = try await scenario.run(["-v", "\(Self.data)/other:/a"], script: "cat /a/who")
                    #expect(result.status == 125 && result.output.contains("it is guarded"), "\(result)")
                    #expect(scenario.log.calls(.detach).map(\.plugin) == ["second"])
                }
            }
        }

        @Test("And what the plugin before it has mounted where the source is")
        func movedInPlace() async throws {
            try await withGuard(["second", "first"]) { scenario in
                try await with([], mounts: ["DATA/other"], in: scenario) {
                    let hold = scenario["second"].hold(.attach)
                    async let run = scenario.run(["-v", "\(Self.data)/other:/a"], script: "cat /a/who")
                    try await hold.isReached()
                    let mounted = try await scenario.host.run(["mount", "--bind", Self.secret, "\(Self.data)/other"])
                    hold.release()
                    let result = try await run
                    #expect(mounted.status == 0, "\(mounted)")
                    #expect(result.status == 125 && result.output.contains("it is guarded"), "\(result)")
                }
            }
        }
    }
}
