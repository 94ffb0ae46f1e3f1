// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(5))) struct ParallelWorkTests {
    @Test(arguments: [0, 1, 127, 128, 255, 256, 1000, 4099])
    func allIsDoneOnceAndInOrder(count: Int) {
        let pieces = ParallelWork.map(Array(0..<count), atLeast: 128, named: "piece") { $0.map { $0 * 2 } }
        #expect(pieces.flatMap(\.self) == (0..<count).map { $0 * 2 })
        #expect(pieces.count <= max(1, min(4, count / 128)) && pieces.allSatisfy { !$0.isEmpty })
    }

    @Test(.enabled(if: sysconf(CInt(_SC_NPROCESSORS_ONLN)) > 1, "needs two processors"))
    func piecesAreDoneAtTheSameTime() {
        // Each waits until the other has begun.
        let begun = Atomic(0)
        let pieces = ParallelWork.map([1, 2], atLeast: 1, named: "piece") { piece -> Bool in
            begun.add(1, ordering: .sequentiallyConsistent)
            for _ in 0..<5000 where begun.load(ordering: .sequentiallyConsistent) < 2 { usleep(1000) }
            return begun.load(ordering: .sequentiallyConsistent) == 2 && piece.count == 1
        }
        #expect(pieces == [true, true])
    }
}
