// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc

/// What a figure counts.
package enum Unit {
    case nanoseconds, bytes, count

    package func text(_ value: Double) -> String {
        switch self {
        case .count: fixed(value, 0)
        case .bytes where value.magnitude < 1e6: fixed(value / 1e3, 0) + " kB"
        case .bytes: fixed(value / 1e6, 2) + " MB"
        case .nanoseconds where value.magnitude < 1e6: fixed(value / 1e3, 1) + " us"
        case .nanoseconds: fixed(value / 1e6, 2) + " ms"
        }
    }
}

/// A number with that many decimals.
package func fixed(_ value: Double, _ decimals: Int) -> String {
    if !value.isFinite { return "-" }
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let scaled = (value.magnitude * scale).rounded()
    let whole = Int(scaled / scale)
    let part = String(Int(scaled - Double(whole) * scale))
    let sign = value < 0 && scaled > 0 ? "-" : ""
    return sign + String(whole) + (decimals == 0 ? "" : "." + String(repeating: "0", count: decimals - part.count) + part)
}

/// What a measure must not exceed.
package enum Limit {
    /// Times the peer's figure.
    case ratio(Double)
    case value(Double)
    /// Told for information.
    case none
}

/// The rows, printed as they come and judged at the end.
package struct Report {
    package private(set) var missed: [String] = []
    private static let widths = [50, 12, 12, 8, 12, 4]

    package init(_ title: String, against peer: String) {
        print("\n\(title)\n")
        line(["", "ours", peer, "ratio", "limit", "ok"])
    }

    package mutating func add(
        _ measure: String, _ unit: Unit, ours: Double, peer: Double? = nil, ratio: Double? = nil, limit: Limit = .none
    ) {
        let ratio = ratio ?? peer.map { ours / $0 }
        var holds: Bool?
        var limitText = ""
        switch limit {
        case .ratio(let most):
            // A figure that could not be computed is not one that holds.
            holds = ratio.map { $0 <= most } ?? false
            limitText = fixed(most, (most * 10).rounded() == most * 10 ? 1 : 2) + " times"
        case .value(let most):
            holds = ours <= most
            limitText = unit.text(most)
        case .none: break
        }
        if holds == false { missed.append(measure) }
        line([
            measure, unit.text(ours), peer.map(unit.text) ?? "", ratio.map { fixed($0, 2) } ?? "", limitText,
            holds.map { $0 ? "yes" : "NO" } ?? "",
        ])
    }

    package mutating func add(_ measure: String, _ unit: Unit, _ pairs: Pairs, limit: Limit = .none) {
        add(measure, unit, ours: pairs.ourMedian, peer: pairs.theirMedian, ratio: pairs.ratio, limit: limit)
    }

    /// A measure that is not taken here. Not a miss: what it needs cannot be had.
    package func skip(_ measure: String, because reason: String) { line([measure, "-", "", "", "", ""], more: reason) }

    private func line(_ cells: [String], more: String = "") {
        var text = ""
        for (index, cell) in cells.enumerated() {
            let room = String(repeating: " ", count: max(0, Self.widths[index] - cell.count))
            text += (index == 0 ? cell + room : room + cell) + "  "
        }
        text += more
        while text.last == " " { text.removeLast() }
        print(text)
        // Whoever waits for minutes wants to see the rows that are there.
        fflush(nil)
    }
}
