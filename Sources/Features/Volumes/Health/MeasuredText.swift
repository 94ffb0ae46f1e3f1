// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem

/// Quantities for people.
package enum MeasuredText {
    /// Bytes, such as `1.5 MiB`.
    package static func bytes(_ count: Double) -> String {
        var value = max(count, 0)
        var unit = "B"
        for larger in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] where value >= 1024 {
            value /= 1024
            unit = larger
        }
        return unit == "B" ? "\(whole(value)) B" : "\(decimal(value)) \(unit)"
    }

    package static func bytes(_ count: UInt64) -> String { bytes(Double(count)) }

    /// With one digit after the point below 100, and none above.
    package static func decimal(_ value: Double) -> String {
        guard value < 99.95 else { return whole(value) }
        let tenths = Int((max(value, 0) * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    private static func whole(_ value: Double) -> String { String(UInt64(exactly: value.rounded()) ?? .max) }
}

extension VolumeHealth {
    /// For a person: what a line is called, and what it says.
    package var lines: [(name: String, value: String)] {
        var lines: [(name: String, value: String)] = []
        if let since = server?.awaySince {
            let why = [server?.code.map { " (\($0))" }, server?.reason.map { ": \($0)" }].compactMap { $0 }.joined()
            lines.append(("health", "the server has not answered since \(since)\(why)"))
        } else if let answer = server?.lastAnswer {
            lines.append(("health", "the server answers (last at \(answer))"))
        }
        if let activity { lines += [("traffic", activity.traffic), ("times", activity.times)] }
        if let usage { lines.append(("usage", usage.text)) }
        return lines
    }
}

extension ActivityCounters {
    fileprivate var traffic: String {
        "\(operations) calls, \(MeasuredText.bytes(bytesRead)) read, \(MeasuredText.bytes(bytesWritten)) written, "
            + "\(retransmissions) sent again, \(majorTimeouts) time-outs"
    }

    fileprivate var times: String {
        let averages = [("read", reads.average), ("write", writes.average)].map { name, average in
            average.map { "a \(name) takes \(MeasuredText.decimal($0)) ms" } ?? "no \(name) yet"
        }
        return averages.joined(separator: ", ")
    }
}

extension VolumeHealth.Usage {
    fileprivate var text: String {
        var text = "unknown"
        if let space {
            text = "\(MeasuredText.bytes(space.used)) of \(MeasuredText.bytes(space.size)) used, \(MeasuredText.bytes(space.free)) free"
            if space.inodes > 0 { text += ", \(space.freeInodes) of \(space.inodes) files free" }
        }
        if let asOf { text += " (as of \(asOf))" }
        if let unknownSince { text += space == nil ? " since \(unknownSince)" : "; unknown since \(unknownSince)" }
        return text
    }
}
