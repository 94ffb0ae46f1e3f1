// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
import SystemPackage

/// A process that cannot be mistaken for a later one with the same number: its id and when it started.
public struct ProcessIdentity: Sendable, Hashable {
    public let process: Int32
    /// Clock ticks since the boot; field 22 of `/proc/PID/stat`, proc(5).
    public let startTime: UInt64

    public init(process: Int32, startTime: UInt64) {
        self.process = process
        self.startTime = startTime
    }

    /// The process that has this number now; nil if there is none.
    public init?(of process: Int32) {
        guard let status = ProcessStatus(of: process) else { return nil }
        self.init(process: process, startTime: status.startTime)
    }

    /// Whether it still runs. One that has ended and that its parent has not yet taken notice of (a zombie) does not. One that cannot be
    /// looked at, for want of a descriptor, say, counts as running.
    public var isAlive: Bool {
        guard let status = ProcessStatus(of: process) else { return access("/proc/\(process)", F_OK) == 0 }
        return status.startTime == startTime && status.state != UInt8(ascii: "Z") && status.state != UInt8(ascii: "X")
    }

    /// Sends a signal, never to another process that has the number by now. pidfd_send_signal(2).
    ///
    /// - Throws: `SystemError`; `ESRCH` if it has ended.
    public func signal(_ number: Int32) throws(SystemError) {
        let operand = "process \(process)"
        let descriptor = try systemCall("pidfd_open", on: operand) { CLinux_pidfd_open(process) }
        defer { Glibc.close(descriptor) }
        guard isAlive else { throw SystemError("pidfd_send_signal", .noSuchProcess, on: operand) }
        try systemCall("pidfd_send_signal", on: operand) { CLinux_pidfd_send_signal(descriptor, number) }
    }

    /// Blocks until it has ended or the deadline has passed.
    ///
    /// - Returns: whether it has ended.
    public func waitUntilEnded(_ deadline: Deadline) -> Bool {
        let descriptor = CLinux_pidfd_open(process)
        guard descriptor >= 0 else { return !isAlive }
        defer { Glibc.close(descriptor) }
        // The number may have been another's by the time it was opened.
        return !isAlive || Poll.wait(for: descriptor, until: deadline) || !isAlive
    }
}

/// The function of the kernel in which a process waits; nil if it does not wait, or the kernel does not tell. `/proc/PID/wchan`, proc(5).
public func kernelFunction(inWhich process: CInt) -> String? {
    // A function's name has at most 512 bytes. include/linux/kallsyms.h
    guard let bytes = try? readWholeFile(FilePath("/proc/\(process)/wchan"), limit: 1024) else { return nil }
    let name = String(decoding: bytes, as: UTF8.self)
    return name.isEmpty || name == "0" ? nil : name
}

/// What `/proc/PID/stat` says of a process that matters here. proc(5).
struct ProcessStatus {
    /// A letter: `R`, `S`, `Z` …
    var state: UInt8
    var startTime: UInt64

    init?(of process: Int32) {
        guard process > 0, let bytes = try? readWholeFile(FilePath("/proc/\(process)/stat"), limit: 4096) else { return nil }
        // The command's name, in parentheses, may hold anything, so what follows is counted from the last parenthesis.
        guard let end = bytes.lastIndex(of: UInt8(ascii: ")")), end + 2 < bytes.count else { return nil }
        let fields = bytes[(end + 2)...].split(separator: UInt8(ascii: " "), maxSplits: 21)
        guard fields.count > 19, let state = fields[0].first,
            let startTime = UInt64(String(decoding: fields[19], as: UTF8.self))
        else { return nil }
        self.state = state
        self.startTime = startTime
    }
}
