// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("Input that nobody should give")
    struct HostileInput {
        struct File: Sendable, CustomTestStringConvertible {
            var testDescription: String
            /// Makes config.json out of a good one.
            var make: @Sendable (String) -> [UInt8]

            init(_ description: String, _ make: @escaping @Sendable (String) -> [UInt8]) {
                (testDescription, self.make) = (description, make)
            }
        }

        static let files: [File] = [
            File("empty") { _ in [] },
            File("a blank") { _ in Array(" \n".utf8) },
            File("half of it") { Array($0.utf8.prefix($0.utf8.count / 2)) },
            File("all but the last byte") { Array($0.utf8.dropLast(2)) },
            File("something behind it") { Array(($0 + "}").utf8) },
            File("a list") { _ in Array("[1]".utf8) },
            File("a null") { _ in Array("null".utf8) },
            File("bytes that are not UTF-8") { Array($0.utf8.dropLast(2)) + Array(#","x":""#.utf8) + [0xff, 0xfe] + Array(#""}"#.utf8) },
            File("a zero byte") { Array($0.utf8) + [0] },
            File("mounts that are no list") { Array($0.replacing("\"mounts\":[", with: "\"mounts\":7,\"other\":[").utf8) },
            File("a mount that is no object") { Array($0.replacing("\"mounts\":[", with: "\"mounts\":[7,").utf8) },
            File("a mount whose source is a number") {
                Array(
                    $0.replacing("\"mounts\":[", with: #""mounts":[{"destination":"/x","type":"bind","source":7,"options":["bind"]},"#).utf8
                )
            },
            File("mounts twice") { Array(($0.dropLast(2) + #","mounts":[]}"#).utf8) },
            File("a hundred thousand lists in one another") { text in
                Array(text.utf8.dropLast(2)) + Array(#","x":"#.utf8) + [UInt8](repeating: 0x5b, count: 100_000)
            },
            File("64 MiB") {
                Array($0.utf8.dropLast(2)) + Array(#","x":""#.utf8) + [UInt8](repeating: 0x61, count: 64 << 20) + Array(#""}"#.utf8)
            },
        ]

        private func withBundle(_ body: (HandBundle) async throws -> Void) async throws {
            guard let host = RuntimeHost.current else { throw Trouble("this test belongs into a suite with a runtimeHost") }
            try await Scenario.run(on: host, ["first"]) { scenario in
                let bundle = try await HandBundle("hostile", in: scenario)
                defer { bundle.remove() }
                try await body(bundle)
            }
        }

        /// That nobody was asked and nothing was made.
        private func expectNothing(_ bundle: HandBundle, _ result: CommandResult, _ location: SourceLocation = #_sourceLocation)
            async throws
        {
            #expect(result.status != 0 && result.status < 124, "\(result)", sourceLocation: location)
            #expect(!result.output.isEmpty, "it says why", sourceLocation: location)
            #expect(bundle.scenario.log.containerLines == [], sourceLocation: location)
            #expect(bundle.host.names(in: HandBundle.root) == [], sourceLocation: location)
        }

        @Test("A config.json that is none is an error, and is left as it is", arguments: files)
        func configuration(_ file: File) async throws {
            try await withBundle { bundle in
                let bytes = file.make(bundle.host.contents(of: bundle.configurationFile) ?? "")
                let path = bundle.host.path(bundle.configurationFile)
                try Data(bytes).write(to: URL(fileURLWithPath: path))
                let result = try await bundle.runtime("create", "--bundle", bundle.path, "--pid-file", bundle.path + "/pid", bundle.id)
                try await expectNothing(bundle, result)
                #expect(FileManager.default.contents(atPath: path) == Data(bytes))
                #expect(bundle.host.names(in: bundle.path) == ["config.json"])
            }
        }

        @Test("What is no file at all", arguments: ["nothing", "folder", "fifo", "link to itself", "device"])
        func noFile(_ kind: String) async throws {
            try await withBundle { bundle in
                let file = bundle.configurationFile
                let commands = [
                    "nothing": "true", "folder": "mkdir \(file)", "fifo": "mkfifo \(file)", "link to itself": "ln -s config.json \(file)",
                    "device": "ln -s /dev/zero \(file)",
                ]
                _ = try await bundle.host.run(["sh", "-ec", "rm \(file); \(commands[kind]!)"])
                let result = try await bundle.runtime("create", "--bundle", bundle.path, bundle.id, within: .seconds(10))
                try await expectNothing(bundle, result)
            }
        }

        static let hostileIDs: [String] = [
            "", ".", "..", "../x", "a/b", "/etc", "a b", "a\nb", "é", "a%2fb", String(repeating: "x", count: 5000), "-x", "--help-me",
            "a\u{1}", "*",
            "$(id)", "a\\b", "..\\x",
        ]

        @Test("A container id that could lead elsewhere", arguments: hostileIDs)
        func ids(_ id: String) async throws {
            try await withBundle { bundle in
                for words in [
                    ["create", "--bundle", bundle.path], ["run", "--detach", "--bundle", bundle.path], ["delete", "--force"], ["kill"],
                    ["start"], ["state"],
                ] {
                    let plain = try await bundle.run(["runc", "--root", HandBundle.root] + words + [id])
                    let result = try await bundle.run(bundle.words(words + [id]))
                    #expect((result.status == 0) == (plain.status == 0), "\(words): \(result), but runc: \(plain)")
                    #expect(result.status < 124)
                }
                #expect(bundle.scenario.log.containerLines == [])
                #expect(bundle.host.names(in: HandBundle.root) == [])
                #expect(bundle.host.contents(of: "/run/mountpoint-runc/x") == nil)
            }
        }

        @Test(
            "A command line that is none",
            arguments: [
                ["create"], ["create", "--bundle"], ["create", "--bundle", "/none", "x"], ["create", "a", "b"],
                ["create", "--no-such-flag", "a"], ["run"], ["delete"], ["kill"],
                ["--mount-point-plugin"], ["--mount-point-plugin", "", "create", "--bundle", "BUNDLE", "x"],
                ["--mount-point-plugin", "../first", "create", "--bundle", "BUNDLE", "x"],
                ["--mount-point-plugin", "a/b", "create", "--bundle", "BUNDLE", "x"],
                ["--runtime-path", "/no/such/runtime", "create", "--bundle", "BUNDLE", "x"],
                ["--runtime-path", "", "create", "--bundle", "BUNDLE", "x"],
                ["--runtime-path", "/etc/passwd", "create", "--bundle", "BUNDLE", "x"],
            ])
        func commandLine(_ words: [String]) async throws {
            try await withBundle { bundle in
                let result = try await bundle.run(bundle.words(words.map { $0 == "BUNDLE" ? bundle.path : $0 }))
                try await expectNothing(bundle, result)
            }
        }

        @Test("It is its own runtime below: an error, not an endless loop")
        func itself() async throws {
            try await withBundle { bundle in
                let result = try await bundle.run(
                    bundle.words(["--runtime-path", bundle.scenario.runtimeHost.binary, "create", "--bundle", bundle.path, "x"]))
                try await expectNothing(bundle, result)
                #expect(result.output.contains("itself"), "\(result)")
            }
        }

        @Test("A damaged record of a container does not keep it from being deleted", arguments: ["container.json", "stack.json", "both"])
        func damagedRecord(_ file: String) async throws {
            guard let host = RuntimeHost.current else { throw Trouble("this test belongs into a suite with a runtimeHost") }
            try await Scenario.run(on: host, ["first"], isBalanced: false) { scenario in
                let bundle = try await HandBundle("damaged", in: scenario)
                defer { bundle.remove() }
                try await bundle.create()
                try await bundle.begin()
                let place = RuntimeHost.stateFolder + "/containers"
                let folder = try await scenario.host.run(["find", place, "-name", "damaged"]).output.trimmingCharacters(in: .newlines)
                for name in file == "both" ? ["container.json", "stack.json"] : [file] {
                    try scenario.host.write("{\"half", to: "\(folder)/\(name)")
                }
                _ = try await bundle.runtime("delete", "--force", bundle.id)
                _ = try await bundle.runtime("delete", "--force", bundle.id)
                #expect(try await bundle.status() == nil)
                try await eventually("no process is left") { !scenario.host.processes().contains { $0.name.hasPrefix("mountpoint-runc") } }
                _ = try await scenario.host.run(["rm", "-rf", folder])
            }
        }

        @Test("A record of another boot is not used")
        func otherBoot() async throws {
            try await withBundle { bundle in
                let (host, log) = (bundle.host, bundle.scenario.log)
                try await bundle.create()
                let folder = try await host.run(["find", RuntimeHost.stateFolder + "/containers", "-name", bundle.id]).output
                    .trimmingCharacters(in: .newlines)
                // What a crash of the whole host would leave if /run were not emptied.
                let copy = "/run/test/copy"
                _ = try await host.run(["cp", "-a", folder, copy])
                try await bundle.delete()
                #expect(log.calls(.detach).count == 1)
                _ = try await host.run(["cp", "-a", copy, folder])
                let record = host.contents(of: folder + "/container.json") ?? ""
                let boot = try String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8).trimmingCharacters(in: .newlines)
                #expect(record.contains(boot), "\(record)")
                try host.write(record.replacing(boot, with: "00000000-0000-0000-0000-000000000000"), to: folder + "/container.json")
                try await bundle.create()
                try await bundle.delete()
                #expect(log.containerLines.map { $0.prefix(12) } == ["first Attach", "first Detach", "first Attach", "first Detach"])
                _ = try await host.run(["rm", "-rf", copy])
            }
        }
    }
}
