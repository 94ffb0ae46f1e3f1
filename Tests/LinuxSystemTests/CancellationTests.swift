// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage
import Testing

struct CancellationTests {
    private func isReadable(_ descriptor: FileDescriptor) -> Bool {
        var request = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, 0) == 1
    }

    @Test func becomesReadableOnceAndStaysSo() throws {
        let cancellation = try Cancellation()
        #expect(!cancellation.isCancelled)
        #expect(!isReadable(cancellation.descriptor))
        cancellation.cancel()
        cancellation.cancel()
        #expect(cancellation.isCancelled)
        #expect(isReadable(cancellation.descriptor))
        #expect(isReadable(cancellation.descriptor))
    }

    @Test func isNotInheritedByPrograms() throws {
        let cancellation = try Cancellation()
        #expect(fcntl(cancellation.descriptor.rawValue, F_GETFD) & FD_CLOEXEC != 0)
        _ = cancellation.isCancelled
    }
}

struct DeadlineTests {
    @Test func aPollUntilItNeverEndsBeforeIt() {
        for microseconds in [1, 300, 999, 1001, 1500, 2700] {
            let deadline = Deadline(after: .microseconds(microseconds))
            poll(nil, 0, deadline.pollTimeout)
            #expect(deadline.hasPassed)
        }
    }

    @Test func thePastLeavesNothing() {
        let deadline = Deadline(after: .seconds(-5))
        #expect(deadline.hasPassed)
        #expect(deadline.remaining == .zero)
        #expect(deadline.pollTimeout == 0)
    }

    @Test func aDistantOneFitsPoll() {
        let deadline = Deadline(after: .seconds(1 << 40))
        #expect(!deadline.hasPassed)
        #expect(deadline.pollTimeout == .max)
    }

    @Test func theEarlierOfTwoWinsInBothOrders() {
        let soon = Deadline(after: .seconds(1))
        let late = Deadline(after: .seconds(2))
        #expect(soon.earlier(late).instant == soon.instant)
        #expect(late.earlier(soon).instant == soon.instant)
    }
}
