// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Synchronization

/// Work on many things that is spent in the kernel, such as a change of each of a tree's files, done by a thread for each processor,
/// and at most by four.
public enum ParallelWork {
    /// More threads than that wait for one another in the file system.
    private static let mostThreads = 4

    /// Calls `body` with pieces of a list, at the same time, and returns when all are done.
    ///
    /// A piece for which no thread can be had is done by this one.
    ///
    /// - Parameters:
    ///   - least: things that are worth a thread.
    ///   - name: of the threads.
    /// - Returns: what `body` returned for each piece, in the order of the list.
    public static func map<Item: Sendable, Output: Sendable>(
        _ items: [Item], atLeast least: Int, named name: String, _ body: @escaping @Sendable (ArraySlice<Item>) -> Output
    ) -> [Output] {
        let width = min(sysconf(CInt(_SC_NPROCESSORS_ONLN)), mostThreads, items.count / least)
        guard width > 1, let pipe = try? makePipe() else { return items.isEmpty ? [] : [body(items[...])] }
        defer {
            close(pipe.reading)
            close(pipe.writing)
        }
        let bounds = (0...width).map { items.count * $0 / width }
        let outputs = Outputs<Output>(count: width)
        var started = 0
        for index in 0..<width {
            let work: @Sendable () -> Void = { outputs.set(body(items[bounds[index]..<bounds[index + 1]]), at: index) }
            let writing = pipe.writing
            let isStarted =
                index < width - 1
                && (try? BlockingThread.start(named: name) {
                    work()
                    var byte: UInt8 = 0
                    while write(writing, &byte, 1) < 0 && errno == EINTR {}
                }) != nil
            if isStarted { started += 1 } else { work() }
        }
        var byte: UInt8 = 0
        while started > 0 {
            if read(pipe.reading, &byte, 1) == 1 { started -= 1 }
        }
        return outputs.all
    }

    private final class Outputs<Output: Sendable>: Sendable {
        private let values: Mutex<[Output?]>

        init(count: Int) { values = Mutex(Array(repeating: nil, count: count)) }

        func set(_ output: Output, at index: Int) { values.withLock { $0[index] = output } }

        var all: [Output] { values.withLock { $0.compactMap(\.self) } }
    }
}
