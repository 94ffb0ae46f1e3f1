// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("Tools in a container that has Docker's socket, and name paths of their own")
    struct TranslateTools {
        private static let settings = #"{"paths": [{"prefix": "/test-workspace", "to": "container:runner"}]}"#

        /// Runs the body with a container `runner`, whose `/test-workspace/project` is a folder of the host with other names.
        private func withRunner(_ body: (Scenario) async throws -> Void) async throws {
            try await Scenario.run { scenario in
                let work = try scenario.folder("work")
                let script = """
                    mkdir -p project/x; cd project; echo of the project > x/file; echo settings > config.yml
                    """
                _ = try await scenario.host.run(["sh", "-ec", "cd \(work); \(script)"])
                try await ServedPlugin.run("translate", settings: Self.settings, in: scenario) {
                    let socket = ["-v", "\(scenario.dockerd.socket):/var/run/docker.sock", "-v", "\(work):/test-workspace"]
                    try await scenario.start("runner", socket + Workspace.hostPrograms, runtime: "runc")
                    try await body(scenario)
                    // What dockerd has made for the paths that were translated is gone.
                    let left = try await scenario.host.run(["sh", "-c", "find /test-workspace -mindepth 1 2>/dev/null; true"])
                    #expect(left.output == "", "\(left)")
                    _ = try await scenario.host.run(["rm", "-rf", "/test-workspace"])
                }
            }
        }

        private static func inRunner(_ script: String, _ scenario: Scenario) async throws -> CommandResult {
            try await scenario.runDocker(["exec", "--workdir", "/test-workspace/project", "runner", "sh", "-ec", script])
        }

        private static let run = "docker run --rm --runtime mountpoint --network none"

        @Test("docker run -v $PWD: a folder, a single file, and what is written comes back")
        func steps() async throws {
            try await withRunner { scenario in
                let folder = try await Self.inRunner("\(Self.run) -v $PWD/x:/x busybox cat /x/file", scenario)
                #expect(folder.status == 0 && folder.output == "of the project\n", "\(folder)")
                let file = try await Self.inRunner(
                    "\(Self.run) -v $PWD/config.yml:/etc/app/config.yml busybox cat /etc/app/config.yml", scenario)
                #expect(file.status == 0 && file.output == "settings\n", "\(file)")
                let script = "\(Self.run) -v $PWD:$PWD -w $PWD busybox sh -c 'echo built > result; pwd'; cat result"
                let written = try await Self.inRunner(script, scenario)
                #expect(written.status == 0 && written.output == "/test-workspace/project\nbuilt\n", "\(written)")
            }
        }

        @Test("--mount type=bind is refused by dockerd as long as the host has no such folder, and translated when it has one")
        func devContainer() async throws {
            try await withRunner { scenario in
                let script = "\(Self.run) --mount type=bind,source=$PWD/x,target=/x busybox cat /x/file"
                let refused = try await Self.inRunner(script, scenario)
                #expect(refused.status == 125, "\(refused)")
                #expect(refused.output.contains("bind source path does not exist: /test-workspace/project/x"), "\(refused)")
                _ = try await scenario.host.run(["mkdir", "-p", "/test-workspace/project/x"])
                let translated = try await Self.inRunner(script, scenario)
                #expect(translated.status == 0 && translated.output == "of the project\n", "\(translated)")
                #expect(scenario.host.names(in: "/test-workspace/project") == ["x"], "only what was made after the container goes")
                _ = try await scenario.host.run(["rm", "-r", "/test-workspace/project"])
            }
        }
    }
}
