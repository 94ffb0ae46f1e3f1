// SPDX-License-Identifier: AGPL-3.0-or-later

import Logging
import Synchronization
import TestSupport
import Testing

@testable import Volumes

@Suite(.timeLimit(.minutes(5))) struct VolumeChoresTests {
    private final class Record: Sendable {
        private let words = Mutex<[String]>([])
        var all: [String] { words.withLock { $0 } }
        func add(_ word: String) { words.withLock { $0.append(word) } }
    }

    private let locks = VolumeLocks()
    private let done = Record()
    private var chores: VolumeChores { VolumeChores(locks, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) }
    private let one = VolumeName("one")!
    private let other = VolumeName("other")!

    @Test func whatIsWaitedForIsDone() async {
        await chores.run(one) { done.add("one") }
        #expect(done.all == ["one"])
        #expect(locks.acquireIfFree(one))
    }

    /// A call for a volume goes first, and others' chores do not wait for it.
    @Test func aVolumeThatIsWorkedOnIsLeftAloneUntilThen() async throws {
        let chores = chores
        #expect(locks.acquireIfFree(one))
        chores.add(one) { done.add("one") }
        chores.add(one) { done.add("one again") }
        await chores.run(other) { done.add("other") }
        #expect(done.all == ["other"])
        locks.release(one)
        try await eventually("the rest is done") { done.all.count == 3 }
        #expect(done.all == ["other", "one", "one again"])
    }

    @Test func theLockIsHeldMeanwhile() async {
        await chores.run(one) { done.add("\(locks.acquireIfFree(one))") }
        #expect(done.all == ["false"])
    }

    /// As at the end of a daemon, and then by the thread that has been started for it before.
    @Test func whatIsLeftIsDoneAtOnceAndOnce() async {
        let chores = chores
        chores.add(one) { done.add("one") }
        chores.doAll()
        #expect(done.all == ["one"])
        await chores.run(other) { done.add("other") }
        #expect(done.all == ["one", "other"])
    }
}
