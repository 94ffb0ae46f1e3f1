// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage

/// Reads single values out of a bbolt database, beside the program that writes to it.
///
/// No lock is taken: bbolt's is held by its writer for as long as it runs. It is not needed either. A transaction writes to pages
/// that nothing refers to, and then to the older of the two meta pages. So what the newer meta page refers to stays as it is until a
/// second transaction begins, and that is after the first one has written its meta page. If the newest transaction is the same before
/// and after the reading, nothing of what was read has changed meanwhile.
///
/// Format: go.etcd.io/bbolt, version 2.
enum BoltDatabase {
    /// Levels of pages, at most; each level multiplies the number of values by dozens at least.
    private static let depthLimit = 24
    /// Bytes of one page with those that it flows over to.
    private static let pageLimit = 16 << 20
    /// With a pause between them, a quarter of a second: for a volume to be made it takes some milliseconds, and a reading far less.
    private static let attempts = 500
    /// Microseconds.
    private static let pause: useconds_t = 500

    /// - Returns: for each key its value, or nil if the bucket (or the key in it) is not there.
    static func values(of keys: [String], inBucket bucket: String, of path: FilePath) throws(BoltError) -> [[UInt8]?] {
        let file: CInt
        do throws(SystemError) {
            file = try systemCall("open", on: path.string) { open(path.string, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) }
        } catch {
            throw .failedCall(error)
        }
        defer { close(file) }
        for attempt in 0..<attempts {
            if attempt > 0 { usleep(pause) }
            guard let meta = try newestMeta(file, path) else {
                // Only one of the two is ever being written.
                if attempt < 3 { continue }
                throw .damaged("neither of its first two pages is whole")
            }
            let result: Result<[[UInt8]?], BoltError>
            do throws(BoltError) {
                result = .success(try Snapshot(file: file, path: path, meta: meta).values(of: keys, inBucket: bucket))
            } catch {
                result = .failure(error)
            }
            // A failure counts only if it is not of a page that was written meanwhile.
            if try newestMeta(file, path) == meta { return try result.get() }
        }
        throw .busy
    }

    private static func newestMeta(_ file: CInt, _ path: FilePath) throws(BoltError) -> BoltMeta? {
        let first = try read(file, path, at: 0, count: BoltMeta.length)
        if first.isEmpty { throw .damaged("it is empty") }
        let one = BoltMeta(first)
        // Only the first page says where the second begins.
        let sizes = one.map { [$0.pageSize] } ?? [4096, 16384, 65536, 512, 1024, 2048, 8192, 32768]
        for size in sizes {
            guard let other = BoltMeta(try read(file, path, at: size, count: BoltMeta.length)), other.pageSize == size else { continue }
            if let one, one.transaction > other.transaction { return one }
            return other
        }
        return one
    }

    /// - Returns: fewer bytes if the file ends.
    private static func read(_ file: CInt, _ path: FilePath, at offset: Int, count: Int) throws(BoltError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        do throws(SystemError) {
            while done < count {
                let got = try systemCall("pread", on: path.string) {
                    bytes.withUnsafeMutableBytes { pread(file, $0.baseAddress.map { $0 + done }, count - done, offset + done) }
                }
                if got == 0 { break }
                done += got
            }
        } catch {
            throw .failedCall(error)
        }
        return Array(bytes[..<done])
    }

    /// The database as one transaction left it.
    private struct Snapshot {
        let file: CInt
        let path: FilePath
        let meta: BoltMeta

        func values(of keys: [String], inBucket bucket: String) throws(BoltError) -> [[UInt8]?] {
            guard let found = try element(Array(bucket.utf8), in: try page(meta.root)) else { return keys.map { _ in nil } }
            guard found.isBucket, found.value.count >= 16 else { throw .damaged("\(bucket) is no bucket") }
            let root = Array(found.value).number(at: 0, as: UInt64.self)
            // A small bucket's only page is in the bucket itself.
            let top = root == 0 ? try BoltPage(Array(found.value.dropFirst(16))) : try page(root)
            var values: [[UInt8]?] = []
            for key in keys {
                let element = try element(Array(key.utf8), in: top)
                values.append(element.flatMap { $0.isBucket ? nil : Array($0.value) })
            }
            return values
        }

        private func element(_ key: [UInt8], in top: BoltPage) throws(BoltError) -> (isBucket: Bool, value: ArraySlice<UInt8>)? {
            var current = top
            for _ in 0..<BoltDatabase.depthLimit {
                if current.isLeaf {
                    for index in 0..<current.count {
                        let leaf = try current.leaf(index)
                        if leaf.key.elementsEqual(key) { return (leaf.isBucket, leaf.value) }
                    }
                    return nil
                }
                var next: UInt64?
                for index in 0..<current.count {
                    let branch = try current.branch(index)
                    if index > 0 && key.lexicographicallyPrecedes(branch.key) { break }
                    next = branch.page
                }
                guard let next else { throw .damaged("a page of branches has none") }
                current = try page(next)
            }
            throw .damaged("its tree has more than \(BoltDatabase.depthLimit) levels")
        }

        private func page(_ id: UInt64) throws(BoltError) -> BoltPage {
            guard id >= 2, id < meta.end, id < UInt64(Int32.max) else { throw .damaged("it refers to the page \(id)") }
            let offset = Int(id) * meta.pageSize
            var bytes = try read(offset, meta.pageSize)
            let length = (Int(bytes.number(at: 12, as: UInt32.self)) + 1) * meta.pageSize
            if length > meta.pageSize {
                guard length <= BoltDatabase.pageLimit else { throw .damaged("the page \(id) has \(length) bytes") }
                bytes = try read(offset, length)
            }
            return try BoltPage(bytes)
        }

        private func read(_ offset: Int, _ count: Int) throws(BoltError) -> [UInt8] {
            let bytes = try BoltDatabase.read(file, path, at: offset, count: count)
            guard bytes.count == count else { throw .damaged("it ends before the page at \(offset)") }
            return bytes
        }
    }
}
