// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Synchronization
import SystemPackage
import Testing

@testable import KernelMount

/// What the kernel does is made up here; MachineTests has its NFS client.
struct AttemptsUnderWayTests {
    /// What `mayGoOn` answers while these other attempts run, each at a server and waiting in a function.
    private func mayGoOn(
        _ own: String, in function: String?, others: [(server: String, function: String?)], patience: Duration = .zero
    ) throws(AttemptFailure) -> Bool {
        let functions = Mutex<[CInt: String]>([:])
        let underWay = AttemptsUnderWay(patience: patience, period: .seconds(1)) { process in functions.withLock { $0[process] } }
        func begin(_ remaining: ArraySlice<(server: String, function: String?)>, _ process: CInt) throws(AttemptFailure) -> Bool {
            guard let other = remaining.first else {
                functions.withLock { $0[0] = function }
                return try underWay.during(.init(server: own, waitingFunctions: ["waits"])) { $0?.mayGoOn(0) ?? true }
            }
            functions.withLock { $0[process] = other.function }
            return try underWay.during(.init(server: other.server, waitingFunctions: ["waits"])) { watch throws(AttemptFailure) in
                _ = watch?.mayGoOn(process)
                return try begin(remaining.dropFirst(), process + 1)
            }
        }
        return try begin(others[...], 1)
    }

    @Test func oneForWhichAnotherServersMountWaitsIsEnded() throws {
        #expect(try !mayGoOn("mute", in: "rpc_wait_bit_killable", others: [("good", "waits")]))
        #expect(try !mayGoOn("mute", in: nil, others: [("mute", "waits"), ("good", "waits")]))
    }

    @Test func onlyTheOneThatHasBeenBusyForLongestIsEnded() throws {
        #expect(try mayGoOn("later", in: nil, others: [("mute", "rpc_wait_bit_killable"), ("good", "waits")]))
    }

    @Test func nobodyIsEndedForMountsFromItsOwnServer() throws {
        #expect(try mayGoOn("slow", in: "rpc_wait_bit_killable", others: [("slow", "waits"), ("slow", "waits")]))
    }

    @Test func oneThatWaitsItselfIsNotInTheWay() throws {
        #expect(try mayGoOn("good", in: "waits", others: [("mute", "rpc_wait_bit_killable"), ("other", "waits")]))
    }

    @Test func nobodyIsEndedWhileNobodyWaits() throws {
        #expect(try mayGoOn("mute", in: "rpc_wait_bit_killable", others: [("good", "rpc_wait_bit_killable"), ("other", nil)]))
    }

    @Test func aServerHasSomeSecondsInAnyCase() throws {
        #expect(try mayGoOn("new", in: "rpc_wait_bit_killable", others: [("good", "waits")], patience: .seconds(1000)))
    }

    @Test func kindsThatDoNotWaitForOneAnotherAreNotWatched() throws {
        #expect(try AttemptsUnderWay().during(nil) { watch throws(AttemptFailure) in watch == nil })
    }

    // MARK: What a deadline says

    /// Whether an attempt counts as held up whose time is over while these others run.
    private func isHeldUp(
        _ own: String, was earlier: String? = nil, in function: String?, others: [(server: String, function: String?)],
        patience: Duration = .zero, end: SequenceKillReason = .deadline
    ) throws -> Bool {
        let names = Mutex<[CInt: String]>([:])
        let underWay = AttemptsUnderWay(patience: patience, period: .seconds(1)) { process in names.withLock { $0[process] } }
        func attempt(_ server: String, _ functions: [String?], _ process: CInt, _ body: () throws(AttemptFailure) -> Void)
            throws(AttemptFailure)
        {
            try underWay.during(MountPlan.Contention(server: server, waitingFunctions: ["waits"])) { watch throws(AttemptFailure) in
                for function in functions {
                    names.withLock { $0[process] = function }
                    _ = watch?.mayGoOn(process)
                }
                try body()
            }
        }
        func run(_ remaining: ArraySlice<(server: String, function: String?)>) throws(AttemptFailure) -> AttemptFailure? {
            var failure: AttemptFailure?
            guard let other = remaining.first else {
                do throws(AttemptFailure) {
                    try attempt(own, [earlier, function], 0) { () throws(AttemptFailure) in
                        throw AttemptFailure(.server, SystemError("fsconfig", .timedOut, on: "the server"), end: end)
                    }
                } catch {
                    failure = error
                }
                return failure
            }
            try attempt(other.server, [other.function], CInt(remaining.count)) { () throws(AttemptFailure) in
                failure = try run(remaining.dropFirst())
            }
            return failure
        }
        return try #require(try run(others[...])).wasHeldUp
    }

    @Test func whoIsKeptWaitingForAnotherServerHasShownNothingOfItsOwn() throws {
        #expect(try isHeldUp("good", in: "waits", others: [("mute", "rpc_wait_bit_killable")]))
        // The one that it waited for was killed, and the kernel has not let go of it.
        #expect(try isHeldUp("good", in: "waits", others: []))
        // It has just begun with its own.
        #expect(try isHeldUp("good", was: "waits", in: "rpc", others: [("mute", "rpc")], patience: .seconds(1000)))
        #expect(try !isHeldUp("good", was: "waits", in: "rpc", others: [("mute", "rpc")]))
        #expect(try !isHeldUp("mute", in: "rpc", others: [("good", "waits")]))
        #expect(try !isHeldUp("good", in: "waits", others: [("mute", "rpc")], end: .cancelled))
    }

    @Test func whoWaitsForAnAttemptAtItsOwnServerIsNotHeldUpByAnother() throws {
        #expect(try !isHeldUp("mute", in: "waits", others: [("mute", "rpc"), ("good", "waits")]))
    }

    @Test func theWordsForItBlameNobody() throws {
        var failure = AttemptFailure(.server, SystemError("fsconfig", .timedOut, on: "the server"), end: .deadline)
        failure.wasHeldUp = true
        let words = FailureExplanation(of: failure, by: Server(), subdirectory: nil, waited: .seconds(100))
        #expect(words.code == .heldUp)
        #expect(
            words.reason
                == "the kernel had it wait for a mount from another server, which did not end within 100 s, so nothing is known of nas; docker-nfsd status shows which server does not answer; try again"
        )
    }

    private struct Server: MountNegotiation {
        let plans: [MountPlan] = []
        let server = "nas"
        func step(after failure: AttemptFailure, of plan: Int) -> NegotiationStep { .end(failure) }
        func explanation(of failure: AttemptFailure, waited: Duration) -> FailureExplanation { .init(.other, "") }
    }
}
