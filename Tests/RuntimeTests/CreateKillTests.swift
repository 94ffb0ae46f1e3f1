// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import TestSupport
import Testing

extension SharedEngineTests {
    /// As ``Kills``, but at each call that has to do with the mount namespace in which the runtime below is started, one after the other.
    /// On a host whose mounts have peers, as systemd makes them: what is mounted in a copy of the namespace would appear in the host's.
    @Suite(
        "create, killed with SIGKILL around its mount namespace",
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/strace"), "needs strace (Scripts/test-needs)"))
    struct CreateKills {
        /// Has a process of `create` killed when it begins its call of this number, then makes the container once more.
        ///
        /// - Returns: whether there was such a call.
        private func kill(at call: String, _ number: Int, _ bundle: HandBundle) async throws -> Bool {
            let (host, what) = (bundle.host, "\(call) \(number)")
            let before = try host.mountLines()
            let trace = host.scratch + "/trace-\(call)-\(number)"
            // The tracer is not the command's parent, and lets go of the runtime below.
            let words = ["strace", "-D", "-f", "-b", "execve", "-o", trace, "-e", "inject=\(call):signal=KILL:when=\(number)"]
            let create = ["create", "--bundle", bundle.path, "--pid-file", bundle.path + "/pid", bundle.id]
            let created = try await bundle.run(words + bundle.words(create))
            let isKilled = (try? String(contentsOfFile: trace, encoding: .utf8))?.contains("killed by SIGKILL") == true
            if isKilled {
                try await eventually("nobody goes on with it: \(what)") {
                    !host.processes().contains { ["mountpoint-runc", "runc"].contains($0.name) }
                }
            } else {
                #expect(created.status == 0, "\(what): \(created)")
            }
            #expect(try host.mountLines() == before, "\(what)")
            if try await bundle.status() != nil { try await bundle.delete() }
            let next = try await bundle.runtime("create", "--bundle", bundle.path, "--pid-file", bundle.path + "/pid", bundle.id)
            #expect(next.status == 0, "\(what): the next create: \(next)")
            try await bundle.begin()
            try await bundle.delete()
            let log = bundle.scenario.log
            try? await eventually("the books balance", within: .seconds(30)) { log.imbalance.isEmpty }
            #expect(log.imbalance == [], "\(what)")
            return isKilled
        }

        @Test(
            "Nothing stays mounted on the host, no detach is lost, and the next create works",
            arguments: [("unshare", 1), ("open_tree", 2), ("move_mount", 4), ("mount", 5), ("umount2", 1), ("setns", 1)])
        func atEachCall(call: String, least: Int) async throws {
            try await Scenario.run("first", "second") { scenario in
                _ = try await scenario.host.run(["mount", "--make-shared", "/run"])
                let bundle = try await HandBundle("victim", in: scenario)
                defer { bundle.remove() }
                let failure: (any Error)?
                do {
                    var number = 1
                    while try await kill(at: call, number, bundle), number < 40 { number += 1 }
                    #expect(number > least, "or this tests too little")
                    failure = nil
                } catch { failure = error }
                _ = scenario.host.removeEmptyControlGroups(named: bundle.id)
                _ = try await scenario.host.run(["mount", "--make-private", "/run"])
                if let failure { throw failure }
            }
        }
    }
}
