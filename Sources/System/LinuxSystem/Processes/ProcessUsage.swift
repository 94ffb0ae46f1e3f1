// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import SystemPackage

/// What this process uses of the host. proc(5), getrusage(2), getrlimit(2).
public struct ProcessUsage: Sendable, Equatable {
    /// Memory in use, without what is swapped out. Bytes.
    public var residentMemory: Int
    /// Open descriptors.
    public var descriptors: Int
    /// How many it may open.
    public var descriptorLimit: Int
    /// Time on processors since the start. Seconds.
    public var processorTime: Double

    /// Of this moment. Reads files of /proc.
    ///
    /// - Throws: `SystemError` of open(2) or read(2).
    public init() throws(SystemError) {
        let fields = try readWholeFile("/proc/self/statm", limit: 4096).split(separator: UInt8(ascii: " "))
        let pages = fields.count > 1 ? Int(String(decoding: fields[1], as: UTF8.self)) ?? 0 : 0
        residentMemory = pages.multipliedReportingOverflow(by: sysconf(CInt(_SC_PAGESIZE))).partialValue
        // Without the one by which they are listed.
        descriptors = max(0, try namesInFolder("/proc/self/fd").count - 1)
        var limit = rlimit()
        try systemCall("getrlimit", on: "descriptors") { getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) }
        descriptorLimit = Int(clamping: limit.rlim_cur)
        var usage = rusage()
        try systemCall("getrusage", on: "this process") { getrusage(RUSAGE_SELF.rawValue, &usage) }
        processorTime = Self.seconds(usage.ru_utime) + Self.seconds(usage.ru_stime)
    }

    /// When this process was started, as seconds since 1970 by today's clock; nil if the kernel does not say.
    public static var startTime: Double? {
        guard let ticks = ProcessStatus(of: getpid())?.startTime else { return nil }
        var (now, sinceBoot) = (timespec(), timespec())
        clock_gettime(CLOCK_REALTIME, &now)
        clock_gettime(CLOCK_BOOTTIME, &sinceBoot)
        return seconds(now) - seconds(sinceBoot) + Double(ticks) / Double(max(1, sysconf(CInt(_SC_CLK_TCK))))
    }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    private static func seconds(_ time: timespec) -> Double { Double(time.tv_sec) + Double(time.tv_nsec) / 1e9 }
}
