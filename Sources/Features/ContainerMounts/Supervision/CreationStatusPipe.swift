// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage

/// A pipe by which the supervisor sends the exit status of `create`, one byte, to the program that the engine waits for.
struct CreationStatusPipe: Sendable {
    let reading: FileDescriptor
    let writing: FileDescriptor

    init() throws(RuntimeError) {
        do throws(SystemError) {
            let ends = try makePipe()
            reading = FileDescriptor(rawValue: ends.reading)
            writing = FileDescriptor(rawValue: ends.writing)
        } catch {
            throw RuntimeError(.local, "\(error)", cause: error)
        }
    }

    func keepReading() { close(writing.rawValue) }
    func keepWriting() { close(reading.rawValue) }

    func send(_ status: Int32) {
        var byte = UInt8(truncatingIfNeeded: status)
        _ = write(writing.rawValue, &byte, 1)
    }

    /// Blocks until the status comes.
    ///
    /// - Returns: nil if the supervisor has ended without sending one.
    func receive() -> Int32? {
        var byte: UInt8 = 0
        while true {
            let count = read(reading.rawValue, &byte, 1)
            if count == 1 { return Int32(byte) }
            if count == 0 || errno != EINTR { return nil }
        }
    }

    /// For the supervisor: whether the program that waits for the status has ended.
    var isAbandoned: Bool {
        Poll.wait(for: writing.rawValue, [], until: .now)
    }
}
