// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import Logging
import SystemPackage
import TestSupport
import Testing

@testable import Volumes

/// For how long servers are waited for, and for which of their failures.
@Suite(.timeLimit(.minutes(2))) struct ServerRetriesTests {
    private func settings(_ patience: ServerPatience) -> VolumeSettings {
        var settings = VolumeSettings(kind: MemoryFileSystem(), stateDirectory: "/s", runtimeDirectory: "/r", processName: "x")
        settings.patience = patience
        return settings
    }

    private func retries(_ patience: ServerPatience, own: Duration? = nil) -> ServerRetries {
        ServerRetries(
            settings(patience), own: own, subject: "mounting volume data", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Fails in these ways, then succeeds.
    ///
    /// - Returns: how often it was tried, and with what it failed for good.
    private func run(
        _ retries: ServerRetries, _ failures: [StorageError], _ deadline: Deadline = Deadline(after: .seconds(100)),
        _ cancellation: Cancellation? = nil
    ) throws -> (attempts: Int, error: StorageError.Code?) {
        var attempts = 0
        let cancellation = try cancellation ?? Cancellation()
        do throws(StorageError) {
            try retries.run(until: deadline, cancellation) { mayWait throws(StorageError) in
                #expect(mayWait == (retries.period > .zero))
                attempts += 1
                if attempts <= failures.count { throw failures[attempts - 1] }
            }
            return (attempts, nil)
        } catch {
            return (attempts, error.code)
        }
    }

    private func error(_ code: StorageError.Code, mayPass: Bool = true) -> StorageError { StorageError(code, "it fails", mayPass: mayPass) }

    @Test func afterTheBootIsNotForEver() {
        #expect(ServerPatience.afterBoot.period(uptime: .seconds(20)) == .seconds(90))
        #expect(ServerPatience.afterBoot.period(uptime: .seconds(299)) == .seconds(90))
        #expect(ServerPatience.afterBoot.period(uptime: .seconds(300)) == .zero)
        #expect(ServerPatience.none.period(uptime: .seconds(1)) == .zero)
        #expect(ServerPatience.always(.seconds(7)).period(uptime: .seconds(86_400)) == .seconds(7))
    }

    @Test(arguments: [StorageError.Code.silent, .mute, .refused, .noRoute, .nameNotResolved, .stale, .versionNotOffered])
    func whatMayPassIsTriedAgain(code: StorageError.Code) throws {
        let (attempts, failure) = try run(retries(.always(.seconds(60))), [error(code)])
        #expect(attempts == 2 && failure == nil)
    }

    @Test(arguments: [StorageError.Code.accessDenied, .badOption, .exportNotThere, .conflict, .catalogue])
    func whatDoesNotPassIsTriedOnce(code: StorageError.Code) throws {
        #expect(try run(retries(.always(.seconds(60))), [error(code)]) == (1, code))
        #expect(try run(retries(.always(.seconds(60))), [error(.refused, mayPass: false)]) == (1, .refused))
    }

    @Test func withoutAPeriodThereIsOneAttempt() throws {
        #expect(try run(retries(.none), [error(.refused)]) == (1, .refused))
        // The volume's own word beats the host's.
        #expect(try run(retries(.always(.seconds(60)), own: .zero), [error(.refused)]) == (1, .refused))
        #expect(try run(retries(.none, own: .seconds(60)), [error(.refused)]) == (2, nil))
    }

    /// A name that nobody knows is a mistake, except while the server that registers it may still be starting.
    @Test func anUnknownNameIsWaitedForOnlyAfterTheBoot() throws {
        #expect(try run(retries(.always(.seconds(60))), [error(.nameNotResolved, mayPass: false)]) == (1, .nameNotResolved))
        let boot = ServerRetries(period: .seconds(90), takesUnknownNames: true, subject: "x", logger: retries(.none).logger)
        #expect(try run(boot, [error(.nameNotResolved, mayPass: false)]) == (2, nil))
    }

    @Test func aStaleHandleThatStaysIsTold() throws {
        let failures = [error(.refused), error(.stale), error(.stale), error(.stale), error(.stale)]
        #expect(try run(retries(.always(.seconds(60))), failures) == (4, .stale))
    }

    @Test func itEndsWithTheDeadlineAndWithItsCaller() async throws {
        #expect(try run(retries(.always(.seconds(60))), [error(.refused)], Deadline(after: .milliseconds(900))) == (1, .refused))
        let gone = try Cancellation()
        async let result = blocking { [self] in
            try run(retries(.always(.seconds(90))), Array(repeating: error(.refused), count: 99), Deadline(after: .seconds(100)), gone)
        }
        let began = ContinuousClock.now
        gone.cancel()
        let (attempts, failure) = try await result
        #expect(attempts == 1 && failure == .refused)
        #expect(ContinuousClock.now - began < .seconds(60))
    }
}
