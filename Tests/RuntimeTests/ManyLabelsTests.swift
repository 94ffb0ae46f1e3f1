// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Glibc
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("A container with more labels than anybody has")
    struct ManyLabels {
        private static let mounts = (0..<10).map { "m\($0)" }

        /// The words behind `docker create` for a container with so many labels and ten mounts.
        private static func words(_ scenario: Scenario, labels count: Int) throws -> [String] {
            let file = scenario.host.scratch + "/labels-\(count)"
            try scenario.host.write((0..<count).map { "org.example.label-\($0)=value \($0)\n" }.joined(), to: file)
            let binds = try mounts.flatMap { try scenario.binds($0) }
            return ["--network", "none", "--label-file", file] + binds + ["busybox", "cat", "/m0/who", "/m9/who"]
        }

        /// It attaches to every mount, and refuses one that has not all labels. In a process of its own, so that the tests' own work is no
        /// part of what is measured.
        private static let plugin = #"""
            import http.server, json, os, socketserver
            class Many(http.server.BaseHTTPRequestHandler):
                def do_POST(self):
                    mounts = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "{}").get("Mounts", [])
                    labels = [mount.get("Container", {}).get("Labels", {}) for mount in mounts]
                    names = [{name for name in one if name.startswith("org.example.label-")} for one in labels]
                    wrong = any(name and one.get(f"org.example.label-{len(name) - 1}") != f"value {len(name) - 1}" for one, name in zip(labels, names))
                    open("/run/test/many-calls", "a").write(f"{self.path.split('.')[1]} {sum(map(len, names))}\n")
                    answer = {"Success": not wrong, "Implements": ["mountpoint"], "Patterns": [{}], "Attachments": [{"Attach": True}] * len(mounts)}
                    self.send_response_only(200), self.end_headers(), self.wfile.write(json.dumps(answer).encode())
            socketserver.UnixStreamServer("/run/docker/plugins/many.sock", Many).serve_forever()
            """#

        private func withPlugin(_ body: (Scenario) async throws -> Void) async throws {
            try await Scenario.run { scenario in
                let host = scenario.host
                let server = try host.start(["python3", "-c", Self.plugin], log: "many.log")
                let process = try await server.child(running: "python3")
                let failure: (any Error)?
                do {
                    try await eventually("the plugin listens: \(host.log("many.log"))") {
                        host.names(in: Dockerd.pluginFolder).contains("many.sock")
                    }
                    try scenario.setChain(["many"])
                    try await body(scenario)
                    failure = nil
                } catch { failure = error }
                kill(process, SIGKILL)
                try await server.end(within: .seconds(10))
                _ = try await host.run(["rm", "-f", Dockerd.pluginFolder + "/many.sock", "/run/test/many-calls"])
                if let failure { throw failure }
            }
        }

        @Test("20,000 labels and ten mounts: it starts, and takes no more than a few times as long as with ten labels")
        func ratio() async throws {
            try await withPlugin { scenario in
                var shortest: [String: Duration] = [:]
                for (name, count, runtime) in [
                    ("few", 10, "mountpoint"), ("many", 20_000, "mountpoint"), ("few-runc", 10, "runc"), ("many-runc", 20_000, "runc"),
                ] {
                    try await scenario.docker(["create", "--name", name, "--runtime", runtime] + Self.words(scenario, labels: count))
                }
                for _ in 0..<4 {
                    for name in ["few", "many", "few-runc", "many-runc"] {
                        let clock = ContinuousClock()
                        let time = try await clock.measure {
                            let output = try await scenario.docker("start", "--attach", name)
                            #expect(output == "m0\nm9")
                        }
                        shortest[name] = min(time, shortest[name] ?? time)
                    }
                }
                let calls = (scenario.host.contents(of: "/run/test/many-calls") ?? "").split(separator: "\n")
                let attaching = calls.filter { $0.hasPrefix("MountPointAttach") }
                #expect(attaching == Array(repeating: ["MountPointAttach 100", "MountPointAttach 200000"], count: 4).flatMap { $0 })
                // Twice as long was seen, half of it in Docker and in the plugin, which reads 8 MiB.
                #expect(shortest["many"]! < shortest["few"]! * 8, "\(shortest)")
            }
        }

        @Test("20,000 annotations in config.json, which other engines have in the place of labels")
        func annotations() async throws {
            try await Scenario.run("first") { scenario in
                let bundle = try await HandBundle("many", in: scenario, script: "cat /a/who")
                defer { bundle.remove() }
                let annotations = (0..<20_000).map { #""org.example.label-\#($0)":"value \#($0)""# }.joined(separator: ",")
                let text = bundle.host.contents(of: bundle.configurationFile) ?? ""
                try bundle.host.write(#"{"annotations":{\#(annotations)},"# + text.dropFirst(), to: bundle.configurationFile)
                let plain = try await bundle.run(["runc", "--root", HandBundle.root, "run", "--bundle", bundle.path, bundle.id])
                #expect(plain.status == 0 && plain.output == "a\n", "\(plain)")
                let result = try await bundle.runtime("run", "--bundle", bundle.path, bundle.id)
                #expect(result.description == plain.description)
                let mount = try #require(scenario.log.calls(.attach).first?.mounts.first)
                #expect(mount["Container"]?["Labels"]?["org.example.label-19999"] == "value 19999")
            }
        }
    }
}
