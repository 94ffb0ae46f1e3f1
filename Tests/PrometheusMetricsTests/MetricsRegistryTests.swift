// SPDX-License-Identifier: AGPL-3.0-or-later

import CoreMetrics
import PrometheusMetrics
import TestSupport
import Testing

struct MetricsRegistryTests {
    private static let counter = MetricDescription("calls_total", .counter, "Calls.", labels: ["call"])
    private static let gauge = MetricDescription("open", .gauge, "Open.")
    private static let histogram = MetricDescription("time_seconds", .histogram, "Time.", labels: ["call"], buckets: [0.1, 1])
    private let registry = MetricsRegistry([counter, gauge, histogram])

    private func page() throws -> PrometheusPage {
        var text = PrometheusText()
        for metric in [Self.counter, Self.gauge, Self.histogram] { registry.write(metric, to: &text) }
        return try PrometheusPage(String(decoding: text.bytes, as: UTF8.self))
    }

    @Test func whatIsCountedIsShown() throws {
        let first = Counter(label: "calls_total", dimensions: [("call", "a")], factory: registry)
        first.increment(by: 2)
        Counter(label: "calls_total", dimensions: [("call", "a")], factory: registry).increment()
        Counter(label: "calls_total", dimensions: [("call", "b")], factory: registry).increment(by: 0)
        let meter = Meter(label: "open", factory: registry)
        meter.increment(by: 3.0)
        meter.decrement(by: 1.0)
        #expect(try page().value("calls_total", ["call": "a"]) == 3)
        #expect(try page().value("calls_total", ["call": "b"]) == 0)
        #expect(try page().value("open") == 2)
        Gauge(label: "open", factory: registry).record(7)
        #expect(try page().value("open") == 7)
    }

    @Test func aHistogramHasWhatIsAtMostSoLarge() throws {
        let timer = Timer(label: "time_seconds", dimensions: [("call", "a")], factory: registry)
        for milliseconds in [50, 100, 101, 1000, 5000] { timer.recordMilliseconds(milliseconds) }
        let page = try page()
        #expect(page.value("time_seconds_bucket", ["le": "0.1"]) == 2)
        #expect(page.value("time_seconds_bucket", ["le": "1"]) == 4)
        #expect(page.value("time_seconds_bucket", ["le": "+Inf"]) == 5)
        #expect(page.value("time_seconds_count", ["call": "a"]) == 5)
        let sum = try #require(page.value("time_seconds_sum"))
        #expect(abs(sum - 6.251) < 1e-9)
    }

    @Test func aMetricWithoutSeriesIsLeftOut() throws {
        Meter(label: "open", factory: registry).set(1)
        #expect(try page().families.keys.sorted() == ["open"])
    }

    /// What was not described, or is counted otherwise than it was described, is not shown.
    @Test func onlyWhatIsDescribedIsShown() throws {
        Meter(label: "open", factory: registry).set(1)
        Counter(label: "other_total", factory: registry).increment()
        Counter(label: "open", factory: registry).increment()
        Counter(label: "calls_total", dimensions: [("kind", "a")], factory: registry).increment()
        Timer(label: "calls_total", dimensions: [("call", "a")], factory: registry).recordSeconds(1)
        #expect(try page().families.keys.sorted() == ["open"])
        #expect(try page().value("open") == 1)
    }

    @Test func labelsCannotFillTheMemory() throws {
        for number in 0...MetricsRegistry.mostSeries {
            Counter(label: "calls_total", dimensions: [("call", "\(number)")], factory: registry).increment()
        }
        Counter(label: "calls_total", dimensions: [("call", "0")], factory: registry).increment()
        let page = try page()
        #expect(page.series("calls_total").count == MetricsRegistry.mostSeries)
        #expect(page.value("calls_total", ["call": "0"]) == 2)
    }

    @Test func nothingIsLostWhenManyCount() async throws {
        let counter = Counter(label: "calls_total", dimensions: [("call", "a")], factory: registry)
        let timer = Timer(label: "time_seconds", dimensions: [("call", "a")], factory: registry)
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1000 {
                        counter.increment()
                        timer.recordNanoseconds(1)
                    }
                }
            }
        }
        #expect(try page().value("calls_total") == 8000)
        #expect(try page().value("time_seconds_count") == 8000)
    }
}
