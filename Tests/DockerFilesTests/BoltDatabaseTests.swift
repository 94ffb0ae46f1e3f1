// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import LinuxSystem
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import DockerFiles

@Suite struct BoltDatabaseTests {
    private func read(_ keys: [String], _ file: BoltFile, in scratch: FilePath) throws -> [String?] {
        let path = scratch.appending("db")
        try Data(file.bytes).write(to: URL(fileURLWithPath: path.string))
        return try BoltDatabase.values(of: keys, inBucket: "b", of: path).map { $0.map { String(decoding: $0, as: UTF8.self) } }
    }

    /// A bucket with two levels of branches, and a value that flows over to further pages.
    private func tree(pageSize: Int = 4096) -> BoltFile {
        var file = BoltFile(pageSize: pageSize)
        let long = [UInt8](repeating: UInt8(ascii: "x"), count: 3 * pageSize)
        file.put(page: 2, BoltFile.leaf([.bucket("a", root: 9), .bucket("b", root: 3), .value("c", [])]))
        file.put(page: 3, BoltFile.branch([("a", 4), ("m", 5)]))
        file.put(page: 4, BoltFile.branch([("a", 6), ("f", 7)]))
        file.put(page: 5, BoltFile.branch([("m", 8)]))
        file.put(page: 6, BoltFile.leaf([.value("a", [49]), .value("b", [50]), .bucket("c", root: 9)]))
        file.put(page: 7, BoltFile.leaf([.value("f", [51]), .value("g", [])]))
        file.put(page: 8, BoltFile.leaf([.value("m", long), .value("n", [52])]))
        file.put(meta: 0, root: 2, end: UInt64(file.bytes.count / pageSize), transaction: 4)
        file.put(meta: 1, root: 9, end: 10, transaction: 3)
        return file
    }

    @Test(arguments: [512, 4096, 16384, 65536])
    func findsValuesThroughAllKindsOfPages(pageSize: Int) async throws {
        try await withScratchFolder { scratch in
            let found = try read(
                ["a", "b", "f", "g", "n", "m", "0", "c", "d", "h", "z", ""], tree(pageSize: pageSize), in: scratch)
            #expect(found[..<5] == ["1", "2", "3", "", "4"])
            #expect(found[5]?.count == 3 * pageSize)
            #expect(found[6...].allSatisfy { $0 == nil })
        }
    }

    @Test func findsValuesInABucketOfOnePage() async throws {
        try await withScratchFolder { scratch in
            var file = BoltFile()
            file.put(page: 2, BoltFile.leaf([.bucket("b", root: 0, inline: BoltFile.leaf([.value("k", [49]), .value("l", [50])]))]))
            file.put(meta: 1, root: 2, end: 3, transaction: 1)
            let found = try read(["l", "k", "m"], file, in: scratch)
            #expect(found == ["2", "1", nil])
        }
    }

    @Test func findsNothingInABucketThatIsNotThere() async throws {
        try await withScratchFolder { scratch in
            var file = BoltFile()
            file.put(page: 2, BoltFile.leaf([]))
            file.put(meta: 0, root: 2, end: 3, transaction: 1)
            let found = try read(["k"], file, in: scratch)
            #expect(found == [nil])
        }
    }

    @Test(arguments: [(5, 4, "old"), (4, 5, "new")])
    func readsTheNewerTransaction(first: UInt64, second: UInt64, value: String) async throws {
        try await withScratchFolder { scratch in
            var file = BoltFile()
            for (page, text) in [(2, "old"), (3, "new")] {
                file.put(page: page, BoltFile.leaf([.bucket("b", root: 0, inline: BoltFile.leaf([.value("k", Array(text.utf8))]))]))
            }
            file.put(meta: 0, root: 2, end: 4, transaction: first)
            file.put(meta: 1, root: 3, end: 4, transaction: second)
            let found = try read(["k"], file, in: scratch)
            #expect(found == [value])
            // The other one, if the newer was cut short.
            let newer = first > second ? 0 : 4096
            file.bytes[newer + 64] ^= 1
            let other = try read(["k"], file, in: scratch)
            #expect(other == [value == "old" ? "new" : "old"])
        }
    }

    struct Damage: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let apply: @Sendable (inout BoltFile) -> Void

        init(_ description: String, _ apply: @escaping @Sendable (inout BoltFile) -> Void) {
            (testDescription, self.apply) = (description, apply)
        }
    }

    static let damages: [Damage] = [
        Damage("no meta page is whole") { $0.bytes[40] ^= 1 },
        Damage("another version") { $0.bytes[20] = 3 },
        Damage("a root outside") { $0.put(meta: 0, root: 9, end: 9, transaction: 9) },
        Damage("a root that is a meta page") { $0.put(meta: 0, root: 1, end: 9, transaction: 9) },
        Damage("a root that is far outside") { $0.put(meta: 0, root: .max - 1, end: .max, transaction: 9) },
        Damage("a root past the end of the file") { $0.put(meta: 0, root: 1000, end: 2000, transaction: 9) },
        Damage("a page that flows over the end") { $0.put([255, 0, 0, 0], at: 3 * 4096 + 12) },
        Damage("a page that flows over everything") { $0.put([255, 255, 255, 255], at: 3 * 4096 + 12) },
        Damage("a page of another kind") { $0.put([16, 0], at: 3 * 4096 + 8) },
        Damage("more elements than room") { $0.put([255, 255], at: 3 * 4096 + 10) },
        Damage("a page of branches without any") { $0.put([0, 0], at: 3 * 4096 + 10) },
        Damage("a name past the end of a page") { $0.put([255, 255, 255, 255], at: 3 * 4096 + 16 + 4) },
        Damage("a value past the end of a page") { $0.put([255, 255, 255, 255], at: 6 * 4096 + 16 + 12) },
        Damage("a position past the end of a page") { $0.put([255, 255, 255, 255], at: 6 * 4096 + 16 + 4) },
        Damage("a circle") { $0.put(page: 4, BoltFile.branch([("a", 3)])) },
        Damage("a bucket that is none") { $0.put(page: 2, BoltFile.leaf([.value("b", [1, 2, 3])])) },
        Damage("a bucket that is cut off") { $0.put(page: 2, BoltFile.leaf([.bucket("b", root: 0)])) },
        Damage("no page at all") { $0.bytes = [] },
        Damage("a piece of a page") { $0.bytes = Array($0.bytes[..<70]) },
        Damage("text") { $0.bytes = Array(repeating: UInt8(ascii: "a"), count: 100_000) },
    ]

    @Test(arguments: damages)
    func refusesWhatIsDamaged(damage: Damage) async throws {
        try await withScratchFolder { scratch in
            var file = tree()
            file.put([0, 0, 0, 0], at: 4096 + 16)
            damage.apply(&file)
            let error = #expect(throws: BoltError.self) { try read(["a"], file, in: scratch) }
            #expect(error?.description.hasPrefix("it is not a bbolt database, or a damaged one: ") == true)
        }
    }

    @Test func saysThatThereIsNone() async throws {
        try await withScratchFolder { scratch in
            let path = scratch.appending("db")
            #expect(throws: BoltError.failedCall(SystemError("open", .noSuchFileOrDirectory, on: path.string))) {
                try BoltDatabase.values(of: ["a"], inBucket: "b", of: path)
            }
        }
    }

    /// Whatever a byte is changed to, there is an answer or an error.
    @Test func survivesAnyDamage() async throws {
        try await withScratchFolder { scratch in
            let whole = tree(pageSize: 512)
            var random = SystemRandomNumberGenerator()
            for _ in 0..<500 {
                var file = whole
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    // Not in the meta pages, whose checksum would only say so.
                    file.bytes[Int.random(in: 1024..<file.bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                _ = try? read(["a", "m", "z"], file, in: scratch)
            }
            for count in stride(from: 0, to: whole.bytes.count, by: 37) {
                var file = whole
                file.bytes = Array(file.bytes[..<count])
                #expect(throws: BoltError.self) { try read(["a", "m", "z"], file, in: scratch) }
            }
        }
    }

    /// A writer that goes about it as bbolt does: a page that nothing refers to, then the older meta page.
    @Test func readsOneTransactionWhileOthersAreWritten() async throws {
        try await withScratchFolder { scratch in
            let path = scratch.appending("db")
            // So long that they are written over while they are read.
            let leaves = (0..<8).map { BoltFile.leaf([.value("k", [UInt8](repeating: $0, count: 1 << 20))]) }
            var file = BoltFile()
            file.put(page: 2, BoltFile.leaf([.bucket("b", root: 4)]))
            file.put(page: 3, BoltFile.leaf([.bucket("b", root: 304)]))
            file.put(page: 4, leaves[2])
            file.put(page: 304, leaves[1])
            file.put(meta: 0, root: 2, end: 604, transaction: 2)
            file.put(meta: 1, root: 3, end: 604, transaction: 1)
            try Data(file.bytes).write(to: URL(fileURLWithPath: path.string))

            let writer = try Writer(path.string, leaves)
            defer { writer.stop() }
            var seen: Set<UInt8> = []
            for _ in 0..<2000 {
                let value = try #require(try BoltDatabase.values(of: ["k"], inBucket: "b", of: path)[0])
                let pieces = Set(stride(from: 0, to: value.count, by: 1 << 12).map { value[$0] })
                try #require(pieces.count == 1)
                seen.formUnion(pieces)
            }
            #expect(seen.count > 1)
        }
    }

    private final class Writer: Sendable {
        private let isDone = Atomic(false)

        init(_ path: String, _ leaves: [[UInt8]]) throws {
            let descriptor = open(path, O_WRONLY | O_CLOEXEC)
            if descriptor < 0 { throw Trouble("open \(path)") }
            var pages = leaves
            for index in pages.indices { BoltFile.set(UInt32((pages[index].count - 1) / 4096), at: 12, in: &pages[index]) }
            Thread.detachNewThread { [self, pages] in
                defer { close(descriptor) }
                for transaction in 3... {
                    if isDone.load(ordering: .relaxed) { return }
                    let turn = transaction % 2
                    let page = pages[transaction % pages.count]
                    pwrite(descriptor, page, page.count, (4 + turn * 300) * 4096)
                    let meta = BoltFile.meta(
                        turn, root: UInt64(2 + turn), end: 604, transaction: UInt64(transaction), pageSize: 4096)
                    pwrite(descriptor, meta, meta.count, turn * 4096)
                    // Several within one reading, and then time for a reader, as the real one waits for its disk.
                    if transaction % 7 == 0 { usleep(10_000) }
                }
            }
        }

        func stop() { isDone.store(true, ordering: .relaxed) }
    }
}
