// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

/// The files of a mount that are accessed. Their names are made beforehand.
final class AccessTarget {
    fileprivate let paths: [UnsafeMutablePointer<CChar>]
    fileprivate let bigPath: UnsafeMutablePointer<CChar>

    /// - Parameter changed: for the second half of the files, which writing has changed.
    init(_ place: String, changed: Bool) throws {
        let all = Tree.paths(AccessLoop.fileCount * 2, below: place)
        paths = (changed ? all.suffix(AccessLoop.fileCount) : all.prefix(AccessLoop.fileCount)).map { strdup($0) }
        bigPath = strdup(AccessLoop.bigFile(in: place))
    }

    deinit { for path in paths + [bigPath] { free(path) } }
}

/// One kind of access, done again and again.
enum AccessLoop: String {
    case read = "open, read, close"
    case stat = "stat"
    case write = "open, write, close"
    case bigRead = "read of 64 KiB"
    case bigWrite = "write of 64 KiB"

    static let all = [read, stat, write, bigRead, bigWrite]
    static let reading = [read, stat, bigRead]
    /// Small files of 4 KiB.
    static let fileCount = 1000
    static let bigSize = 64 << 20
    private static let piece = 64 << 10

    static func bigFile(in folder: String) -> String { folder + "/big" }

    /// - Returns: nanoseconds of one access, from a thousand of them.
    func time(_ target: AccessTarget) throws -> Double {
        var buffer = [UInt8](repeating: 2, count: Self.piece)
        switch self {
        case .read: return try small(target, O_RDONLY) { Glibc.read($0, &buffer, Tree.size) }
        case .write: return try small(target, O_WRONLY) { Glibc.write($0, buffer, Tree.size) }
        case .bigRead: return try big(target, O_RDONLY) { Glibc.pread($0, &buffer, Self.piece, $1) }
        case .bigWrite: return try big(target, O_WRONLY) { Glibc.pwrite($0, buffer, Self.piece, $1) }
        case .stat:
            var status = Glibc.stat()
            let start = monotonicNanoseconds()
            for path in target.paths where Glibc.lstat(path, &status) != 0 { throw failed(path) }
            return (monotonicNanoseconds() - start) / Double(target.paths.count)
        }
    }

    private func small(_ target: AccessTarget, _ flags: CInt, _ access: (CInt) -> Int) throws -> Double {
        let start = monotonicNanoseconds()
        for path in target.paths {
            let file = open(path, flags | O_CLOEXEC)
            if access(file) != Tree.size { throw failed(path) }
            close(file)
        }
        return (monotonicNanoseconds() - start) / Double(target.paths.count)
    }

    private func big(_ target: AccessTarget, _ flags: CInt, _ access: (CInt, off_t) -> Int) throws -> Double {
        let file = open(target.bigPath, flags | O_CLOEXEC)
        defer { close(file) }
        let start = monotonicNanoseconds()
        for offset in stride(from: 0, to: Self.bigSize, by: Self.piece) where access(file, off_t(offset)) != Self.piece {
            throw failed(target.bigPath)
        }
        return (monotonicNanoseconds() - start) / Double(Self.bigSize / Self.piece)
    }

    private func failed(_ path: UnsafeMutablePointer<CChar>) -> BenchmarkError {
        BenchmarkError("\(rawValue): \(String(cString: path)): \(lastError())")
    }
}
