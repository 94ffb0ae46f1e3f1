// SPDX-License-Identifier: AGPL-3.0-or-later

import Measuring

/// The measures against the C peer: starting, and the calls that are answered from memory.
struct CallMeasures {
    let settings: Settings
    let folder: String

    private static let volumeCount = 1000
    private static let getBody = #"{"Name":"volume-500"}"#
    private static let createBody = #"{"Name":"volume-%d","Opts":{"server":"127.0.0.1","path":"/exports/data"}}"#

    func start(_ report: inout Report) throws {
        let ours = try Server.daemon(settings, in: folder + "/start-ours")
        let peer = try Server.peer(settings, in: folder + "/start-peer")
        // The first start of all reads the program from the disk and makes folders.
        _ = try (ours.timeToFirstAnswer(), peer.timeToFirstAnswer())
        let empty = try alternate(rounds: settings.rounds, ours: ours.timeToFirstAnswer, theirs: peer.timeToFirstAnswer)
        report.add("start to first answer", .nanoseconds, empty, limit: .ratio(2.5))
        let process = try ours.start()
        try ours.each("Create", Self.createBody, count: Self.volumeCount)
        try process.stop()
        // The peer keeps nothing, so it has nothing to read at its start.
        let full = try alternate(rounds: settings.fewRounds, ours: ours.timeToFirstAnswer, theirs: peer.timeToFirstAnswer)
        report.add("start to first answer, 1,000 volumes on the disk", .nanoseconds, full)
    }

    func getAndList(_ report: inout Report) throws {
        let ours = try Server.daemon(settings, in: folder + "/calls-ours")
        let peer = try Server.peer(settings, in: folder + "/calls-peer")
        let sides = try ((ours, ours.start()), (peer, peer.start()))
        for server in [ours, peer] { try server.each("Create", Self.createBody, count: Self.volumeCount) }
        if settings.measures.contains(.get) {
            let (time, processor) = try measure("Get", Self.getBody, count: 2000, rounds: settings.rounds, sides.0, sides.1)
            report.add("Get, p50", .nanoseconds, time, limit: .ratio(2))
            report.add("Get, CPU", .nanoseconds, processor, limit: .ratio(2.5))
        }
        if settings.measures.contains(.list) {
            let (time, processor) = try measure("List", "{}", count: 20, rounds: settings.fewRounds, sides.0, sides.1)
            report.add("List of 1,000, CPU", .nanoseconds, processor, limit: .value(4e6))
            report.add("List of 1,000, p50", .nanoseconds, time)
        }
        try sides.0.1.stop()
        try sides.1.1.stop()
    }

    func memory(_ report: inout Report) throws {
        let ours = try Server.daemon(settings, in: folder + "/memory-ours")
        let peer = try Server.peer(settings, in: folder + "/memory-peer")
        let idle = try (memory(of: ours), memory(of: peer))
        report.add("resident, idle", .bytes, ours: idle.0.idle, peer: idle.1.idle, limit: .value(14e6))
        report.add("resident, more after 50,000 Gets", .bytes, ours: idle.0.growth, peer: idle.1.growth, ratio: .nan, limit: .value(1e6))
    }

    /// Time and processor time of a call, on both sides.
    private func measure(
        _ name: String, _ body: String, count: Int, rounds: Int, _ ours: (Server, Process), _ peer: (Server, Process)
    ) throws -> (time: Pairs, processor: Pairs) {
        var (ourProcessor, peerProcessor): ([Double], [Double]) = ([], [])
        func once(_ side: (server: Server, process: Process), _ processor: inout [Double]) throws -> Double {
            let before = try side.process.processorNanoseconds
            let time = try side.server.each(name, body, count: count)
            processor.append((try side.process.processorNanoseconds - before) / Double(count))
            return time
        }
        // Code that has never run is slow the first time.
        _ = try (once(ours, &ourProcessor), once(peer, &peerProcessor))
        (ourProcessor, peerProcessor) = ([], [])
        let time = try alternate(rounds: rounds, ours: { try once(ours, &ourProcessor) }, theirs: { try once(peer, &peerProcessor) })
        var processor = Pairs()
        for (first, second) in zip(ourProcessor, peerProcessor) { processor.add(ours: first, theirs: second) }
        return (time, processor)
    }

    private func memory(of server: Server) throws -> (idle: Double, growth: Double) {
        let process = try server.start()
        try server.call("Capabilities", "{}")
        try server.each("Create", Self.createBody)
        try server.call("Get", #"{"Name":"volume-0"}"#)
        try server.call("List", "{}")
        let idle = try process.residentBytes
        try server.each("Get", #"{"Name":"volume-0"}"#, count: 50_000)
        let after = try process.residentBytes
        try process.stop()
        return (idle, after - idle)
    }
}
