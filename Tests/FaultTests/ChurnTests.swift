// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import TestSupport
import Testing

extension FaultTests {
    /// Much work leaves nothing: descriptors, threads, processes, mounts, files and memory are what they were before.
    @Suite(.serialized, .timeLimit(.minutes(600))) struct ChurnTests {
        private static let options = ["server": "nas", "path": "/export"]
        /// kB that the allocator may keep.
        private static let keptMemory = 6_000

        /// Does the work once so that all that is made once is there, then again, and compares.
        private func expectNothingLeft(_ daemon: DaemonHost, warmUp: () async throws -> Void, _ work: () async throws -> Void) async throws
        {
            try await daemon.start()
            try await warmUp()
            // Names are looked up for a while after each change.
            try await Task.sleep(for: .seconds(4))
            let before = try Resources(of: daemon)
            let began = ContinuousClock.now
            try await work()
            let took = ContinuousClock.now - began
            var remains: [String] = []
            do {
                try await eventually("nothing is left") {
                    remains = try Resources(of: daemon).remains(since: before)
                    return remains.isEmpty
                }
            } catch {
                Issue.record("left: \(remains.joined(separator: ", "))")
            }
            let after = try Resources(of: daemon)
            print("churn: \(took), resident \(before.resident) kB before and \(after.resident) kB after")
            #expect(after.resident - before.resident < Self.keptMemory)
        }

        private func cycle(_ daemon: DaemonHost, _ name: String) throws {
            for request in [
                PluginRequest.create(name, Self.options), .mount(name, "1"), .get(name), .unmount(name, "1"), .remove(name),
            ] {
                let answer = try request.send(to: daemon.socket)
                if !answer.isSuccess { throw Trouble("\(request): \(answer)") }
            }
        }

        @Test func cyclesOfAVolumeLeaveNothing() async throws {
            try await DaemonHost.with { hosts in
                let daemon = hosts[0]
                @Sendable func cycles(_ count: Int) async throws {
                    try await withThrowingTaskGroup { group in
                        for lane in 0..<2 {
                            group.addTask { try await blocking { for number in 0..<count / 2 { try cycle(daemon, "v\(lane)-\(number)") } } }
                        }
                        try await group.waitForAll()
                    }
                }
                let count = FaultTests.number("DOCKER_NFSD_TEST_CYCLES", else: FaultTests.isLong ? 20_000 : 1000)
                try await expectNothingLeft(daemon, warmUp: { try await cycles(200) }, { try await cycles(count) })
            }
        }

        @Test(arguments: [true, false]) func sixtyFourCallersAtOnceLeaveNothing(eachHasAVolume: Bool) async throws {
            try await DaemonHost.with { hosts in
                let daemon = hosts[0]
                let names = eachHasAVolume ? (0..<64).map { "v\($0)" } : Array(repeating: "v", count: 64)
                @Sendable func round() async throws {
                    for name in Set(names) { try await daemon.succeed(.create(name, Self.options)) }
                    for method in [PluginRequest.mount, PluginRequest.unmount] {
                        try await withThrowingTaskGroup { group in
                            for (number, name) in names.enumerated() {
                                group.addTask { _ = try await daemon.succeed(method(name, "\(number)")) }
                            }
                            try await group.waitForAll()
                        }
                    }
                    for name in Set(names) { try await daemon.succeed(.remove(name)) }
                }
                let rounds = FaultTests.isLong ? 100 : 4
                try await expectNothingLeft(
                    daemon, warmUp: { for _ in 0..<3 { try await round() } }, { for _ in 0..<rounds { try await round() } })
            }
        }

        /// One status a volume every ten seconds.
        @Test func aDayOfStatusCallsLeavesNothing() async throws {
            try await DaemonHost.with { hosts in
                let daemon = hosts[0]
                @Sendable func calls(_ count: Int) async throws {
                    try await blocking {
                        for _ in 0..<count {
                            for request in [PluginRequest.get("v1"), .list] where try !request.send(to: daemon.socket).isSuccess {
                                throw Trouble("\(request) failed")
                            }
                        }
                    }
                }
                try await expectNothingLeft(
                    daemon,
                    warmUp: {
                        for number in 0..<10 { try await daemon.succeed(.create("v\(number)", Self.options)) }
                        try await daemon.succeed(.mount("v1", "1"))
                        try await calls(500)
                    }, { try await calls(8640) })
            }
        }
    }
}
