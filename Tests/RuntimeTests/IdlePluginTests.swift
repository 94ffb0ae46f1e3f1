// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("The plugins that ship, and a container that asks nothing of them")
    struct IdlePlugins {
        private static let settings = [
            "translate": #"{"paths": [{"prefix": "/no-such", "to": "/srv"}]}"#, "ownership": "{}", "copy-on-write": "{}", "noswap": "{}",
            // By default it looks for what is mounted below any source.
            "policy": #"{"nested-mounts": "allow", "rules": [{"action": "deny", "source": ["/no-such"]}]}"#,
        ]

        /// Serves all of them, each below strace, which writes down what they are sent.
        private func start(on host: PrivateHost) async throws -> [SpawnedProcess] {
            mkdir(host.path("/etc/docker/mountpoint-plugin"), 0o755)
            var processes: [SpawnedProcess] = []
            for (kind, settings) in Self.settings {
                try host.write(settings, to: "/etc/docker/mountpoint-plugin/\(kind).json")
                let strace = [
                    "strace", "-f", "-q", "-s", "200", "-e", "trace=read,readv,recvfrom,recvmsg", "-e", "signal=none", "-o",
                    Self.calls(kind, host),
                ]
                processes.append(
                    try host.start(strace + [ServedPlugin.program, kind], environment: ServedPlugin.environment, log: "\(kind).log"))
                try await eventually("\(kind) listens", within: .seconds(30)) { host.log("\(kind).log").contains("serves \(kind)") }
            }
            return processes
        }

        private static func calls(_ kind: String, _ host: PrivateHost) -> String { "\(host.scratch)/\(kind).calls" }

        @Test("It costs no call but the one for their properties") func nothingIsAsked() async throws {
            try await Scenario.run { scenario in
                let host = scenario.host
                let data = try scenario.folder("data")
                var processes = try await start(on: host)
                // policy is asked about what plugins before it have put into their own folders.
                try scenario.setChain(["translate", "policy", "ownership", "copy-on-write", "noswap"])
                let run = ["run", "--rm", "--runtime", "mountpoint", "--network", "none"]
                let idle = try await scenario.runDocker(run + ["-v", "\(data):/m", "-v", "vol:/v", "--tmpfs", "/t", "busybox", "true"])
                #expect(idle.status == 0, "\(idle)")
                let asked = try await scenario.runDocker(run + ["--label", "mountpoint.noswap=/t", "--tmpfs", "/t", "busybox", "true"])
                #expect(asked.status == 0, "\(asked)")
                try await ServedPlugin.end(processes.removeLast(), on: host)
                for process in processes { _ = try await process.end(within: .seconds(20)) }
                for kind in Self.settings.keys {
                    let calls = try String(contentsOfFile: Self.calls(kind, host), encoding: .utf8)
                    func count(_ call: String) -> Int {
                        calls.components(separatedBy: "POST /MountPointPlugin.MountPoint\(call)").count - 1
                    }
                    #expect(count("Properties") >= 1, "\(kind)")
                    // The second container shows that a call would have been seen.
                    let expected = kind == "noswap" ? 1 : 0
                    let counts: [Int] = [count("Attach"), count("Detach")]
                    #expect(counts == [expected, expected], "\(kind)")
                }
                try? FileManager.default.removeItem(atPath: host.path(ServedPlugin.state))
                try? FileManager.default.removeItem(atPath: host.path("/etc/docker/mountpoint-plugin"))
            }
        }
    }
}
