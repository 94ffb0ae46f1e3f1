// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import KernelMount
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import Volumes

/// The table of `docker-nfsd top`.
struct TrafficTableTests {
    private func counters(_ age: UInt64, operations: UInt64, read: UInt64, reads: UInt64, milliseconds: UInt64) -> ActivityCounters {
        var counters = ActivityCounters()
        (counters.age, counters.operations, counters.bytesRead) = (age, operations, read)
        counters.reads = .init(count: reads, milliseconds: milliseconds)
        counters.retransmissions = operations / 10
        return counters
    }

    private func sample(_ seconds: Int, _ volumes: [TrafficSample.Volume], since start: ContinuousClock.Instant) -> TrafficSample {
        TrafficSample(volumes: volumes, taken: start + .seconds(seconds))
    }

    private func volume(_ name: String, _ counters: ActivityCounters?, used: Int? = nil) -> TrafficSample.Volume {
        TrafficSample.Volume(
            name: name, server: "nas", state: counters == nil ? "-" : "mounted", counters: counters, usedPercent: used)
    }

    @Test func theBusiestFirst() {
        let start = ContinuousClock.now
        let early = sample(
            0,
            [
                volume("idle", counters(10, operations: 5, read: 5, reads: 0, milliseconds: 0)),
                volume("busy", counters(10, operations: 100, read: 1000, reads: 10, milliseconds: 50)), volume("none", nil),
            ], since: start)
        let late = sample(
            2,
            [
                volume("idle", counters(12, operations: 5, read: 5, reads: 0, milliseconds: 0)),
                volume("busy", counters(12, operations: 300, read: 1000 + (4 << 20), reads: 30, milliseconds: 100), used: 42),
                volume("none", nil),
            ], since: start)
        #expect(
            TrafficTable.lines(from: early, to: late) == [
                "VOLUME  SERVER  STATE    OPS/s   READ/s  WRITE/s  READ ms  WRITE ms  AGAIN  USED",
                "busy    nas     mounted    100  2.0 MiB      0 B      2.5         -     20   42%",
                "idle    nas     mounted    0.0      0 B      0 B        -         -      0     -",
                "none    nas     -            -        -        -        -         -      -     -",
            ])
    }

    @Test func withoutAnEarlierSampleThereAreNoFigures() {
        let one = sample(0, [volume("a", counters(10, operations: 5, read: 5, reads: 1, milliseconds: 1))], since: .now)
        #expect(TrafficTable.lines(from: nil, to: one)[1].split(separator: " ").dropFirst(3).allSatisfy { $0 == "-" })
    }

    /// A volume that was unmounted and mounted again has counted from zero.
    @Test func anotherSuperblockCountsFromItsMount() {
        let start = ContinuousClock.now
        let early = sample(0, [volume("a", counters(100, operations: 1000, read: 0, reads: 0, milliseconds: 0))], since: start)
        let late = sample(2, [volume("a", counters(1, operations: 8, read: 0, reads: 0, milliseconds: 0))], since: start)
        #expect(TrafficTable.lines(from: early, to: late)[1].split(separator: " ")[3] == "4.0")
    }

    @Test func namesOfOthersDoNothingToATerminal() {
        let one = sample(0, [volume("\u{1b}[2J" + String(repeating: "x", count: 100), nil)], since: .now)
        let lines = TrafficTable.lines(from: nil, to: one)
        #expect(lines[1].hasPrefix("?[2Jxxx") && !lines[1].unicodeScalars.contains("\u{1b}"))
        #expect(lines[1].count < 140)
    }

    private static let quantities: [(Double, String)] = [
        (0, "0 B"), (1023.4, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (200 * 1024, "200 KiB"), (5e6, "4.8 MiB"),
        (Double(UInt64.max), "16.0 EiB"), (-5, "0 B"),
    ]

    @Test(arguments: quantities)
    func bytesForPeople(count: Double, text: String) { #expect(MeasuredText.bytes(count) == text) }
}
