// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import Synchronization
import Testing

@testable import Volumes

@Suite(.timeLimit(.minutes(5))) struct VolumeLocksTests {
    private let name = VolumeName("a")!

    @Test func volumesDoNotWaitForOneAnother() async {
        let locks = VolumeLocks()
        for text in ["a", "b", "c"] { #expect(await locks.acquire(VolumeName(text)!) == .acquired) }
        for text in ["a", "b", "c"] { locks.release(VolumeName(text)!) }
        #expect(await locks.acquire(name) == .acquired)
    }

    @Test func nobodyIsInsideWithAnother() async {
        let locks = VolumeLocks()
        let counter = Counter()
        await withTaskGroup { group in
            for _ in 0..<100 {
                group.addTask {
                    guard await locks.acquire(name) == .acquired else { return }
                    #expect(counter.add(1) == 1)
                    await Task.yield()
                    #expect(counter.add(-1) == 0)
                    locks.release(name)
                    counter.finish()
                }
            }
        }
        #expect(counter.finished == 100)
    }

    @Test func whoComesFirstIsServedFirst() async {
        let locks = VolumeLocks()
        let order = Order()
        #expect(await locks.acquire(name) == .acquired)
        let waiters = (0..<20).map { index in
            // Runs until it waits before it returns here.
            Task.immediate {
                #expect(await locks.acquire(name) == .acquired)
                order.add(index)
                locks.release(name)
            }
        }
        #expect(order.all.isEmpty)
        locks.release(name)
        for waiter in waiters { await waiter.value }
        #expect(order.all == Array(0..<20))
    }

    @Test func aWaiterThatIsCancelledGoesAndHoldsUpNobody() async {
        let locks = VolumeLocks()
        #expect(await locks.acquire(name) == .acquired)
        let first = Task.immediate { await locks.acquire(name) }
        let second = Task.immediate { await locks.acquire(name) }
        first.cancel()
        #expect(await first.value == .cancelled)
        locks.release(name)
        #expect(await second.value == .acquired)
        locks.release(name)
        #expect(await locks.acquire(name) == .acquired)
    }

    @Test func soManyWaitAndNoMore() async {
        let locks = VolumeLocks()
        #expect(await locks.acquire(name) == .acquired)
        let waiters = (0..<VolumeLocks.mostWaiters).map { _ in
            Task.immediate {
                let turn = await locks.acquire(name)
                if turn == .acquired { locks.release(name) }
                return turn
            }
        }
        #expect(await locks.acquire(name) == .refused)
        // Other volumes have nothing to do with it.
        #expect(await locks.acquire(VolumeName("b")!) == .acquired)
        // Whoever goes makes room at once.
        waiters[0].cancel()
        #expect(await waiters[0].value == .cancelled)
        let late = Task.immediate { await locks.acquire(name) }
        #expect(await locks.acquire(name) == .refused)
        locks.release(name)
        for waiter in waiters.dropFirst() { #expect(await waiter.value == .acquired) }
        #expect(await late.value == .acquired)
    }

    @Test func aCallThatIsNotLetInSaysWhy() async {
        let locks = VolumeLocks()
        #expect(await locks.acquire(name) == .acquired)
        let waiters = (0..<VolumeLocks.mostWaiters).map { _ in Task.immediate { await locks.acquire(name) } }
        let error = await #expect(throws: StorageError.self) { try await locks.exclusively(name) {} }
        #expect(error?.code == .tooManyCalls)
        #expect(error?.description == "too many calls wait for volume a (1000); try again when they are done")
        for waiter in waiters { waiter.cancel() }
        for waiter in waiters { #expect(await waiter.value == .cancelled) }
    }

    @Test func oneThatIsCancelledAlreadyDoesNotWait() async {
        let locks = VolumeLocks()
        #expect(await locks.acquire(name) == .acquired)
        let late = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await locks.acquire(name)
        }
        #expect(await late.value == .cancelled)
        locks.release(name)
        #expect(await locks.acquire(name) == .acquired)
    }
}

private final class Counter: Sendable {
    private let state = Mutex((inside: 0, finished: 0))
    var finished: Int { state.withLock { $0.finished } }

    func add(_ number: Int) -> Int {
        state.withLock { state in
            state.inside += number
            return state.inside
        }
    }

    func finish() { state.withLock { $0.finished += 1 } }
}

private final class Order: Sendable {
    private let list = Mutex<[Int]>([])
    var all: [Int] { list.withLock { $0 } }
    func add(_ number: Int) { list.withLock { $0.append(number) } }
}
