// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("Memory that stays out of swap")
    struct NoSwap {
        @Test("By a label: for a tmpfs, a volume and a bind; nothing is left at the end")
        func byLabel() async throws {
            try await Scenario.run { scenario in
                let data = try scenario.folder("data")
                try await ServedPlugin.run("noswap", settings: "{}", in: scenario) {
                    let host = scenario.host
                    guard try await ServedPlugin.command(["doctor", "noswap"], on: host).output.contains("keeps a tmpfs out of swap") else {
                        return
                    }
                    let words = ["--label", "mountpoint.noswap=/t;/v:size=1m,mode=0700;/b:uid=33"]
                    try await scenario.start("web", words + ["--tmpfs", "/t:size=2m,mode=755", "-v", "vol:/v", "-v", "\(data):/b"])
                    let mounts = try await scenario.docker("exec", "web", "cat", "/proc/mounts").split(separator: "\n").map {
                        $0.split(separator: " ").map(String.init)
                    }
                    for (place, size) in ["/t": "size=2048k", "/v": "size=1024k", "/b": "size=65536k"] {
                        let options = try #require(mounts.first { $0[1] == place })[3].split(separator: ",")
                        for word in ["noswap", "nosuid", "nodev", "noexec", size] {
                            #expect(options.contains(Substring(word)), "\(place): \(options)")
                        }
                    }
                    let full = try await scenario.runDocker(["exec", "web", "dd", "if=/dev/zero", "of=/v/x", "bs=1M", "count=2"])
                    #expect(full.status != 0 && full.output.contains("No space left on device"), "\(full)")
                    #expect(try await scenario.stop("web") == 0)
                    #expect(host.names(in: ServedPlugin.state + "/noswap") == [])
                    #expect(try host.mountPoints(below: ServedPlugin.state) == [])
                    let untouched = try await scenario.run(["-v", "\(data):/b"], script: "cat /b/who")
                    #expect(untouched.output == "data\n", "\(untouched)")
                }
            }
        }

        @Test("A label with a word that is not known, or a destination that is no mount, denies and says what there is")
        func wrongLabel() async throws {
            try await Scenario.run { scenario in
                try await ServedPlugin.run("noswap", settings: "{}", in: scenario) {
                    for (label, text) in ["/t:sise=1": "sise=1 is not known", "/x": "/x is no mount of this container; there are /t"] {
                        let result = try await scenario.run(["--tmpfs", "/t", "--label", "mountpoint.noswap=\(label)"], script: "true")
                        #expect(result.status == 125 && result.output.contains(text), "\(result)")
                    }
                }
            }
        }

        @Test("A label of a container without any mount denies, and without such a label nobody is asked")
        func labelWithoutMount() async throws {
            try await Scenario.run { scenario in
                try await ServedPlugin.run("noswap", settings: "{}", in: scenario) {
                    func run(_ words: [String]) async throws -> CommandResult {
                        try await scenario.run(words, script: "echo runs")
                    }
                    let result = try await run(["--label", "mountpoint.noswap=/t"])
                    #expect(
                        result.status == 125
                            && result.output.contains("/t is no mount of this container; it has none that this plugin is shown"),
                        "\(result)")
                    for label in ["mountpoint.noswap=none", "mountpoint.other=/t", "noswap=/t"] {
                        let result = try await run(["--label", label])
                        #expect(result.status == 0 && result.output == "runs\n", "\(label): \(result)")
                    }
                }
                // The chain has one that is away, and is not to be asked.
                let unlabelled = try await scenario.run([], script: "echo runs")
                #expect(unlabelled.output == "runs\n", "\(unlabelled)")
            }
        }
    }
}
