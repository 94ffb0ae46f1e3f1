// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import SystemPackage

/// A mount namespace, as the kernel identifies it. namespaces(7).
public struct MountNamespace: Sendable, Hashable {
    private let link: String

    /// The namespace of a process, nil for this one.
    ///
    /// - Returns: nil if the process has ended or may not be looked at.
    public static func identity(of process: Int32?) -> MountNamespace? {
        let path = "/proc/\(process.map(String.init) ?? "self")/ns/mnt"
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = readlink(path, &buffer, buffer.count)
        return count > 0 ? MountNamespace(link: String(decoding: buffer[..<count], as: UTF8.self)) : nil
    }

    /// The ids of all processes that /proc shows.
    public static func processes() -> [Int32] {
        ((try? namesInFolder("/proc")) ?? []).compactMap { Int32($0) }
    }

    /// The processes whose command name (`/proc/PID/comm`, at most 15 bytes) is this.
    public static func processes(named name: String) -> [Int32] {
        processes().filter { process in
            guard let bytes = try? readWholeFile(FilePath("/proc/\(process)/comm"), limit: 256) else { return false }
            return String(decoding: bytes.prefix { $0 != 0x0a }, as: UTF8.self) == name
        }
    }
}

/// Seconds since the boot, suspended time included. clock_gettime(2), CLOCK_BOOTTIME.
public func secondsSinceBoot() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return time.tv_sec
}

/// The time now as RFC 3339 in UTC, `2026-03-01T12:00:00Z`, or in the compact form of file names, `20260301T120000Z`.
public func timestamp(compact: Bool = false) -> String {
    var now = time(nil)
    var parts = tm()
    gmtime_r(&now, &parts)
    var buffer = [CChar](repeating: 0, count: 32)
    let count = strftime(&buffer, buffer.count, compact ? "%Y%m%dT%H%M%SZ" : "%Y-%m-%dT%H:%M:%SZ", &parts)
    return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
