// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import TestSupport

/// The file system that stands in for an NFS server's export: ext4 on a loop device.
public struct StandInDevice: Sendable {
    /// Its block device.
    public let device: String
    private let descriptor: Int32

    /// A new one.
    public init(in folder: String) async throws {
        let file = folder + "/export.ext4"
        guard FileManager.default.createFile(atPath: file, contents: nil), truncate(file, 32 << 20) == 0 else {
            throw Trouble("cannot make \(file)")
        }
        // An export is empty at first, so that Docker's copying of an image's files can be tested.
        try await Self.succeed("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=0", file)
        try await Self.succeed("debugfs", "-w", "-R", "rmdir lost+found", file)
        try await self.init(file: file)
    }

    /// One that is in a file.
    public init(file: String) async throws {
        device = try await Self.succeed("losetup", "--find", "--show", file)
        descriptor = open(device, O_RDWR | O_CLOEXEC)
        // A device in use is detached by its last user's end, so that it goes even if this process is killed.
        try await Self.succeed("losetup", "--detach", device)
        guard descriptor >= 0 else { throw Trouble("cannot open \(device)") }
    }

    /// Gives it other content. Nobody may have it mounted.
    public func write(_ content: [UInt8]) throws {
        var written = 0
        while written < content.count {
            let count = content.withUnsafeBytes { pwrite(descriptor, $0.baseAddress! + written, $0.count - written, off_t(written)) }
            guard count > 0 else { throw Trouble("\(device) cannot be written: \(String(cString: strerror(errno)))") }
            written += count
        }
    }

    /// It goes with its last mount.
    public func release() { close(descriptor) }

    @discardableResult
    private static func succeed(_ words: String...) async throws -> String {
        let result = try await command(words, limit: 30)
        guard result.status == 0 else { throw Trouble("\(words.joined(separator: " ")): \(result)") }
        return result.output.trimmingCharacters(in: .newlines)
    }
}
