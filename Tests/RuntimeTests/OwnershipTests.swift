// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("The owner of files as the container's user, by transfer")
    struct Ownership {
        /// An overlay of the host, of user 1000, over a folder of this name.
        private func withOverlay(_ scenario: Scenario, _ name: String, _ body: (String) async throws -> Void) async throws {
            let source = try scenario.folder(name)
            let script = """
                mount -t tmpfs tmpfs \(source); cd \(source); mkdir lower upper work tree
                echo data > lower/file; cp /bin/true lower/tool
                chown 1000:1000 lower/file lower/tool upper; chmod 4755 lower/tool
                mount -t overlay overlay tree -o lowerdir=\(source)/lower,upperdir=\(source)/upper,workdir=\(source)/work
                """
            let made = try await scenario.host.run(["sh", "-ec", script])
            try #require(made.status == 0, "\(made)")
            var failure: (any Error)?
            do { try await body(source + "/tree") } catch { failure = error }
            _ = try await scenario.host.run(["umount", "--lazy", "\(source)/tree", source])
            if let failure { throw failure }
        }

        private func owners(_ tree: String, _ scenario: Scenario) async throws -> String {
            try await scenario.host.run(["sh", "-c", "cd \(tree); stat -c '%n %u:%g %a' . * | tr '\\n' ';'"]).output
        }

        private static let before = ". 1000:1000 755;file 1000:1000 644;tool 1000:1000 4755;"
        private static let during = ". 33:33 755;file 33:33 644;tool 33:33 755;"

        @Test("An overlay is given to the container's user, and docker stop gives it back; the plugin is killed meanwhile")
        func overlay() async throws {
            try await Scenario.run { scenario in
                try await withOverlay(scenario, "data") { tree in
                    try await ServedPlugin.run("ownership", settings: "{}", in: scenario) {
                        let host = scenario.host
                        let refused = try await scenario.run(
                            ["--user", "33:33", "-v", "\(tree):/work", "--label", "mountpoint.ownership=/work"], script: "true")
                        #expect(
                            refused.status == 125
                                && refused.output.contains("file system overlay, which cannot be id-mapped; with mode=transfer"))
                        try await scenario.start(
                            "web", ["--user", "33:33", "-v", "\(tree):/work", "--label", "mountpoint.ownership=/work:mode=auto"])
                        #expect(try await owners(tree, scenario) == Self.during)
                        try await scenario.docker("exec", "web", "sh", "-c", "echo more >> /work/file; echo new > /work/made")
                        let second = try await scenario.run(
                            ["--user", "44:44", "-v", "\(tree):/work", "--label", "mountpoint.ownership=/work:mode=transfer"],
                            script: "true")
                        #expect(second.status == 125 && second.output.contains("belongs to 33:33 while container web runs"), "\(second)")
                        let kept = try await ServedPlugin.command(["ownership", "give-back", "web"], on: host)
                        #expect(kept.status == 1 && kept.output.contains("runs; its files go back when it ends"), "\(kept)")
                        for process in host.processes() where process.name.hasPrefix("mountpoint-plug") {
                            try await host.signal(SIGKILL, process.id)
                        }
                        try await eventually("it is gone") { !host.processes().contains { $0.name.hasPrefix("mountpoint-plug") } }
                        let next = try await ServedPlugin.start("ownership", on: host)
                        #expect(try await owners(tree, scenario).contains("file 33:33"))
                        #expect(try await scenario.stop("web") == 0)
                        let after = ". 1000:1000 755;file 1000:1000 644;made 1000:1000 644;tool 1000:1000 4755;"
                        #expect(try await owners(tree, scenario) == after)
                        #expect(host.names(in: ServedPlugin.state + "/ownership") == [])
                        try await ServedPlugin.end(next, on: host)
                    }
                }
            }
        }

        @Test("The name of a user is the image's, also if this host has another of that name")
        func byName() async throws {
            try await Scenario.run { scenario in
                let tree = try scenario.folder("data")
                let owned = try await scenario.host.run(["chown", "1000:1000", tree])
                try #require(owned.status == 0, "\(owned)")
                // Of the image: docker, which copies it, is no process of that host.
                let etc = scenario.host.scratch + "/etc"
                try FileManager.default.createDirectory(atPath: etc, withIntermediateDirectories: true)
                try "daemon:x:4242:4343::/:\n".write(toFile: etc + "/passwd", atomically: false, encoding: .utf8)
                try await ServedPlugin.run("ownership", settings: "{}", in: scenario) {
                    try scenario.setChain(["ownership"])
                    for (name, label) in [("web", "daemon"), ("other", "nobody-here")] {
                        try await scenario.docker(
                            "create", "--name", name, "--runtime", "mountpoint", "--network", "none", "-v", "\(tree):/work", "--label",
                            "mountpoint.ownership=/work:match-user:\(label)", "busybox", "sh", "-c", "stat -c %u:%g /work")
                        try await scenario.docker("cp", etc, "\(name):/")
                    }
                    #expect(try await scenario.docker("start", "--attach", "web") == "4242:4343")
                    let refused = try await scenario.runDocker(["start", "--attach", "other"])
                    #expect(
                        refused.status == 1
                            && refused.output.contains("the container has no user nobody-here in its /etc/passwd; give one that it has"),
                        "\(refused)")
                }
            }
        }

        @Test("If the plugin is away at the end, the container fails and says whose the tree is; the next process gives it back")
        func away() async throws {
            try await Scenario.run { scenario in
                try await withOverlay(scenario, "data") { tree in
                    try await ServedPlugin.run("ownership", settings: #"{"mode": "transfer"}"#, in: scenario) {
                        let host = scenario.host
                        try scenario.setChain(["ownership"], ["plugin-timeout": 2, "detach-timeout-limit": 2])
                        let words = ["--user", "33:33", "-v", "\(tree):/work", "--label", "mountpoint.ownership=/work"]
                        for name in ["web", "other"] {
                            try await scenario.start(name, words)
                            for process in host.processes() where process.name.hasPrefix("mountpoint-plug") {
                                try await host.signal(SIGKILL, process.id)
                            }
                            #expect(try await scenario.stop(name) == 129)
                            #expect(try await owners(tree, scenario) == Self.during)
                            if name == "web" {
                                let back = try await ServedPlugin.command(["ownership", "give-back", "web"], on: host)
                                #expect(back.status == 0 && back.output.contains("\(tree): 3 given back"), "\(back)")
                            }
                            let next = try await ServedPlugin.start("ownership", on: host)
                            try await eventually("it is given back") { try await owners(tree, scenario) == Self.before }
                            if name == "other" { try await ServedPlugin.end(next, on: host) }
                        }
                        #expect(host.names(in: ServedPlugin.state + "/ownership") == [])
                    }
                }
            }
        }

        @Test("give-back leaves what was there, and gives what the container made to the source's owner")
        func giveBack() async throws {
            try await Scenario.run { scenario in
                try await withOverlay(scenario, "data") { tree in
                    try await ServedPlugin.run("ownership", settings: "{}", in: scenario) {
                        _ = try await scenario.host.run(["sh", "-ec", "cd \(tree); echo x > roots; sleep 0.1"])
                        try await scenario.start("ci", ["-v", "\(tree):/work", "--label", "mountpoint.ownership=/work:mode=give-back"])
                        #expect(try await owners(tree, scenario).contains("file 1000:1000"))
                        try await scenario.docker(
                            "exec", "ci", "sh", "-c",
                            "mkdir /work/out; echo new > /work/out/made; chown 5 /work/out/made; echo y > /work/new")
                        #expect(try await owners(tree, scenario).contains("new 0:0"))
                        #expect(try await scenario.stop("ci") == 0)
                        let after = try await owners(tree, scenario)
                        #expect(
                            after.contains("new 1000:1000") && after.contains("out 1000:1000") && after.contains("roots 0:0"), "\(after)")
                        #expect(scenario.host.names(in: ServedPlugin.state + "/ownership") == [])
                    }
                }
            }
        }
    }
}
