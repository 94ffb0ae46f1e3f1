// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("Sources are let go before plugins are asked to detach")
    struct SourceRelease {
        /// A plugin that mounts the new source, and unmounts it without force.
        private func withMountingPlugin(_ names: String..., body: (Scenario) async throws -> Void) async throws {
            guard let current = RuntimeHost.current else { throw Trouble("this test belongs into a suite with a runtimeHost") }
            try await Scenario.run(on: current, names) { scenario in
                let (host, place) = (scenario.host, try scenario.folder("made"))
                scenario["first"].when(.attach) { _ in
                    try host.runBlocking(["mount", "-t", "tmpfs", "first", place])
                    try host.write("made\n", to: place + "/who")
                    return .attachments(["Attach": true, "Changes": ["EffectiveSource": .string(place)]])
                }
                scenario["first"].when(.detach) { _ in
                    do {
                        try host.runBlocking(["umount", place])
                        return .success
                    } catch {
                        try host.runBlocking(["umount", "--lazy", place])
                        return .failure("\(error)")
                    }
                }
                try await body(scenario)
                let answers = scenario.log.entries.filter { $0.call.method == .detach && $0.call.plugin == "first" }.map(\.answer)
                #expect(!answers.isEmpty && answers.allSatisfy { $0?["Success"] == true }, "\(answers)")
            }
        }

        @Test("A container that Docker runs to its end, and one that cannot start")
        func docker() async throws {
            try await withMountingPlugin("first") { scenario in
                let result = try await scenario.run(scenario.binds("a"), script: "cat /a/who")
                #expect(result.status == 0 && result.output == "made\n", "\(result)")
                let failed = try await scenario.runDocker(
                    ["run", "--runtime", "mountpoint", "--network", "none"] + scenario.binds("a") + ["busybox", "no-such-command"])
                #expect(failed.status == 127, "\(failed)")
                #expect(scenario.log.calls(.detach).count == 2)
            }
        }

        @Test("A run in the foreground")
        func foreground() async throws {
            try await withMountingPlugin("first") { scenario in
                let bundle = try await HandBundle("foreground", in: scenario, script: "cat /a/who")
                defer { bundle.remove() }
                let result = try await bundle.runtime("run", "--bundle", bundle.path, bundle.id)
                #expect(result.status == 0 && result.output == "made\n", "\(result)")
            }
        }

        @Test("A denial by a later plugin")
        func denial() async throws {
            try await withMountingPlugin("first", "second") { scenario in
                scenario["second"].when(.attach, .refusal("not here"))
                let result = try await scenario.run(scenario.binds("a"), script: "true")
                #expect(result.status == 125 && result.output.contains("not here"), "\(result)")
            }
        }

        @Test("A container that is not started because a plugin refuses its mounts in place")
        func refusedInPlace() async throws {
            try await withMountingPlugin("first", "second") { scenario in
                try await scenario.serve("second", mounted: true)
                scenario["second"].when(.mounted, .failure("not so"))
                let result = try await scenario.run(scenario.binds("a"), script: "true")
                #expect(result.status == 125 && result.output.contains("not so"), "\(result)")
            }
        }
    }
}
