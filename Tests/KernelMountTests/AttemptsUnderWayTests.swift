// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Synchronization
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
}
