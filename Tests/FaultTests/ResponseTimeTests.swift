// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing

extension FaultTests {
    /// What an engine asks most, and waits for while it holds locks of its own, is answered from memory whatever else goes on.
    @Suite(.serialized, .timeLimit(.minutes(30))) struct ResponseTimeTests {
        /// What is promised for each call.
        private static let promise = Duration.milliseconds(50)
        /// On two cores that others use, too, a call now and then waits for the processor. One that waited for any of what goes on here would
        /// take many seconds.
        private static let worst = Duration.seconds(1)
        /// Of a hundred calls.
        private static let within = 95

        private static let calls = [
            ("Plugin.Activate", ""), ("VolumeDriver.Capabilities", "{}"), ("VolumeDriver.List", "{}"),
            ("VolumeDriver.Get", #"{"Name":"held"}"#), ("VolumeDriver.Path", #"{"Name":"held"}"#),
        ]

        /// Makes each call on a connection that is kept. Blocks.
        private static func round(_ socket: String, _ times: inout [String: [Duration]]) throws {
            guard let descriptor = UnixSocket.connection(to: socket) else { throw Trouble("nobody listens") }
            defer { close(descriptor) }
            var connection = HTTPConnection(descriptor)
            for (call, body) in calls {
                let request = "POST /\(call) HTTP/1.1\r\nHost: plugin\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                let began = ContinuousClock.now
                guard connection.write(Array(request.utf8)), let answer = connection.next() else { throw Trouble("\(call): no answer") }
                times[call, default: []].append(ContinuousClock.now - began)
                guard answer.firstLine.contains(" 200 ") else { throw Trouble("\(call): \(answer.firstLine)") }
            }
        }

        private final class Flag: Sendable {
            private let value = Mutex(false)
            var isSet: Bool { value.withLock { $0 } }
            func set() { value.withLock { $0 = true } }
        }

        private func threads(_ daemon: DaemonHost, named name: String) -> Int {
            guard let process = daemon.process else { return 0 }
            let folder = "/proc/\(process)/task"
            let threads = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            return threads.filter { (try? String(contentsOfFile: "\(folder)/\($0)/comm", encoding: .utf8)) == name + "\n" }.count
        }

        /// Volumes that are mounted, on the share, to be deleted with much in it, and of servers that do not answer.
        private func prepare(_ daemon: DaemonHost) async throws {
            try await daemon.start()
            try await daemon.succeed(.create("held", ["server": "silent", "path": "/export"]))
            try await daemon.succeed(.mount("held", "1"))
            for number in 0..<100 { try await daemon.succeed(.create("shared-\(number)")) }
            try await daemon.succeed(
                .create("large", ["server": "nas", "path": "/export", "subdir": "large", "create": "true", "onremove": "delete"]))
            let folder = daemon.exported("large")
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
            try "data".write(toFile: folder + "/file", atomically: false, encoding: .utf8)
            // Names of one file, for the device has few inodes.
            try await blocking {
                for number in 0..<30_000 where link(folder + "/file", "\(folder)/\(number)") != 0 { throw Trouble("link \(number)") }
            }
            for number in 0..<8 {
                try daemon.setTrouble("timed-out 600000", of: "mute\(number)")
                try await daemon.succeed(.create("mute-\(number)", ["server": "mute\(number)", "path": "/export"]))
            }
            try daemon.setTrouble("silent 600000", of: "silent")
        }

        @Test func whatIsKnownIsAnsweredAtOnceWhateverElseGoesOn() async throws {
            try await DaemonHost.with(1, DaemonHost.Settings(share: "nas:/export", refresh: 2)) { hosts in
                let daemon = hosts[0]
                try await prepare(daemon)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<8 { group.addTask { _ = try await daemon.send(.mount("mute-\(number)", "1"), limit: 600) } }
                    // In line behind the first of them.
                    for id in 2..<66 { group.addTask { _ = try await daemon.send(.mount("mute-0", "\(id)"), limit: 600) } }
                    try await eventually("the mounts hang") { threads(daemon, named: "volume") >= 8 }
                    try await eventually("a look at a server hangs", within: .seconds(60)) { threads(daemon, named: "health-server") > 0 }
                    let measured = try await measure(daemon)
                    #expect(threads(daemon, named: "volume") >= 8, "the mounts have ended")
                    await daemon.kill()
                    while (try? await group.next()) != nil {}
                    judge(measured)
                }
            }
        }

        /// While a large directory is deleted, and the catalogue of the share changes and is read.
        private func measure(_ daemon: DaemonHost) async throws -> [String: [Duration]] {
            let socket = daemon.socket
            return try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    try await daemon.succeed(.remove("large"))
                    return true
                }
                group.addTask {
                    for number in 0..<20 { try await daemon.succeed(.create("more-\(number)")) }
                    return true
                }
                let isOver = Flag()
                async let times = blocking {
                    var times: [String: [Duration]] = [:]
                    var rounds = 0
                    while rounds < 200 || !isOver.isSet {
                        try Self.round(socket, &times)
                        rounds += 1
                    }
                    return times
                }
                for try await _ in group {}
                isOver.set()
                return try await times
            }
        }

        private func judge(_ measured: [String: [Duration]]) {
            for (call, _) in Self.calls {
                let times = (measured[call] ?? []).sorted()
                guard times.count >= 200 else {
                    Issue.record("\(call): \(times.count) calls")
                    continue
                }
                let most = times[times.count * Self.within / 100]
                print(
                    "response time: \(call): median \(times[times.count / 2]), \(Self.within) % within \(most), worst \(times[times.count - 1]), \(times.count) calls"
                )
                #expect(most < Self.promise.onThisMachine, "\(call)")
                #expect(times[times.count - 1] < Self.worst.onThisMachine, "\(call)")
            }
        }
    }
}
