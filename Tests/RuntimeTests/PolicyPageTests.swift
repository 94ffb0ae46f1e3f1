// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("The pages of the plugins that ship")
    struct PluginPages {
        /// On a `/srv` that only this test sees.
        @Test("policy: its settings as they stand, and what its commands say")
        func policy() async throws {
            let page = try String(contentsOfFile: Repository.root + "/Docs/plugins/policy.md", encoding: .utf8)
            let settings = try #require(page.firstMatch(of: /<!-- example: policy\.json -->\n```json\n([^`]*)```/)?.output.1)
            let commands = try #require(page.firstMatch(of: /<!-- example: run -->\n```bash\n([^`]*)```/)?.output.1).split(separator: "\n")
            let expected = page.matches(of: /<!-- expect: (.*) -->/).map { String($0.output.1) }
            #expect(commands.count == expected.count && !commands.isEmpty)
            try await Scenario.run { scenario in
                _ = try await scenario.host.run(["sh", "-c", "mount -t tmpfs tmpfs /srv && mkdir /srv/reference"])
                try await ServedPlugin.run("policy", settings: String(settings), in: scenario) {
                    for (command, text) in zip(commands, expected) {
                        let words = command.replacing("alpine", with: "busybox").split(separator: " ").dropFirst().map(String.init)
                        let result = try await scenario.runDocker(words)
                        #expect(result.status != 0 && result.output.contains(text), "\(command): \(result)")
                    }
                }
                _ = try await scenario.host.run(["umount", "--lazy", "/srv"])
            }
        }
    }
}
