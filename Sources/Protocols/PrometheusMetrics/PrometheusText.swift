// SPDX-License-Identifier: AGPL-3.0-or-later

/// Writes metrics as Prometheus reads them: its text format, version 0.0.4.
///
/// By hand, because Prometheus' own libraries have no Swift. prometheus.io/docs/instrumenting/exposition_formats.
public struct PrometheusText: Sendable {
    public static let mediaType = "text/plain; version=0.0.4; charset=utf-8"

    public private(set) var bytes: [UInt8] = []
    private var labels: [String] = []
    private var name = ""

    public init() {}

    /// Begins a metric. All of its series have to follow before the next one.
    public mutating func begin(_ metric: MetricDescription) {
        name = metric.name
        labels = metric.labels
        write("# HELP \(name) ")
        writeEscaped(metric.help, quotes: false)
        write("\n# TYPE \(name) \(metric.kind.rawValue)\n")
    }

    /// A series of the metric.
    ///
    /// - Parameters:
    ///   - value: the number.
    ///   - values: of the metric's labels, in their order.
    ///   - suffix: of the name, for the parts of a histogram.
    ///   - limit: the value of the label `le`.
    public mutating func sample(_ value: Double, _ values: [String] = [], suffix: String = "", limit: String? = nil) {
        write(name)
        write(suffix)
        var separator = "{"
        for (label, text) in zip(labels, values) {
            writeLabel(separator, label, text)
            separator = ","
        }
        if let limit {
            writeLabel(separator, "le", limit)
            separator = ","
        }
        write(separator == "," ? "} " : " ")
        write(Self.text(value))
        write("\n")
    }

    public mutating func sample(_ value: Int, _ values: [String] = []) { sample(Double(value), values) }

    /// As Go's ParseFloat reads a number.
    public static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return Int(exactly: value).map { "\($0)" } ?? "\(value)"
    }

    private mutating func write(_ text: String) { bytes += text.utf8 }

    private mutating func writeLabel(_ separator: String, _ label: String, _ text: String) {
        write("\(separator)\(label)=\"")
        writeEscaped(text, quotes: true)
        write("\"")
    }

    private mutating func writeEscaped(_ text: String, quotes: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): write("\\\\")
            case UInt8(ascii: "\n"): write("\\n")
            case UInt8(ascii: "\"") where quotes: write("\\\"")
            default: bytes.append(byte)
            }
        }
    }
}
