// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage

/// What the supervisor tells the program that the engine waits for: one byte, the exit status of `create`.
struct CreationStatusPipe: Sendable {
    let reading: FileDescriptor
    let writing: FileDescriptor

    init() throws(RuntimeError) {
        do throws(SystemError) {
            let ends = try makePipe()
            reading = FileDescriptor(rawValue: ends.reading)
            writing = FileDescriptor(rawValue: ends.writing)
        } catch {
            throw RuntimeError("\(error)")
        }
    }

    func keepReading() { close(writing.rawValue) }
    func keepWriting() { close(reading.rawValue) }

    func send(_ status: Int32) {
        var byte = UInt8(truncatingIfNeeded: status)
        _ = write(writing.rawValue, &byte, 1)
    }

    /// Blocks until there is one.
    ///
    /// - Returns: nil if the supervisor has ended without one.
    func receive() -> Int32? {
        var byte: UInt8 = 0
        while true {
            let count = read(reading.rawValue, &byte, 1)
            if count == 1 { return Int32(byte) }
            if count == 0 || errno != EINTR { return nil }
        }
    }

    /// For the supervisor: whether whoever waits for the report has ended.
    var isAbandoned: Bool {
        Poll.wait(for: writing.rawValue, [], until: .now)
    }
}
