// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import KernelMount
public import LinuxSystem
public import Logging
import Volumes

/// What all volumes have done until a moment, for `docker-nfsd top`.
public struct TrafficSample: Sendable {
    struct Volume: Sendable {
        var name: String
        var server: String
        var state: String
        /// nil while it is not mounted, or where the kernel counts nothing.
        var counters: ActivityCounters?
        var usedPercent: Int?
    }

    let volumes: [Volume]
    let taken: ContinuousClock.Instant

    init(volumes: [Volume], taken: ContinuousClock.Instant) { (self.volumes, self.taken) = (volumes, taken) }

    /// Reads files and /proc, as ``StatusReport`` does.
    ///
    /// - Throws: `SystemError` if the state directory cannot be read, such as `EACCES` for others than root.
    public init(settings: DaemonSettings, logger: Logger) throws(SystemError) {
        let report = try StatusReport(settings: settings, namesHolders: false, logger: logger)
        self.init(
            volumes: report.lines.map { line in
                let status = line.status
                let isMounted = status.fileSystem != nil
                return Volume(
                    name: line.name, server: line.server, state: status.health.isAway ? "away" : isMounted ? "mounted" : "-",
                    counters: status.health.activity, usedPercent: status.health.usage?.space?.usedPercent)
            }, taken: .now)
    }
}

/// The table of `docker-nfsd top`: what each volume has done between two samples, the busiest first.
public enum TrafficTable {
    private static let titles = ["VOLUME", "SERVER", "STATE", "OPS/s", "READ/s", "WRITE/s", "READ ms", "WRITE ms", "AGAIN", "USED"]
    /// The columns from here on are numbers, and end at their right side.
    private static let firstNumber = 3
    /// Scalars of a name or a server.
    private static let widestText = 32

    /// The table's lines, the titles first. Names and servers are other people's words: what could do something to a terminal in them is
    /// `?`.
    ///
    /// - Parameter earlier: nil: nothing has been measured yet.
    public static func lines(from earlier: TrafficSample?, to sample: TrafficSample) -> [String] {
        let counted = Dictionary(earlier?.volumes.map { ($0.name, $0.counters) } ?? [], uniquingKeysWith: { $1 })
        let seconds = earlier.map { Double((sample.taken - $0.taken) / .milliseconds(1)) / 1000 } ?? 0
        let rows = sample.volumes.map { volume -> Row in
            // A volume that was not there before has nothing to be compared with.
            let before = counted[volume.name] ?? nil
            let change = before == nil || seconds <= 0 ? nil : volume.counters.map { $0.since(before) }
            return Row(volume: volume, change: change, seconds: seconds)
        }
        let cells = rows.sorted(by: Row.isBusier).map(\.cells)
        let table = [titles] + cells
        let widths = titles.indices.map { column in table.map { $0[column].unicodeScalars.count }.max() ?? 0 }
        return table.map { row in
            row.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - row[column].unicodeScalars.count)
                return column < firstNumber ? row[column] + padding : padding + row[column]
            }.joined(separator: "  ")
        }
    }

    private struct Row {
        var volume: TrafficSample.Volume
        var change: ActivityCounters?
        var seconds: Double

        /// Bytes, then calls; volumes without either by name.
        static func isBusier(_ left: Row, _ right: Row) -> Bool {
            if left.bytes != right.bytes { return left.bytes > right.bytes }
            let (calls, others) = (left.change?.operations ?? 0, right.change?.operations ?? 0)
            return calls == others ? left.volume.name < right.volume.name : calls > others
        }

        private var bytes: UInt64 { change.map { $0.bytesRead.addingSaturated($0.bytesWritten) } ?? 0 }

        var cells: [String] {
            let texts = [volume.name, volume.server, volume.state].map { text in
                String(SanitizedText.withoutControls(text).unicodeScalars.prefix(widestText))
            }
            let used = volume.usedPercent.map { "\($0)%" } ?? "-"
            guard let change else { return texts + Array(repeating: "-", count: 6) + [used] }
            return texts + [
                MeasuredText.decimal(Double(change.operations) / seconds), MeasuredText.bytes(Double(change.bytesRead) / seconds),
                MeasuredText.bytes(Double(change.bytesWritten) / seconds), change.reads.average.map(MeasuredText.decimal) ?? "-",
                change.writes.average.map(MeasuredText.decimal) ?? "-", String(change.retransmissions), used,
            ]
        }
    }
}
