// SPDX-License-Identifier: AGPL-3.0-or-later

/// What a metric is called and what it means: the part that is the same for all of its series.
public struct MetricDescription: Sendable, Equatable {
    public enum Kind: String, Sendable {
        /// A number that only grows while the process lives.
        case counter
        case gauge
        /// How many values were at most so large, for fixed limits.
        case histogram
    }

    /// After Prometheus' naming guide: a prefix, base units, `_total` for a counter.
    public let name: String
    public let kind: Kind
    /// One sentence without a line break.
    public let help: String
    /// The names of its labels, in the order in which they are written.
    public let labels: [String]
    /// The upper limits of a histogram's buckets, rising, in seconds; the last one, without a limit, is not listed.
    public let buckets: [Double]

    public init(_ name: String, _ kind: Kind, _ help: String, labels: [String] = [], buckets: [Double] = []) {
        self.name = name
        self.kind = kind
        self.help = help
        self.labels = labels
        self.buckets = buckets
    }
}
