// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("What a plugin is shown of a mount")
    struct Fields {
        /// Runs a container with these words and gives what the plugin was shown, by destination.
        private func shown(
            _ words: [String], image: String = "busybox", in scenario: Scenario, sourceLocation: SourceLocation = #_sourceLocation
        ) async throws -> [String: JSONValue] {
            let count = scenario.log.calls(.attach).count
            let result = try await scenario.run(["--rm"] + words, script: "true", image: image)
            #expect(result.status == 0, "\(result)", sourceLocation: sourceLocation)
            let mounts = scenario.log.calls(.attach).dropFirst(count).first?.mounts ?? []
            return Dictionary(uniqueKeysWithValues: mounts.map { ($0["Destination"]?.stringValue ?? "", $0) })
        }

        struct BindCase: Sendable, CustomTestStringConvertible {
            /// SOURCE stands for the folder.
            var words: [String]
            var mode = ""
            var isReadOnly = false
            var propagation = "rprivate"
            var createsSource = false
            var consistency = "default"
            var testDescription: String { words.joined(separator: " ") }
        }

        static let bindCases: [BindCase] = [
            BindCase(words: ["-v", "SOURCE:/a"], createsSource: true),
            BindCase(words: ["-v", "SOURCE:/a:ro"], mode: "ro", isReadOnly: true, createsSource: true),
            BindCase(words: ["-v", "SOURCE:/a:rw"], mode: "rw", createsSource: true),
            BindCase(words: ["-v", "SOURCE:/a:ro,z"], mode: "ro,z", isReadOnly: true, createsSource: true),
            BindCase(words: ["-v", "SOURCE:/a:private"], mode: "private", propagation: "private", createsSource: true),
            BindCase(words: ["-v", "SOURCE:/a:cached"], mode: "cached", createsSource: true, consistency: "cached"),
            BindCase(
                words: ["-v", "SOURCE:/a:delegated,ro"], mode: "delegated,ro", isReadOnly: true, createsSource: true,
                consistency: "delegated"),
            BindCase(words: ["-v", "SOURCE:/a:consistent"], mode: "consistent", createsSource: true, consistency: "consistent"),
            BindCase(words: ["--mount", "type=bind,src=SOURCE,dst=/a"]),
            BindCase(words: ["--mount", "type=bind,src=SOURCE,dst=/a,readonly"], isReadOnly: true),
            BindCase(words: ["--mount", "type=bind,src=SOURCE,dst=/a,bind-propagation=private"], propagation: "private"),
            BindCase(words: ["--mount", "type=bind,src=SOURCE,dst=/a,consistency=cached"], consistency: "cached"),
            BindCase(
                words: ["--mount", "type=bind,src=SOURCE,dst=/a,consistency=delegated,readonly"], isReadOnly: true, consistency: "delegated"
            ),
        ]

        @Test("Binds", arguments: bindCases)
        func binds(_ bind: BindCase) async throws {
            try await Scenario.run("first") { scenario in
                let source = try scenario.folder("a")
                let words = bind.words.map { $0.replacing("SOURCE", with: source) }
                let mounts = try await shown(words, in: scenario)
                #expect(mounts.keys.sorted() == ["/a"])
                let mount = mounts["/a"] ?? .null
                #expect(mount["Type"] == "bind" && mount["Source"] == .string(source) && mount["EffectiveSource"] == .string(source))
                #expect(mount["Mode"] ?? "" == .string(bind.mode), "\(mount)")
                #expect(mount["ReadOnly"] ?? false == .bool(bind.isReadOnly), "\(mount)")
                #expect(mount["Propagation"] == .string(bind.propagation), "\(mount)")
                #expect(mount["CreateSourceIfMissing"] ?? false == .bool(bind.createsSource), "\(mount)")
                #expect(mount["Consistency"] ?? "default" == .string(bind.consistency), "\(mount)")
                #expect(mount["EffectiveConsistency"] == "default", "\(mount)")
                #expect(mount["Volume"]?["Name"] ?? "" == "" && mount["AppliedMiddleware"] ?? [] == [], "\(mount)")
            }
        }

        @Test("A named volume, with its labels and options")
        func volume() async throws {
            try await Scenario.run("first") { scenario in
                let device = try scenario.folder("device")
                try await scenario.docker(
                    "volume", "create", "--label", "owner=me", "--label", "bare", "--opt", "type=none", "--opt", "o=bind", "--opt",
                    "device=\(device)", "work")
                let mount = try await shown(["-v", "work:/a:ro"], in: scenario)["/a"] ?? .null
                #expect(mount["Type"] == "volume" && mount["Mode"] == "ro" && mount["ReadOnly"] == true, "\(mount)")
                let source = Dockerd.dataRoot + "/volumes/work/_data"
                #expect(mount["Source"] == .string(source) && mount["EffectiveSource"] == .string(source), "\(mount)")
                let volume = mount["Volume"] ?? .null
                #expect(volume["Name"] == "work" && volume["Driver"] == "local" && volume["Scope"] == "local", "\(volume)")
                #expect(volume["Labels"]?["owner"] == "me" && volume["Labels"]?["bare"] == "", "\(volume)")
                #expect(volume["Options"]?["device"] == .string(device) && volume["Options"]?["o"] == "bind", "\(volume)")
            }
        }

        @Test("Plain, anonymous and inherited volumes, and volumes by --mount")
        func otherVolumes() async throws {
            try await Scenario.run("first") { scenario in
                try await scenario.docker(
                    "create", "--name", "giver", "--volume", "given:/given", "--volume", "\(try scenario.folder("a")):/a:ro", "busybox",
                    "true")
                let mounts = try await shown(
                    [
                        "--volume", "/anonymous", "--volume", "plain:/plain", "--mount", "type=volume,src=named,dst=/named,readonly",
                        "--volumes-from", "giver",
                    ], in: scenario)
                #expect(mounts.keys.sorted() == ["/a", "/anonymous", "/given", "/named", "/plain"])
                for (place, name) in ["/plain": "plain", "/named": "named", "/given": "given"] {
                    #expect(mounts[place]?["Type"] == "volume" && mounts[place]?["Volume"]?["Name"] == .string(name))
                    #expect(mounts[place]?["Volume"]?["Driver"] == "local")
                }
                #expect(mounts["/anonymous"]?["Volume"]?["Name"]?.stringValue?.wholeMatch(of: /[0-9a-f]{64}/) != nil)
                #expect(mounts["/named"]?["ReadOnly"] == true)
                #expect(mounts["/a"]?["Type"] == "bind" && mounts["/a"]?["ReadOnly"] == true)
            }
        }

        @Test("Labels of the container and of its image, and patterns for them")
        func labels() async throws {
            try await Scenario.run("first", "second", "third") { scenario in
                try await scenario.serve(
                    "second",
                    patterns: [["Container": ["Labels": [["Exists": [["Key": ["Exactly": "role"], "Value": ["Exactly": "db"]]]]]]]])
                try await scenario.serve(
                    "third",
                    patterns: [["Image": ["Labels": [["Exists": [["Key": ["Exactly": "vendor"], "Value": ["Exactly": "nobody"]]]]]]]])
                let words = try ["--label", "role=db", "--label", "tier=container"] + scenario.binds("a")
                let mount = try await shown(words, in: scenario)["/a"] ?? .null
                #expect(mount["Container"]?["Labels"]?["role"] == "db", "\(mount)")
                #expect(mount["Container"]?["Labels"]?["tier"] == "container", "\(mount)")
                #expect(mount["Image"]?["Labels"]?["vendor"] == "busy" && mount["Image"]?["Labels"]?["tier"] == "image", "\(mount)")
                #expect(scenario.log.calls(.attach).map(\.plugin) == ["first", "second"])
            }
        }

        @Test("What Docker mounts for itself is not shown, also under a user's mount of the same place")
        func managedMounts() async throws {
            try await Scenario.run("first") { scenario in
                let mounts = try await shown(
                    ["--tmpfs", "/scratch", "--mount", "type=tmpfs,dst=/other", "--init", "--hostname", "named", "--shm-size", "8m"]
                        + scenario.binds("a"), in: scenario)
                #expect(mounts.keys.sorted() == ["/a"])

                let file = try scenario.folder("a") + "/who"
                let covered = try await shown(
                    ["-v", "\(file):/etc/hostname", "-v", "\(file):/etc/hosts:ro", "-v", "\(file):/etc/resolv.conf"], in: scenario)
                #expect(covered.keys.sorted() == ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"])
                #expect(covered.values.allSatisfy { $0["Source"] == .string(file) && $0["Type"] == "bind" })

                let engine = try await shown(["-v", "\(Dockerd.dataRoot):/engine:ro", "-v", "/etc/hosts:/a"], in: scenario)
                #expect(engine.keys.sorted() == ["/a", "/engine"], "Docker's own folder is a source like any other")
            }
        }

        @Test("A container in another one's network is shown with its own mounts and labels")
        func sharedNetwork() async throws {
            try await Scenario.run("first") { scenario in
                try await scenario.start("owner", ["--label", "whose=owner", "-v", "one:/one"])
                let result = try await scenario.runDocker(
                    [
                        "run", "--rm", "--runtime", "mountpoint", "--network", "container:owner", "--label", "whose=guest", "-v",
                        "two:/two", "busybox", "true",
                    ])
                #expect(result.status == 0, "\(result)")
                let guest = try #require(scenario.log.calls(.attach).last)
                #expect(guest.mounts.map { $0["Destination"] } == ["/two"])
                #expect(guest.mounts.first?["Volume"]?["Name"] == "two" && guest.mounts.first?["Container"]?["Labels"]?["whose"] == "guest")
            }
        }

        @Test("Names that need care: spaces, quotes, letters of other scripts, a comma")
        func names() async throws {
            try await Scenario.run("first") { scenario in
                let folder = try scenario.folder(#"a "b" é,ß\n"#)
                let mounts = try await shown(["-v", "\(folder):/with space/é"], in: scenario)
                #expect(mounts.keys.sorted() == ["/with space/é"])
                #expect(mounts.values.first?["Source"] == .string(folder))
            }
        }
    }
}
