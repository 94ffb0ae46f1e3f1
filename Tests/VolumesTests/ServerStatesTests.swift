// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import Logging
import TestSupport
import Testing

@testable import Volumes

/// What is remembered of servers, with servers that exist in memory only.
@Suite(.timeLimit(.minutes(2))) struct ServerStatesTests {
    private let servers: PoolServers
    private let states = ServerStates(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })

    init() throws { servers = try PoolServers() }

    private func source(_ pool: String) throws -> any FileSystemSource {
        try MemoryFileSystem(servers: servers).source(["pool": pool])
    }

    private func error(_ code: StorageError.Code, _ reason: String = "it fails") -> StorageError {
        .mounting("pool:disk", code, reason).prefixed(by: "cannot mount volume data")
    }

    /// One attempt to mount, which ends so.
    private func attempt(_ pool: String, hasTime: Bool = true, _ failure: StorageError? = nil) throws {
        let attempt = ServerAttempt(
            source: try source(pool), deadline: Deadline(after: .seconds(100)), cancellation: nil, mayWait: false, hasTime: hasTime)
        do throws(StorageError) {
            try states.pass(attempt) { _ throws(StorageError) in
                if let failure { throw failure }
            }
        } catch {
            #expect(error.description == failure?.description)
        }
    }

    @Test func nothingIsKnownOfAServerThatWasNotAsked() throws {
        #expect(states.state(of: "nas")?.outage == nil && states.state(of: "nas")?.lastAnswer == nil)
        #expect(states.all.isEmpty)
    }

    @Test func anOutageBeginsWithTheFirstFailureAndEndsWithAnAnswer() throws {
        try attempt("disk@nas", error(.silent, "first"))
        let first = try #require(states.state(of: "nas")?.outage)
        #expect(first.code == .silent && first.reason == "first" && first.failures == 1)
        #expect(first.since == first.since.filter { $0 != " " } && first.since.hasSuffix("Z"))
        try attempt("disk@nas", error(.refused, "second"))
        let second = try #require(states.state(of: "nas")?.outage)
        #expect(second.since == first.since && second.began == first.began && second.lastFailed > first.lastFailed)
        #expect(second.code == .refused && second.reason == "second" && second.failures == 2)
        #expect(states.state(of: "nas")?.lastAnswer == nil)
        try attempt("other@nas")
        let after = try #require(states.state(of: "nas"))
        #expect(after.outage == nil && after.lastAnswer != nil && after.lastAnswered != nil)
        #expect(states.all.keys.sorted() == ["nas"])
    }

    @Test(arguments: [StorageError.Code.accessDenied, .exportNotThere, .stale, .subdirectory])
    func aServerThatSaysNoAnswers(code: StorageError.Code) throws {
        try attempt("disk@nas", error(.silent))
        try attempt("disk@nas", error(code))
        #expect(states.state(of: "nas")?.outage == nil)
    }

    @Test(arguments: [StorageError.Code.cancelled, .badOption, .local, .noKernelSupport, .stuck, .heldUp])
    func whatIsNotTheServersDoingSaysNothingOfIt(code: StorageError.Code) throws {
        try attempt("disk@nas", error(code))
        #expect(states.state(of: "nas")?.outage == nil && states.state(of: "nas")?.lastAnswer == nil)
        try attempt("disk@nas", error(.silent))
        try attempt("disk@nas", error(code))
        #expect(states.state(of: "nas")?.outage?.code == .silent)
    }

    /// The trial of a breaker has less time than the caller.
    @Test func theLimitOfATrialIsNoEndForACallerThatWaits() throws {
        let states = ServerStates(logger: LogBook().logger, costly: .zero, firstPause: .zero)
        func failure() throws -> StorageError {
            let attempt = ServerAttempt(
                source: try source("disk@nas"), deadline: Deadline(after: .seconds(100)), cancellation: nil, mayWait: true, hasTime: true)
            return try #require(
                #expect(throws: StorageError.self) {
                    try states.pass(attempt) { _ throws(StorageError) in throw error(.timedOut) }
                })
        }
        // The first contact has all the time that the caller has.
        #expect(try !failure().mayPass)
        #expect(try failure().mayPass)
    }

    @Test func noAnswerToAnAttemptWithoutTimeSaysNothing() throws {
        try attempt("disk@nas", hasTime: false, error(.silent))
        #expect(states.state(of: "nas")?.outage == nil && states.state(of: "nas")?.lastAnswer == nil)
        try attempt("disk@nas", hasTime: false, error(.refused))
        #expect(states.state(of: "nas")?.outage?.code == .refused)
    }

    @Test func aProbeNotesWhatItFinds() throws {
        let deadline = Deadline(after: .seconds(100))
        servers.set("nas", .fails(.mute))
        #expect(throws: StorageError.self) { try states.probe(try source("disk@nas"), until: deadline) }
        #expect(states.state(of: "nas")?.outage?.code == .mute)
        servers.set("nas", .answers)
        #expect(try states.probe(try source("disk@nas"), until: deadline))
        #expect(states.state(of: "nas")?.outage == nil)
        servers.set("nas", .fails(.cancelled))
        #expect(throws: StorageError.self) { try states.probe(try source("disk@nas"), until: deadline) }
        #expect(states.state(of: "nas")?.outage == nil)
    }

    /// Such a server takes the connection, answers the question whether it is there, and mounts nothing.
    @Test func aProbeDoesNotEndWhatOnlyAMountHasShown() throws {
        try attempt("disk@nas", error(.timedOut))
        try attempt("other@nas", error(.timedOut))
        #expect(try states.probe(try source("disk@nas"), until: Deadline(after: .seconds(100))))
        #expect(states.state(of: "nas")?.outage?.code == .timedOut)
        try attempt("disk@nas")
        #expect(states.state(of: "nas")?.outage == nil)
    }

    @Test func whatIsKeptIsBounded() throws {
        try attempt("disk@first", error(.silent, String(repeating: "é", count: 4096)))
        #expect(states.state(of: "first")?.outage?.reason.utf8.count == ServerStates.longestReason)
        for number in 0..<1500 { states.answered("server\(number)", by: .probe) }
        #expect(states.all.count == 1024)
        #expect(states.state(of: "first") == nil && states.state(of: "server0") == nil && states.state(of: "server1499") != nil)
    }
}
