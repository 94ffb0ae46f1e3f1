// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
import SystemPackage

/// What became of a rename and a send that belong together.
public enum CommittedSend: Sendable {
    /// The file is in its place, and the byte is with the kernel.
    case sent
    /// The rename failed, so the byte was not sent.
    case notRenamed(SystemError)
    /// The byte could not be sent, and the files are as they were.
    case notSent(SystemError)
    /// Not known, or not undone: the process was killed from outside between the two, or undoing the rename failed as well.
    case unclear(String)
}

extension StreamSocket {
    /// Renames `draft` to `path`, then sends one byte, both by a process of their own that goes on if this one is killed.
    ///
    /// So a kill at any moment leaves neither a record of something that was not sent, nor the other way round. If
    /// the byte cannot be sent the rename is undone: a file that was at `path` before comes back, which is why the two are
    /// exchanged, and the older one removed at the end. None of these calls waits; wait for ``Direction/sending`` before.
    ///
    /// renameat2(2) with RENAME_EXCHANGE or RENAME_NOREPLACE, which tmpfs, ext4, xfs, btrfs and overlayfs know. A kill of a whole
    /// control group takes both processes, and can come between the calls; the record then says sent and the byte was not.
    ///
    /// - Parameters:
    ///   - draft: a file in the same file system as `path`.
    ///   - path: no other process may put a file there meanwhile.
    /// - Throws: `SystemError` if the process cannot be started; nothing has happened then.
    public borrowing func send(_ byte: UInt8, renaming draft: String, to path: String) throws(SystemError) -> CommittedSend {
        var status = stat()
        let replaces = lstat(path, &status) == 0
        let flags = Int(replaces ? CLINUX_RENAME_EXCHANGE : CLINUX_RENAME_NOREPLACE)
        let sequence = SystemCallSequence()
        sequence.outlivesCaller = true
        let rename = sequence.add(.rename(draft, to: path, flags: flags))
        let content = sequence.buffer(1)
        content.start.storeBytes(of: byte, as: UInt8.self)
        let send = sequence.add(
            "sendto", Int(__NR_sendto), on: "the last byte of a request",
            [.value(Int(descriptor)), .buffer(content), .value(1), .value(Int(MSG_NOSIGNAL) | Int(MSG_DONTWAIT)), .value(0), .value(0)])
        let undo = sequence.add(.rename(path, to: draft, flags: flags, options: .onFailure, if: rename))
        if replaces {
            sequence.add(
                "unlinkat", Int(__NR_unlinkat), on: draft, [SystemCall.here, .string(draft), .value(0)], options: .mayFail, if: send)
        }
        // Never ended early: that could be between the two.
        let end = try sequence.run(until: Deadline(after: .seconds(1 << 30)))
        if case .success = sequence.result(of: send) { return .sent }
        if let failure = sequence.error(of: rename) { return .notRenamed(failure) }
        guard case .finished = end, let failure = sequence.error(of: send) else {
            return .unclear("the process that sends the last byte of a request was killed inside \(sequence.interruptedCall ?? "it")")
        }
        if let second = sequence.error(of: undo) { return .unclear("\(failure), and undoing its record failed too: \(second)") }
        return .notSent(failure)
    }
}

extension SystemCall {
    /// renameat2(2) of absolute paths.
    fileprivate static func rename(
        _ name: String, to other: String, flags: Int, options: Options = [], if condition: Call? = nil
    ) -> SystemCall {
        SystemCall(
            "renameat2", Int(__NR_renameat2), on: "\(name) to \(other)",
            [Self.here, .string(name), Self.here, .string(other), .value(flags)], options: options, if: condition)
    }
}
