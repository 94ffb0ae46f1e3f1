// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import JSON
import TestSupport
import Testing

extension FaultTests {
    /// Much work of a plugin leaves nothing: descriptors, threads, mounts, files and memory are what they were before.
    @Suite(.serialized, .timeLimit(.minutes(60))) struct PluginChurnTests {
        private struct Resources {
            var descriptors: Int
            var threads: Int
            var mounts: [String]
            var files: [String]
            /// kB.
            var resident: Int

            init(of plugin: PluginHost) async throws {
                guard let process = plugin.process else { throw Trouble("the plugin does not run") }
                descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
                threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task").count
                let snapshot = try await plugin.snapshot()
                (mounts, files) = (snapshot.mounts, snapshot.files)
                resident = try readProcess("/proc/\(process)/status").firstMatch(of: /VmRSS:\s+(\d+) kB/).flatMap { Int($0.1) } ?? 0
            }
        }

        /// kB that the allocator may keep.
        private static let keptMemory = 6_000

        private func expectNothingLeft(_ kind: PluginHost.Kind, _ work: (PluginHost, _ isWarmUp: Bool) async throws -> Void) async throws {
            try await PluginHost.with { plugin in
                try await plugin.start(kind)
                try await work(plugin, true)
                let before = try await Resources(of: plugin)
                let began = ContinuousClock.now
                try await work(plugin, false)
                let took = ContinuousClock.now - began
                try await eventually("descriptors and threads are those from before") {
                    let now = try await Resources(of: plugin)
                    return now.descriptors <= before.descriptors && now.threads <= before.threads
                }
                let after = try await Resources(of: plugin)
                print("plugin churn, \(kind): \(took), resident \(before.resident) kB before and \(after.resident) kB after")
                #expect(after.mounts == before.mounts && after.files == [] && before.files == [])
                #expect(after.resident - before.resident < Self.keptMemory)
                await plugin.kill()
            }
        }

        @Test("Many containers, one after another", arguments: PluginHost.Kind.all)
        func cycles(_ kind: PluginHost.Kind) async throws {
            try await expectNothingLeft(kind) { plugin, isWarmUp in
                // Kinds that write to the disk for each take longer.
                let count = FaultTests.number("DOCKER_NFSD_TEST_CYCLES", else: kind.work == nil || FaultTests.isLong ? 1000 : 200)
                for number in 0..<(isWarmUp ? min(100, count) : count) {
                    try await plugin.succeed("Attach", kind, id: "c\(number)")
                    try await plugin.succeed("Detach", kind, id: "c\(number)")
                }
            }
        }

        @Test("A hundred mounts in one container", arguments: PluginHost.Kind.all)
        func mounts(_ kind: PluginHost.Kind) async throws {
            try await expectNothingLeft(kind) { plugin, isWarmUp in
                for number in 0..<(isWarmUp ? 1 : 3) {
                    let answer = try await plugin.succeed("Attach", kind, id: "c\(number)", mounts: 100)
                    #expect(answer["Attachments"]?.arrayValue?.filter { $0["Attach"] == true }.count == 100)
                    try await plugin.succeed("Detach", kind, id: "c\(number)")
                }
            }
        }

        @Test("Two hundred containers at once", arguments: PluginHost.Kind.all)
        func atOnce(_ kind: PluginHost.Kind) async throws {
            try await expectNothingLeft(kind) { plugin, isWarmUp in
                let count = isWarmUp ? 100 : 200
                for call in ["Attach", "Detach"] {
                    try await withThrowingTaskGroup { group in
                        for lane in 0..<16 {
                            group.addTask {
                                for number in stride(from: lane, to: count, by: 16) {
                                    try await plugin.succeed(call, kind, id: "c\(number)")
                                }
                            }
                        }
                        try await group.waitForAll()
                    }
                }
            }
        }
    }
}
