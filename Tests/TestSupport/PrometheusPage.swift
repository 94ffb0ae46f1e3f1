// SPDX-License-Identifier: AGPL-3.0-or-later

/// A page of metrics, read strictly: what Prometheus' text format leaves open, such as blanks and comments, is an error here.
public struct PrometheusPage: Sendable {
    public struct Family: Sendable {
        public var kind: String
        public var help: String
        public var series: [Series] = []
    }

    public struct Series: Sendable {
        /// With a histogram's suffix.
        public var name: String
        public var labels: [String: String]
        public var value: Double
    }

    /// By name.
    public private(set) var families: [String: Family] = [:]

    /// - Throws: `Trouble` with the line that is wrong.
    public init(_ text: String) throws {
        guard text.hasSuffix("\n") else { throw Trouble("the page does not end with a line break") }
        var current = ""
        var seen = Set<[UInt8]>()
        for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false) {
            if let match = line.wholeMatch(of: /# HELP ([a-z_]+) (.+)/) {
                current = String(match.output.1)
                guard families[current] == nil else { throw Trouble("a second time: \(line)") }
                families[current] = Family(kind: "", help: String(match.output.2))
            } else if let match = line.wholeMatch(of: /# TYPE ([a-z_]+) (counter|gauge|histogram)/), String(match.output.1) == current {
                families[current]?.kind = String(match.output.2)
            } else {
                let series = try Self.series(line)
                let kind = families[current]?.kind ?? ""
                let suffixes = kind == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
                guard !kind.isEmpty, suffixes.contains(where: { current + $0 == series.name }) else {
                    throw Trouble("out of place: \(line)")
                }
                guard seen.insert(Array(line[..<(line.lastIndex(of: " ") ?? line.endIndex)].utf8)).inserted else {
                    throw Trouble("a second time: \(line)")
                }
                families[current]?.series.append(series)
            }
        }
        for (name, family) in families where family.kind.isEmpty || family.series.isEmpty { throw Trouble("\(name) has no series") }
    }

    /// The value of the one series with this name and at least these labels; nil if there is not exactly one.
    public func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        let found = series(name).filter { series in
            labels.allSatisfy { series.labels[$0.key].map { Array($0.utf8) } == Array($0.value.utf8) }
        }
        return found.count == 1 ? found[0].value : nil
    }

    /// All series with this name.
    public func series(_ name: String) -> [Series] { families.values.flatMap(\.series).filter { $0.name == name } }

    private static func series(_ line: Substring) throws -> Series {
        guard let match = line.wholeMatch(of: /([a-z_]+)(?:\{(.*)\})? (\S+)/) else { throw Trouble("not a series: \(line)") }
        let number = String(match.output.3)
        guard let value = Double(number == "+Inf" ? "inf" : number) else { throw Trouble("not a number: \(line)") }
        var labels: [String: String] = [:]
        if let text = match.output.2 {
            var rest = text
            repeat {
                guard let label = rest.prefixMatch(of: /([a-z_]+)="((?:[^"\\]|\\[n"\\])*)"(,(?=.)|$)/) else {
                    throw Trouble("not labels: \(line)")
                }
                guard labels.updateValue(unescaped(label.output.2), forKey: String(label.output.1)) == nil else {
                    throw Trouble("a label twice: \(line)")
                }
                rest = rest[label.range.upperBound...]
            } while !rest.isEmpty
        }
        return Series(name: String(match.output.1), labels: labels, value: value)
    }

    private static func unescaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var isEscape = false
        for byte in text.utf8 {
            if isEscape {
                bytes.append(byte == UInt8(ascii: "n") ? UInt8(ascii: "\n") : byte)
                isEscape = false
            } else if byte == UInt8(ascii: "\\") {
                isEscape = true
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
