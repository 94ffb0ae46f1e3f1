// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import Synchronization
import SystemPackage
import Testing

struct PollTests {
    @Test func itSaysOnWhichDescriptorSomethingHasCome() throws {
        let quiet = try FileDescriptor.pipe()
        let busy = try FileDescriptor.pipe()
        defer { for end in [quiet.readEnd, quiet.writeEnd, busy.readEnd, busy.writeEnd] { try? end.close() } }
        _ = try busy.writeEnd.writeAll([1])
        var poll = Poll()
        let nothing = poll.add(nil)
        let first = poll.add(quiet.readEnd.rawValue)
        let second = poll.add(busy.readEnd.rawValue)
        let room = poll.add(quiet.writeEnd.rawValue, for: .writable)
        let hasCome = poll.wait(until: nil)
        #expect(hasCome)
        #expect(!poll.hasCome(at: nothing) && !poll.hasCome(at: first))
        #expect(poll.events(at: second) == .readable)
        #expect(poll.events(at: room) == .writable)
    }

    @Test func anEndComesWithoutBeingAskedFor() throws {
        let pipe = try FileDescriptor.pipe()
        defer { try? pipe.writeEnd.close() }
        try pipe.readEnd.close()
        var poll = Poll()
        let place = poll.add(pipe.writeEnd.rawValue, for: [])
        let hasCome = poll.wait(until: Deadline(after: .seconds(10)))
        #expect(hasCome)
        #expect(!poll.events(at: place).isDisjoint(with: .failed))
    }

    @Test func withoutAnythingItEndsAtTheDeadlineAndNotBefore() throws {
        let pipe = try FileDescriptor.pipe()
        defer { for end in [pipe.readEnd, pipe.writeEnd] { try? end.close() } }
        let limit = Duration.milliseconds(30)
        let begin = ContinuousClock.now
        #expect(!Poll.wait(for: pipe.readEnd.rawValue, until: Deadline(after: limit)))
        #expect(.now - begin >= limit)
        #expect(!Poll.wait(for: pipe.readEnd.rawValue, until: .now))
    }

    @Test func aSignalDoesNotEndIt() async throws {
        let pipe = try FileDescriptor.pipe()
        defer { for end in [pipe.readEnd, pipe.writeEnd] { try? end.close() } }
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in }
        sigaction(SIGURG, &action, nil)
        let limit = Duration.milliseconds(100)
        let thread = Mutex<pthread_t?>(nil)
        let outcome = Mutex<(hasCome: Bool, took: Duration)?>(nil)
        try BlockingThread.start(named: "poll") {
            let begin = ContinuousClock.now
            thread.withLock { $0 = pthread_self() }
            let hasCome = Poll.wait(for: pipe.readEnd.rawValue, until: Deadline(after: limit))
            // While the lock is held, nobody signals a thread that has ended.
            thread.withLock { $0 = nil }
            outcome.withLock { $0 = (hasCome, .now - begin) }
        }
        while outcome.withLock({ $0 }) == nil {
            thread.withLock { if let thread = $0 { pthread_kill(thread, SIGURG) } }
            await Task.yield()
        }
        let said = try #require(outcome.withLock { $0 })
        #expect(!said.hasCome && said.took >= limit)
    }

    @Test func aBootHasTheKernelsName() throws {
        let boot = try Boot.current()
        #expect(boot.text.utf8.count == 36 && boot.text.utf8.filter { $0 == UInt8(ascii: "-") }.count == 4)
        #expect(try Boot.current() == boot)
    }
}
