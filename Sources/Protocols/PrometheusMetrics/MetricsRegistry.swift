// SPDX-License-Identifier: AGPL-3.0-or-later

public import CoreMetrics
import Synchronization

/// Keeps what is counted by swift-metrics, and writes it down. A backend of our own: none for Prometheus could be had here.
///
/// Only metrics that were described can be counted. Counting takes a lock for some nanoseconds and no memory.
public final class MetricsRegistry: MetricsFactory {
    /// Of one metric. What goes beyond is counted and not shown, so that no label can fill the memory.
    public static let mostSeries = 1000

    private let metrics: [String: MetricDescription]
    private let series = Mutex<[String: [LabelValues: any MetricSeries]]>([:])

    public init(_ metrics: [MetricDescription]) {
        self.metrics = Dictionary(metrics.map { ($0.name, $0) }) { first, _ in first }
    }

    /// Appends the series of one metric, sorted by their labels. A metric without series leaves no trace.
    public func write(_ metric: MetricDescription, to text: inout PrometheusText) {
        let found = series.withLock { $0[metric.name] ?? [:] }
        if found.isEmpty { return }
        text.begin(metric)
        for (labels, series) in found.sorted(by: { $0.key.values.lexicographicallyPrecedes($1.key.values) }) {
            series.write(labels.values, to: &text)
        }
    }

    // MARK: MetricsFactory

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        existing(label, dimensions, .counter) { _ in NumberSeries() }
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        existing(label, dimensions, .gauge) { _ in NumberSeries() }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        existing(label, dimensions, .histogram) { HistogramSeries(limits: $0.buckets) }
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        if aggregate { return existing(label, dimensions, .histogram) { HistogramSeries(limits: $0.buckets) } }
        return existing(label, dimensions, .gauge) { _ in NumberSeries() }
    }

    /// Series stay until the process ends, as counters have to.
    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}

    /// The series with these labels, made if there is none. One that is not to be shown is nobody's: it can be counted, and that is all.
    private func existing<Series: MetricSeries>(
        _ name: String, _ dimensions: [(String, String)], _ kind: MetricDescription.Kind, _ make: (MetricDescription) -> Series
    ) -> Series {
        guard let metric = metrics[name], metric.kind == kind, metric.labels == dimensions.map(\.0) else {
            return make(MetricDescription(name, kind, ""))
        }
        let labels = LabelValues(values: dimensions.map(\.1))
        return series.withLock { all in
            if let known = all[name]?[labels] as? Series { return known }
            let made = make(metric)
            if all[name, default: [:]].count < Self.mostSeries { all[name, default: [:]][labels] = made }
            return made
        }
    }
}

private struct LabelValues: Hashable, Sendable {
    var values: [String]
}

/// One set of labels of a metric, and what was counted for it.
private protocol MetricSeries: AnyObject, Sendable {
    func write(_ labels: [String], to text: inout PrometheusText)
}

/// A counter or a gauge.
private final class NumberSeries: MetricSeries, CounterHandler, MeterHandler, RecorderHandler {
    private let value = Mutex(0.0)

    func increment(by amount: Int64) { value.withLock { $0 += Double(amount) } }
    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func decrement(by amount: Double) { value.withLock { $0 -= amount } }
    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { self.value.withLock { $0 = value } }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func reset() { set(0.0) }

    func write(_ labels: [String], to text: inout PrometheusText) { text.sample(value.withLock(\.self), labels) }
}

/// A histogram of seconds.
private final class HistogramSeries: MetricSeries, TimerHandler, RecorderHandler {
    private struct Contents: Sendable {
        /// How many values each bucket has by itself; the last one has no limit.
        var counts: [Int]
        var sum = 0.0
    }

    private let limits: [Double]
    private let contents: Mutex<Contents>

    init(limits: [Double]) {
        self.limits = limits
        contents = Mutex(Contents(counts: Array(repeating: 0, count: limits.count + 1)))
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        let bucket = limits.firstIndex { value <= $0 } ?? limits.count
        contents.withLock { contents in
            contents.counts[bucket] += 1
            contents.sum += value
        }
    }

    func write(_ labels: [String], to text: inout PrometheusText) {
        let contents = contents.withLock(\.self)
        var total = 0
        for (limit, count) in zip(limits + [.infinity], contents.counts) {
            total += count
            text.sample(Double(total), labels, suffix: "_bucket", limit: PrometheusText.text(limit))
        }
        text.sample(contents.sum, labels, suffix: "_sum")
        text.sample(Double(total), labels, suffix: "_count")
    }
}
