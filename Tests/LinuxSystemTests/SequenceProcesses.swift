// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage
import Testing

/// Numbers of system calls that no step of ``SystemCallSequence`` makes. asm/unistd.h.
enum CallNumber {
    #if arch(x86_64)
        static let read = 0
        static let getppid = 110
        static let write = 1
        static let openat = 257
        static let ppoll = 271
    #else
        static let read = 63
        static let getppid = 173
        static let write = 64
        static let openat = 56
        static let ppoll = 73
    #endif
}

extension SystemCallSequence {
    /// openat(2) of an absolute path.
    func open(_ path: FilePath, _ flags: CInt, mode: Int = 0) -> Call {
        add("openat", CallNumber.openat, on: path.string, [.value(-100), .string(path.string), .value(Int(flags)), .value(mode)])
    }

    /// ppoll(2) of nothing, without limit: waits until it is killed.
    @discardableResult
    func waitForEver() -> Call {
        add("ppoll", CallNumber.ppoll, on: "nothing", [.value(0), .value(0), .value(0), .value(0), .value(0)])
    }
}

/// A name for a process that no other process has: 15 bytes.
func uniqueProcessName() -> String { "t" + String(String(UInt64.random(in: 0 ... .max), radix: 36).prefix(14)) }

/// Waits, on a thread of its own, until so many processes of this name wait in a system call. /proc/PID/syscall has no
/// event to wait for.
func waitForProcesses(named name: String, count: Int, inCall number: Int) async throws {
    let limit = Deadline(after: .seconds(200))
    let found = try await BlockingThread.run(named: "wait") {
        while !limit.hasPassed {
            let waiting = MountNamespace.processes(named: name).filter { process in
                let line = (try? readWholeFile(FilePath("/proc/\(process)/syscall"), limit: 4096)) ?? []
                return String(decoding: line, as: UTF8.self).hasPrefix("\(number) ")
            }
            if waiting.count == count { return true }
            sched_yield()
        }
        return false
    }
    try #require(found, "\(count) processes named \(name) did not get to call \(number)")
}
