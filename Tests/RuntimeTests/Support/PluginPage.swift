// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import TestSupport
import Testing

/// The examples of a page of Docs/plugins.
///
/// `<!-- example: KIND.json -->` stands before the settings, if there are any; `<!-- example: run -->` before commands of docker, one a
/// line; behind them a line `<!-- expect: STATUS TEXT -->` for each, with what it prints among other things.
struct PluginPage {
    private struct Example {
        var command: String
        var status: Int32
        var text: String
    }

    private let kind: String
    private let settings: String
    private let examples: [Example]

    init(_ kind: String) throws {
        self.kind = kind
        let page = try String(contentsOfFile: Repository.root + "/Docs/plugins/\(kind).md", encoding: .utf8)
        settings = page.firstMatch(of: /<!-- example: [a-z]+\.json -->\n```json\n([^`]*)```/).map { String($0.output.1) } ?? "{}"
        let block = try #require(page.firstMatch(of: /<!-- example: run -->\n```bash\n([^`]*)```/)).output.1
        let commands = block.replacing("\\\n", with: " ").split(separator: "\n")
        let expected = page.matches(of: /<!-- expect: ([0-9]+)( .*)? -->/)
        try #require(commands.count == expected.count && !commands.isEmpty, "\(kind): each command has its line of what to expect")
        examples = try zip(commands, expected).map { command, expected in
            Example(
                command: String(command), status: try #require(Int32(expected.output.1)),
                text: (expected.output.2 ?? "").trimmingCharacters(in: .whitespaces))
        }
    }

    /// Serves the plugin and does what the page says.
    ///
    /// - Parameters:
    ///   - folder: of the host; an empty one lies over it meanwhile, for this scenario alone.
    ///   - script: makes what the page presumes.
    ///   - body: looks at the outcome while the plugin is still served.
    func follow(
        in scenario: Scenario, over folder: String, after script: String, _ body: (PrivateHost) async throws -> Void = { _ in }
    ) async throws {
        let host = scenario.host
        _ = try await host.run(["sh", "-ec", "mount -t tmpfs tmpfs \(folder); \(script)"])
        try await ServedPlugin.run(kind, settings: settings, in: scenario) {
            for example in examples {
                let words = example.command.replacing("alpine", with: "busybox").split(separator: " ").map(String.init)
                let ofPlugin = words.first == "mountpoint-plugin"
                let arguments = Array(words.dropFirst())
                let result =
                    ofPlugin ? try await ServedPlugin.command(arguments, on: host) : try await scenario.runDocker(arguments)
                #expect(result.status == example.status, "\(example.command): \(result)")
                #expect(example.text.isEmpty || result.output.contains(example.text), "\(example.command): \(result)")
            }
            #expect(try host.mountPoints(below: ServedPlugin.state) == [])
            try await body(host)
        }
        _ = try await host.run(["umount", "--lazy", folder])
    }
}
