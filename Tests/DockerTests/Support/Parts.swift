// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing

/// What a test must take away again, done in reverse order; a part that fails is reported and does not keep the others.
final class Cleanup: Sendable {
    private let steps = Mutex<[@Sendable () async throws -> Void]>([])

    func add(_ step: @escaping @Sendable () async throws -> Void) { steps.withLock { $0.append(step) } }

    func run() async {
        while let step = steps.withLock({ $0.popLast() }) {
            do { try await step() } catch { Issue.record(error, "while cleaning up") }
        }
    }
}

/// The file system that stands in for an NFS server's export: ext4 on a loop device.
struct StandIn: Sendable {
    /// Its block device.
    let device: String
    private let descriptor: Int32

    init(in folder: String) async throws {
        let file = folder + "/export.ext4"
        guard FileManager.default.createFile(atPath: file, contents: nil), truncate(file, 32 << 20) == 0 else {
            throw Trouble("cannot make \(file)")
        }
        // An export is empty at first, so that Docker's copying of an image's files can be tested.
        try await Self.succeed("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=0", file)
        try await Self.succeed("debugfs", "-w", "-R", "rmdir lost+found", file)
        device = try await Self.succeed("losetup", "--find", "--show", file)
        descriptor = open(device, O_RDONLY | O_CLOEXEC)
        // A device in use is detached by its last user's end, so that it goes even if this process is killed.
        try await Self.succeed("losetup", "--detach", device)
        guard descriptor >= 0 else { throw Trouble("cannot open \(device)") }
    }

    /// It goes with its last mount.
    func release() { close(descriptor) }

    @discardableResult
    private static func succeed(_ words: String...) async throws -> String {
        let result = try await command(words, limit: 30)
        guard result.status == 0 else { throw Trouble("\(words.joined(separator: " ")): \(result)") }
        return result.output.trimmingCharacters(in: .newlines)
    }
}

/// The image that containers run: busybox and a folder with a file, made by hand since no registry is needed for that.
enum Image {
    /// Where the image has a file that Docker can copy into an empty volume.
    static let seedFolder = "/seed"
    static let seedFile = "first"
    static let seedText = "from the image"

    static func write(to file: String) async throws {
        let folder = file + ".d"
        let files = FileManager.default
        for name in ["bin", "tmp", "seed"] { try files.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true) }
        let busybox = try await command(["which", "busybox"]).output.trimmingCharacters(in: .newlines)
        try files.copyItem(atPath: URL(fileURLWithPath: busybox).resolvingSymlinksInPath().path, toPath: "\(folder)/bin/busybox")
        for applet in try await command([busybox, "--list"]).output.split(separator: "\n") where applet != "busybox" {
            symlink("busybox", "\(folder)/bin/\(applet)")
        }
        try seedText.write(toFile: "\(folder)\(seedFolder)/\(seedFile)", atomically: false, encoding: .utf8)
        let result = try await command(["tar", "--create", "--directory", folder, "--file", file, "."])
        guard result.status == 0 else { throw Trouble("tar: \(result)") }
    }
}

/// A whole file of /proc. What Foundation gives of a file that says it has no size is not always all of it.
///
/// - Throws: `Trouble` if it cannot be read.
func readProcess(_ path: String) throws -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Trouble("\(path): \(String(cString: strerror(errno)))") }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    var count = 0
    while count < bytes.count {
        let more = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress! + count, $0.count - count) }
        guard more >= 0 else { throw Trouble("\(path): \(String(cString: strerror(errno)))") }
        if more == 0 { break }
        count += more
    }
    return String(decoding: bytes[..<count], as: UTF8.self)
}

enum UnixSocket {
    /// Calls `body` with the address of a path.
    static func withAddress<Result>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        precondition(path.utf8.count < MemoryLayout.size(ofValue: address.sun_path), "too long for a socket: \(path)")
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }

    /// - Returns: a connected descriptor, nil if nobody listens.
    static func connection(to path: String) -> Int32? {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        if withAddress(path, { connect(descriptor, $0, $1) }) == 0 { return descriptor }
        close(descriptor)
        return nil
    }

    static func accepts(_ path: String) -> Bool {
        guard let descriptor = connection(to: path) else { return false }
        close(descriptor)
        return true
    }
}
