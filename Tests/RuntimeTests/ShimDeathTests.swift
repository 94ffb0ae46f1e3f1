// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("containerd's shim dies and a plugin takes its time to detach")
    struct ShimDeath {
        @Test("The container ends for Docker, and starts again once the plugin is done")
        func slowDetach() async throws {
            try await Scenario.run("first") { scenario in
                let id = try await scenario.start("box", scenario.binds("a"))
                let hold = scenario["first"].hold(.detach)
                let shims = scenario.host.processes().filter {
                    $0.name.hasPrefix("containerd-shim") && $0.commandLine.contains { $0 == id }
                }
                try #require(shims.count == 1)
                _ = try await scenario.host.run(["kill", "-KILL", String(shims[0].id)])
                try await hold.isReached()
                // containerd would give up after 5 seconds, and take the container for running from then on.
                try await eventually("Docker sees the end of it", within: .seconds(15)) {
                    try await scenario.inspect("container", "box")["State"]?["Running"] == false
                }
                #expect(hold.count == 1, "the plugin has not answered yet")
                let starting = Task { try await scenario.runDocker(["start", "box"]) }
                try await eventually("the new container is being created") {
                    scenario.host.processes().contains { $0.name.hasPrefix("mountpoint-runc") && $0.commandLine.contains("create") }
                }
                #expect(scenario.log.calls(.attach).count == 1, "the new container waits for the old one's teardown")
                hold.release()
                #expect(try await starting.value.status == 0)
                #expect(scenario.log.calls(.attach).count == 2)
                try await scenario.docker("rm", "--force", "box")
                #expect(scenario.log.calls(.detach).count == 2)
            }
        }
    }
}
