// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import Logging
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Volumes

/// Several callers at once, at servers that exist in memory only.
@Suite(.timeLimit(.minutes(2))) final class ServerGateTests: Sendable {
    private let servers: PoolServers
    private let states = ServerStates(
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, costly: .zero, firstPause: .seconds(600))
    private let began = Mutex<[String]>([])

    init() throws { servers = try PoolServers() }

    private func pass(_ pool: String, _ cancellation: Cancellation? = nil, mayWait: Bool = false) throws {
        let source = try MemoryFileSystem(servers: servers).source(["pool": pool])
        let attempt = ServerAttempt(
            source: source, deadline: Deadline(after: .seconds(100)), cancellation: cancellation, mayWait: mayWait, hasTime: true)
        try states.pass(attempt) { deadline throws(StorageError) in
            began.withLock { $0.append(pool) }
            _ = try source.probe(until: deadline, cancellation: cancellation)
        }
    }

    private func failure(_ pool: String, _ cancellation: Cancellation? = nil) async -> StorageError? {
        do {
            try await blocking { [self] in try pass(pool, cancellation) }
            Issue.record("it was let through")
            return nil
        } catch {
            return error as? StorageError
        }
    }

    @Test func whileOneWaitsForADeadServerOthersMountAndTheNextIsToldAtOnce() async throws {
        servers.set("dead", .hangs)
        async let first = failure("a@dead")
        try await eventually("the first is asked") { servers.calls("dead") == 1 }
        try await blocking { [self] in try pass("b@healthy") }
        servers.letGo()
        #expect(await first?.reason == "dead is silent")
        let second = try #require(await failure("c@dead"))
        #expect(servers.calls("dead") == 1, "it was asked again")
        #expect(second.code == .silent && second.mayPass)
        let since = try #require(states.state(of: "dead")?.outage?.since)
        #expect(
            second.description.hasPrefix("cannot mount pool:c@dead: dead has not answered since \(since), for 0 s (it is asked again in "))
        #expect(second.description.hasSuffix(" s): dead is silent"))
        try await blocking { [self] in try pass("b@healthy") }
    }

    @Test func aFailureThatCostNothingIsFoundAgainByEach() async throws {
        servers.set("nas", .fails(.refused))
        for count in 1...3 {
            #expect(await failure("a@nas")?.reason == "nas fails")
            #expect(servers.calls("nas") == count)
        }
        servers.set("nas", .answers)
        try await blocking { [self] in try pass("a@nas") }
    }

    @Test func aProbeThatSucceedsLetsAllThrough() async throws {
        servers.set("nas", .fails(.silent))
        _ = await failure("a@nas")
        servers.set("nas", .answers)
        #expect(await failure("a@nas")?.reason.contains("it is asked again in") == true)
        let source = try MemoryFileSystem(servers: servers).source(["pool": "b@nas"])
        #expect(try states.probe(source, until: Deadline(after: .seconds(100))))
        try await blocking { [self] in try pass("a@nas") }
    }

    @Test func theFirstOfManyIsWaitedForAndThenAllMount() async throws {
        let hold = try Cancellation()
        let source = try MemoryFileSystem(servers: servers).source(["pool": "first@nas"])
        let attempt = ServerAttempt(
            source: source, deadline: Deadline(after: .seconds(100)), cancellation: nil, mayWait: false, hasTime: true)
        async let first: Void = blocking { [self] in
            try states.pass(attempt) { _ throws(StorageError) in
                began.withLock { $0.append("first") }
                Poll.wait(for: hold.descriptor.rawValue, until: Deadline(after: .seconds(100)))
                began.withLock { $0.append("first ends") }
            }
        }
        try await eventually("the first began") { began.withLock { $0 == ["first"] } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<8 { group.addTask { [self] in try await blocking { [self] in try pass("\(number)@nas") } } }
            // Those of another server do not wait for it.
            try await blocking { [self] in try pass("other@healthy") }
            hold.cancel()
            try await group.waitForAll()
        }
        try await first
        let order = began.withLock { $0 }
        #expect(order.count == 11 && order[0] == "first")
        let end = try #require(order.firstIndex(of: "first ends"))
        #expect(order[..<end].allSatisfy { !$0.hasSuffix("@nas") }, "\(order)")
        #expect(try #require(order.firstIndex(of: "other@healthy")) < end, "\(order)")
    }

    @Test func aCallerThatLeavesIsNotKeptInLine() async throws {
        servers.set("dead", .hangs)
        async let first = failure("a@dead")
        try await eventually("the first is asked") { servers.calls("dead") == 1 }
        let gone = try Cancellation()
        async let second = failure("b@dead", gone)
        gone.cancel()
        #expect(await second?.code == .cancelled)
        #expect(servers.calls("dead") == 1)
        servers.letGo()
        _ = await first
    }

    // MARK: Exports that hang

    /// An attempt at an export whose server answers, and which ends so.
    private func attempt(_ states: ServerStates, _ pool: String, _ code: StorageError.Code? = nil) throws -> StorageError? {
        let source = try MemoryFileSystem(servers: servers).source(["pool": pool])
        let attempt = ServerAttempt(
            source: source, deadline: Deadline(after: .seconds(100)), cancellation: nil, mayWait: false, hasTime: true)
        do throws(StorageError) {
            try states.pass(attempt) { _ throws(StorageError) in
                if let code { throw .mounting(source.text, code, "it fails") }
            }
            return nil
        } catch {
            return error
        }
    }

    private func states(_ log: LogBook = LogBook(), pause: Duration = .seconds(600)) -> ServerStates {
        ServerStates(logger: log.logger, costly: .zero, firstPause: pause)
    }

    @Test func anExportThatHangsKeepsNobodyFromTheOthersOfItsServer() throws {
        let log = LogBook()
        let states = states(log)
        #expect(try attempt(states, "well@nas") == nil)
        #expect(try attempt(states, "hung@nas", .timedOut)?.reason == "it fails")
        let refused = try #require(try attempt(states, "hung@nas", .timedOut))
        #expect(refused.code == .timedOut && refused.mayPass)
        #expect(refused.reason.hasPrefix("the export has not been mounted since "))
        #expect(refused.reason.hasSuffix(" s): it fails"))
        for _ in 0..<3 { #expect(try attempt(states, "well@nas") == nil) }
        #expect(try attempt(states, "hung@nas")?.reason.hasPrefix("the export has not been mounted since ") == true)
        // It is seen by those who use it, and the server answers.
        let hung = try MemoryFileSystem(servers: servers).source(["pool": "hung@nas"])
        #expect(states.state(of: hung)?.outage?.code == .timedOut)
        #expect(states.state(of: "nas")?.outage == nil)
        #expect(log.all == ["warning server nas answers, and does not complete mounts of pool:hung@nas (timed-out): it fails"])
    }

    @Test func anExportThatHangsIsTriedAgainByItselfAndComesBack() throws {
        let log = LogBook()
        let states = states(log, pause: .zero)
        for _ in 0..<3 { #expect(try attempt(states, "hung@nas", .timedOut)?.reason == "it fails") }
        #expect(states.state(of: "nas")?.outage == nil, "one export is not the server")
        #expect(try attempt(states, "hung@nas") == nil)
        let source = try MemoryFileSystem(servers: servers).source(["pool": "hung@nas"])
        #expect(states.state(of: source)?.outage == nil)
        #expect(log.all.last?.hasPrefix("notice pool:hung@nas can be mounted again; it could not since ") == true)
        #expect(log.all.count == 2)
    }

    @Test func twoExportsThatBeginToHangAreTheServer() throws {
        let states = states()
        _ = try attempt(states, "well@nas")
        _ = try attempt(states, "a@nas", .timedOut)
        _ = try attempt(states, "b@nas", .timedOut)
        #expect(states.state(of: "nas")?.outage?.code == .timedOut)
        #expect(try attempt(states, "well@nas")?.reason.hasPrefix("nas has not answered since ") == true)
    }

    @Test func aMountBetweenTwoThatHangShowsThatItIsNotTheServer() throws {
        let states = states()
        for hung in ["a@nas", "b@nas", "c@nas"] {
            _ = try attempt(states, hung, .timedOut)
            #expect(try attempt(states, "well@nas") == nil)
        }
        #expect(states.state(of: "nas")?.outage == nil)
    }

    @Test func aServerWithoutAnAnswerIsAwayForAllItsExports() throws {
        for code in [StorageError.Code.silent, .mute] {
            let states = states()
            _ = try attempt(states, "hung@nas", .timedOut)
            _ = try attempt(states, "a@nas", code)
            for pool in ["hung@nas", "b@nas"] {
                #expect(try attempt(states, pool)?.reason.hasPrefix("nas has not answered since ") == true)
            }
        }
    }

    /// An export's trial does not take the turn of the server's.
    @Test func aServerIsTriedByWhatIsNotKnownToHang() throws {
        let states = states(pause: .zero)
        _ = try attempt(states, "a@nas", .timedOut)
        _ = try attempt(states, "b@nas", .timedOut)
        let failures = try #require(states.state(of: "nas")?.outage?.failures)
        for _ in 0..<3 { _ = try attempt(states, "a@nas", .timedOut) }
        #expect(states.state(of: "nas")?.outage?.failures == failures)
        #expect(try attempt(states, "well@nas") == nil)
        #expect(states.state(of: "nas")?.outage == nil)
    }

    @Test func whatIsKeptOfExportsIsBounded() throws {
        let states = states()
        for number in 0..<100 {
            _ = try attempt(states, "\(number)@nas", .timedOut)
            _ = try attempt(states, "well@nas")
        }
        let last = try MemoryFileSystem(servers: servers).source(["pool": "99@nas"])
        #expect(states.state(of: last)?.outage == nil)
        #expect(try attempt(states, "0@nas")?.code == .timedOut)
    }
}
