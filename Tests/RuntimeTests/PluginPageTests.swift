// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("The pages of the plugins that ship: their examples as they stand")
    struct PluginPages {
        @Test func policy() async throws {
            try await Scenario.run { scenario in
                try await PluginPage("policy").follow(in: scenario, over: "/srv", after: "mkdir /srv/reference")
            }
        }

        @Test func translate() async throws {
            let script = """
                rmdir /__w/none /__w 2>/dev/null || true
                mkdir -p /srv/work/project /srv/windows/Users/Me
                echo of the project > /srv/work/project/file; echo of Windows > /srv/windows/Users/Me/file
                """
            try await Scenario.run { scenario in
                try await PluginPage("translate").follow(in: scenario, over: "/srv", after: script) { host in
                    // What dockerd has made for the written paths.
                    let left = try await host.run(["sh", "-c", "ls -d /c /__w 2>/dev/null || true"])
                    #expect(left.output == "", "\(left)")
                }
            }
        }

        @Test func ownership() async throws {
            try await Scenario.run { scenario in
                let script = "mkdir -p /home/me/project; chown 1000:1000 /home/me/project"
                try await PluginPage("ownership").follow(in: scenario, over: "/home", after: script) { host in
                    let project = "/home/me/project"
                    let owners = try await host.run(["stat", "-c", "%u:%g", project, "\(project)/made", "\(project)/report"])
                    #expect(owners.output == "1000:1000\n1000:1000\n1000:1000\n", "\(owners)")
                    #expect(host.names(in: ServedPlugin.state + "/ownership") == [])
                }
            }
        }

        @Test func copyOnWrite() async throws {
            try await Scenario.run { scenario in
                let script = "mkdir -p /srv/project/src; echo old > /srv/project/src/main; echo read me > /srv/project/README"
                try await PluginPage("copy-on-write").follow(in: scenario, over: "/srv", after: script) { host in
                    let after = try await host.run(["sh", "-c", "cd /srv/project; cat src/main README; ls -A"])
                    #expect(after.output == "read me\nread me\nREADME\nmade\nsrc\n", "\(after)")
                    #expect(host.names(in: ServedPlugin.state + "/copy-on-write/changes") == [])
                }
            }
        }

        @Test func noswap() async throws {
            try await Scenario.run { scenario in
                guard try await ServedPlugin.command(["doctor", "noswap"], on: scenario.host).output.contains("keeps a tmpfs out of swap")
                else {
                    return
                }
                try await PluginPage("noswap").follow(in: scenario, over: "/srv", after: "true")
            }
        }
    }
}
