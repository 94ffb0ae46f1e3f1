// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc

/// Linux' values, which libc shows only with _GNU_SOURCE. include/uapi/linux/fs.h, linux/xattr.h.
private let exchange: UInt32 = 2
@_silgen_name("renameat2") private func renameat2(
    _ from: CInt, _ old: UnsafePointer<CChar>, _ to: CInt, _ new: UnsafePointer<CChar>, _ flags: UInt32
) -> CInt
@_silgen_name("lsetxattr") private func lsetxattr(
    _ path: UnsafePointer<CChar>, _ key: UnsafePointer<CChar>, _ value: UnsafeRawPointer?, _ size: Int, _ flags: CInt
) -> CInt
@_silgen_name("lgetxattr") private func lgetxattr(
    _ path: UnsafePointer<CChar>, _ key: UnsafePointer<CChar>, _ value: UnsafeMutableRawPointer?, _ size: Int
) -> Int
@_silgen_name("llistxattr") private func llistxattr(_ path: UnsafePointer<CChar>, _ list: UnsafeMutablePointer<CChar>?, _ size: Int) -> Int
@_silgen_name("fallocate") private func fallocate(_ file: CInt, _ mode: CInt, _ offset: off_t, _ length: off_t) -> CInt
@_silgen_name("lremovexattr") private func lremovexattr(_ path: UnsafePointer<CChar>, _ key: UnsafePointer<CChar>) -> CInt

/// Numbers that look random and are the same for the same seed. xorshift64*
struct SeededNumbers {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

    mutating func next(_ bound: Int) -> Int {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return Int((state &* 0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

/// A sequence of what programs do to a tree, the same for the same seed, wherever the tree is.
struct TreeWorkload {
    let seed: UInt64
    var steps = 120

    /// null, zero, full, random, urandom: later steps write to them. makedev(3)
    private static let harmlessDevices: [dev_t] = [0x103, 0x105, 0x107, 0x108, 0x109]
    private static let names = ["a", "b", "c", "d", "n\nl, é:\\"]

    /// A tree to begin with.
    func plant(at root: String) {
        var numbers = SeededNumbers(seed: seed &+ 1_000_003)
        for step in 0..<40 { Self.act(&numbers, step, root, kinds: [0, 0, 0, 2, 2, 2, 7, 8, 9, 12, 14]) }
    }

    func run(at root: String) {
        var numbers = SeededNumbers(seed: seed)
        for step in 0..<steps { Self.act(&numbers, 1000 + step, root, kinds: Array(0...22)) }
    }

    private static func path(_ numbers: inout SeededNumbers, _ root: String) -> String {
        (0...numbers.next(3)).map { _ in names[numbers.next(names.count)] }.reduce(root) { "\($0)/\($1)" }
    }

    private static func act(_ numbers: inout SeededNumbers, _ step: Int, _ root: String, kinds: [Int]) {
        let kind = kinds[numbers.next(kinds.count)]
        let (one, two) = (path(&numbers, root), path(&numbers, root))
        let number = numbers.next(1 << 20)
        switch kind {
        case 0, 1: write(one, Array("step \(step) \(number)\n".utf8), O_CREAT | (kind == 0 ? O_TRUNC : O_APPEND))
        case 2: mkdir(one, 0o755)
        case 3: rmdir(one)
        case 4: unlink(one)
        case 5, 15: if !isBelow(one, two) { rename(one, two) }
        case 6: if !isBelow(one, two) { _ = renameat2(AT_FDCWD, one, AT_FDCWD, two, exchange) }
        case 7: link(one, two)
        case 8: symlink("target \(number)", one)
        case 9: mkfifo(one, 0o644)
        case 10: if !isLink(one) { chmod(one, mode_t(0o600 + number % 0o200)) }
        case 11: lchown(one, uid_t(number % 5), gid_t(number % 7))
        case 12: if !isLink(one) { _ = "value \(number)".withCString { lsetxattr(one, "user.key\(number % 3)", $0, strlen($0), 0) } }
        case 13: if !isLink(one) { _ = lremovexattr(one, "user.key\(number % 3)") }
        case 14: sparse(one, number)
        case 16: removeAll(one)
        case 18: writeMapped(one, number)
        case 19: setList("system.posix_acl_access", of: one, number)
        case 20: setList("system.posix_acl_default", of: one, number)
        case 21: mknod(one, mode_t(S_IFCHR | 0o640), harmlessDevices[number % harmlessDevices.count])
        case 22: punch(one, number)
        default:
            let times = [timespec(tv_sec: 1_000_000 + number, tv_nsec: 5), timespec(tv_sec: 2_000_000 + number, tv_nsec: 7)]
            utimensat(AT_FDCWD, one, times, AT_SYMLINK_NOFOLLOW)
        }
        // What takes the time of the step is as if all runs were at the same time.
        if [0, 1, 8, 9, 14, 18, 21, 22].contains(kind) {
            let times = [timespec](repeating: timespec(tv_sec: 1_600_000_000 + step, tv_nsec: 1), count: 2)
            utimensat(AT_FDCWD, one, times, AT_SYMLINK_NOFOLLOW)
        }
    }

    private static func isBelow(_ one: String, _ two: String) -> Bool {
        one == two || (one + "/").hasPrefix(two + "/") || (two + "/").hasPrefix(one + "/")
    }

    private static func isLink(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
    }

    private static func write(_ path: String, _ bytes: [UInt8], _ flags: CInt) {
        let file = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0o644)
        if file < 0 { return }
        _ = Glibc.write(file, bytes, bytes.count)
        close(file)
    }

    private static func sparse(_ path: String, _ number: Int) {
        let file = open(path, O_WRONLY | O_CLOEXEC | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o644)
        if file < 0 { return }
        ftruncate(file, off_t(number + 100_000))
        pwrite(file, "x", 1, off_t(number / 2 + 50_000))
        close(file)
    }

    /// Through shared memory, without a call that names the file.
    private static func writeMapped(_ path: String, _ number: Int) {
        let file = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        if file < 0 { return }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else { return }
        let size = Int(status.st_size)
        guard let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), memory != MAP_FAILED else { return }
        memory.storeBytes(of: UInt8(truncatingIfNeeded: number), toByteOffset: number % size, as: UInt8.self)
        munmap(memory, size)
    }

    /// user::rw-, user:UID:r--, group::r--, mask::r--, other::r--. acl(5), linux/posix_acl_xattr.h
    private static func setList(_ key: String, of path: String, _ number: Int) {
        if isLink(path) { return }
        let list: [UInt8] =
            [2, 0, 0, 0] + [1, 0, 6, 0, 255, 255, 255, 255] + [2, 0, 4, 0, UInt8(number % 200), 3, 0, 0]
            + [4, 0, 4, 0, 255, 255, 255, 255] + [0x10, 0, 4, 0, 255, 255, 255, 255] + [0x20, 0, 4, 0, 255, 255, 255, 255]
        _ = lsetxattr(path, key, list, list.count, 0)
    }

    /// Gives a part of a file's space back: it reads as zeros. FALLOC_FL_PUNCH_HOLE with FALLOC_FL_KEEP_SIZE
    private static func punch(_ path: String, _ number: Int) {
        let file = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        if file < 0 { return }
        _ = fallocate(file, 3, off_t(number % 60_000), 8192)
        close(file)
    }

    private static func removeAll(_ path: String) {
        guard let stream = isLink(path) ? nil : opendir(path) else {
            unlink(path)
            return
        }
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { removeAll("\(path)/\(name)") }
        }
        closedir(stream)
        rmdir(path)
    }
}

/// All that a program can see of a tree: a line for each path. Folders' times and those of access are left out.
enum TreePicture {
    static func of(_ root: String, folderTimes: Bool = false) -> [String] {
        var inodes: [UInt64: String] = [:]
        return lines(root, ".", &inodes, folderTimes).sorted()
    }

    /// What is in the regular files that have their final names.
    static func contents(of root: String) -> Set<Substring> {
        Set(of(root).filter { !$0.hasPrefix("./.copy-on-write.") }.compactMap { $0.firstMatch(of: /size=\d+ data=\d+/)?.0 })
    }

    private static func lines(_ root: String, _ path: String, _ inodes: inout [UInt64: String], _ folderTimes: Bool) -> [String] {
        let place = "\(root)/\(path)"
        var status = stat()
        guard lstat(place, &status) == 0 else { return ["\(path): \(errno)"] }
        let type = status.st_mode & S_IFMT
        var line = "\(path) mode=\(String(status.st_mode, radix: 8)) owner=\(status.st_uid):\(status.st_gid)\(attributes(place))"
        if type != S_IFDIR {
            // By the first path, in the order of names, that has the same inode.
            let first = inodes[UInt64(status.st_ino)] ?? path
            inodes[UInt64(status.st_ino)] = first
            line += " links=\(status.st_nlink) file=\(first)"
        }
        if type != S_IFDIR || folderTimes { line += " time=\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)" }
        switch type {
        case S_IFREG:
            let data = FileManager.default.contents(atPath: place) ?? Data()
            line += " size=\(data.count) data=\(data.hashValueOfBytes) allocated=\(status.st_blocks > 2 * (status.st_size / 512 + 8))"
        case S_IFLNK: line += " -> \((try? FileManager.default.destinationOfSymbolicLink(atPath: place)) ?? "?")"
        case S_IFDIR:
            let names = ((try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []).sorted {
                $0.utf8.lexicographicallyPrecedes($1.utf8)
            }
            return [line] + names.flatMap { lines(root, "\(path)/\($0)", &inodes, folderTimes) }
        default: line += " device=\(status.st_rdev)"
        }
        return [line]
    }

    private static func attributes(_ path: String) -> String {
        var list = [CChar](repeating: 0, count: 4096)
        let count = llistxattr(path, &list, list.count)
        if count <= 0 { return "" }
        return list[..<count].split(separator: 0).map { String(decoding: $0.map { UInt8(bitPattern: $0) }, as: UTF8.self) }.sorted()
            .filter { !$0.hasPrefix("trusted.overlay") }
            .map { key in
                var value = [UInt8](repeating: 0, count: 4096)
                let size = lgetxattr(path, key, &value, value.count)
                return " \(key)=\(value.prefix(max(size, 0)).map { String($0, radix: 16) }.joined(separator: "."))"
            }.joined()
    }
}

extension Data {
    /// FNV-1a.
    fileprivate var hashValueOfBytes: UInt64 { reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 } }
}
