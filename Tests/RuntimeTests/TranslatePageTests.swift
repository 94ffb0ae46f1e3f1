// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("Paths that are meant elsewhere")
    struct Translate {
        /// On a `/srv` that only this test sees.
        @Test("translate: the example of its page as it stands; dockerd's folders are gone afterwards")
        func page() async throws {
            let page = try String(contentsOfFile: Repository.root + "/Docs/plugins/translate.md", encoding: .utf8)
            let settings = try #require(page.firstMatch(of: /<!-- example: translate\.json -->\n```json\n([^`]*)```/)?.output.1)
            let commands = try #require(page.firstMatch(of: /<!-- example: run -->\n```bash\n([^`]*)```/)?.output.1).split(separator: "\n")
            let expected = page.matches(of: /<!-- expect: ([0-9]+) ?(.*) -->/).map {
                (status: Int32($0.output.1), text: String($0.output.2))
            }
            #expect(commands.count == expected.count && !commands.isEmpty)
            try await Scenario.run { scenario in
                let host = scenario.host
                let files = """
                    mount -t tmpfs tmpfs /srv && mkdir -p /srv/work/project /srv/windows/Users/Me &&
                    echo of the project > /srv/work/project/file && echo of Windows > /srv/windows/Users/Me/file
                    """
                _ = try await host.run(["sh", "-c", files])
                try await ServedPlugin.run("translate", settings: String(settings), in: scenario) {
                    for (command, expected) in zip(commands, expected) {
                        let words = command.replacing("alpine", with: "busybox").split(separator: " ").dropFirst().map(String.init)
                        let result = try await scenario.runDocker(words)
                        #expect(
                            result.status == expected.status && (expected.text.isEmpty || result.output.contains(expected.text)),
                            "\(command): \(result)")
                    }
                    #expect(try host.mountPoints(below: ServedPlugin.state) == [])
                    let left = try await host.run(["sh", "-c", "ls -d /c /__w/project 2>/dev/null || true"])
                    #expect(left.output == "", "\(left)")
                }
                _ = try await host.run(["umount", "--lazy", "/srv"])
            }
        }
    }
}
