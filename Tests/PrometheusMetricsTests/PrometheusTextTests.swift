// SPDX-License-Identifier: AGPL-3.0-or-later

import TestSupport
import Testing

@testable import PrometheusMetrics

struct PrometheusTextTests {
    private func text(_ write: (inout PrometheusText) -> Void) -> String {
        var text = PrometheusText()
        write(&text)
        return String(decoding: text.bytes, as: UTF8.self)
    }

    @Test func aMetricHasItsMeaningItsKindAndItsSeries() {
        let metric = MetricDescription("things_total", .counter, "Things\\that\nwere.", labels: ["a", "b"])
        let page = text {
            $0.begin(metric)
            $0.sample(3, ["1", "2"])
            $0.sample(0.25, ["", "x"])
        }
        #expect(
            page == """
                # HELP things_total Things\\\\that\\nwere.
                # TYPE things_total counter
                things_total{a="1",b="2"} 3
                things_total{a="",b="x"} 0.25

                """)
    }

    @Test(arguments: [
        (0, "0"), (-1, "-1"), (1e15, "1000000000000000"), (0.5, "0.5"), (1e300, "1e+300"), (2.5e-7, "2.5e-07"), (.infinity, "+Inf"),
        (-.infinity, "-Inf"), (.nan, "NaN"),
    ])
    func numbersAreAsGoReadsThem(value: Double, text: String) { #expect(PrometheusText.text(value) == text) }

    @Test(arguments: ["\"", "\\", "\n", "\\n", "a\"} 1\nevil{b=\"", "é", "\u{1F3}", "}", ",", "\\\"", "x\\"])
    func aLabelIsReadAsItWas(value: String) throws {
        let page = try PrometheusPage(
            text {
                $0.begin(MetricDescription("x", .gauge, "X.", labels: ["a", "b"]))
                $0.sample(1, [value, value])
            })
        #expect(page.series("x").map(\.labels) == [["a": value, "b": value]])
    }
}
