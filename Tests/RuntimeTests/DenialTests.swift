// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("A plugin says no")
    struct Denial {
        /// Their messages come after `middleware plugin:second failed with error: `.
        static let cases: [ReplyCase] = [
            ReplyCase(testDescription: "Success false", reply: .failure("not in this house"), message: "not in this house"),
            ReplyCase(
                testDescription: "status 500 with Err", reply: .refusal("not in this house"),
                message: "MountPointPlugin.MountPointAttach: not in this house"),
            ReplyCase(
                testDescription: "status 500 with plain text",
                reply: .error(status: 500, type: "text/plain; charset=utf-8", body: "not in this house\n"),
                message: "MountPointPlugin.MountPointAttach: not in this house"),
            ReplyCase(
                testDescription: "status 403 with Err",
                reply: .error(status: 403, type: "application/json", body: #"{"Err":"not in this house"}"#),
                message: "MountPointPlugin.MountPointAttach: not in this house"),
            ReplyCase(
                testDescription: "quotes and other letters", reply: .failure(#"„no“ says "dad" to \ and é"#),
                message: #"„no“ says "dad" to \ and é"#),
            ReplyCase(
                testDescription: "Success false with attachments",
                reply: .answer(["Success": false, "Err": "no", "Attachments": [["Attach": true]]]), message: "no"),
        ]

        @Test("docker run says so in the plugin's words; what was attached is undone; nothing starts", arguments: cases)
        func denial(_ denial: ReplyCase) async throws {
            try await Scenario.run("first", "second", "third") { scenario in
                scenario["second"].when(.attach, denial.reply)
                let result = try await scenario.run(["--name", "box"] + scenario.binds("a"), script: "echo started; touch /a/started")
                #expect(result.status == 125, "\(result)")
                #expect(
                    result.output.contains("middleware plugin:second failed with error: \(denial.message): unknown."), "\(result.output)")
                #expect(!result.output.contains("started") && !result.output.contains("goroutine"), "\(result.output)")
                #expect(try await scenario.inspect("container", "box")["State"]?["Status"] == "created")
                let source = try scenario.folder("a")
                #expect(scenario.host.contents(of: source + "/started") == nil)
                #expect(scenario.log.containerLines == ["first Attach \(source)", "second Attach \(source)", "first Detach"])

                scenario["second"].when(.attach, .attachments(["Attach": true]))
                let second = try await scenario.docker("start", "--attach", "box")
                #expect(second == "started", "the same container starts once the plugin agrees")
                #expect(scenario.host.contents(of: source + "/started") == "")
            }
        }

        @Test("The message is one line of Docker's and the plugin's words, nothing else")
        func wholeMessage() async throws {
            try await Scenario.run("first") { scenario in
                scenario["first"].when(.attach, .refusal("path is off limits"))
                let result = try await scenario.run(scenario.binds("a"), script: "true")
                let message = "middleware plugin:first failed with error: MountPointPlugin.MountPointAttach: path is off limits"
                let expected = try Regex(
                    #"docker: Error response from daemon: (failed to create shim task: |failed to create shim: )?"#
                        + #"OCI runtime create failed: \#(message): unknown\.\n"#)
                #expect(try expected.wholeMatch(in: Client.withoutWaiting(result.output)) != nil, "\(result.output)")
            }
        }

        @Test("A detach that fails while a denial is undone is told as well")
        func detachFailsToo() async throws {
            try await Scenario.run("first", "second", "third") { scenario in
                scenario["second"].when(.detach, .failure("stuck", recoverable: true))
                scenario["third"].when(.attach, .failure("no"))
                let result = try await scenario.run(scenario.binds("a"), script: "true")
                #expect(result.status == 125 && result.output.contains("middleware plugin:third failed with error: no"), "\(result)")
                #expect(result.output.contains("stuck"), "both are told: \(result.output)")
                #expect(scenario.log.containerLines.suffix(2) == ["second Detach", "first Detach"])
            }
        }

        @Test("The first of the chain denies: nobody is told to detach")
        func firstDenies() async throws {
            try await Scenario.run("first", "second") { scenario in
                scenario["first"].when(.attach, .failure("no"))
                let result = try await scenario.run(scenario.binds("a"), script: "true")
                #expect(result.status == 125, "\(result)")
                #expect(scenario.log.containerLines == ["first Attach \(try scenario.folder("a"))"])
            }
        }

        @Test("A very long and a many-lined message survive as far as they can be printed")
        func longMessage() async throws {
            try await Scenario.run("first") { scenario in
                scenario["first"].when(.attach, .failure("line one\nline two\t" + String(repeating: "x", count: 5000) + " end"))
                let result = try await scenario.run(scenario.binds("a"), script: "true")
                #expect(result.status == 125, "\(result)")
                #expect(result.output.contains("plugin:first failed with error: line one"), "\(result.output.prefix(500))")
                #expect(result.output.contains("line two") && result.output.contains("xxx"), "\(result.output.prefix(500))")
            }
        }

        @Test("The runtime below refuses: all that was attached is undone, and its words are Docker's")
        func runtimeFails() async throws {
            try await Scenario.run("first", "second") { scenario in
                let words = try ["--name", "box"] + scenario.binds("a")
                let plain = try await scenario.runDocker(
                    ["run", "--rm", "--network", "none"] + scenario.binds("a") + ["busybox", "/no/such/program"])
                let result = try await scenario.runDocker(
                    ["run", "--runtime", "mountpoint", "--network", "none"] + words + ["busybox", "/no/such/program"])
                #expect(result.status == 127 && result.status == plain.status, "\(result)")
                #expect(result.output.contains(#"exec: "/no/such/program": stat /no/such/program: no such file or directory"#), "\(result)")
                let source = try scenario.folder("a")
                #expect(
                    scenario.log.containerLines == [
                        "first Attach \(source)", "second Attach \(source)", "second Detach", "first Detach",
                    ])
            }
        }
    }
}
