// SPDX-License-Identifier: AGPL-3.0-or-later

package func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    if sorted.isEmpty { return .nan }
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// What two sides took in the same rounds.
package struct Pairs {
    package private(set) var ours: [Double] = []
    package private(set) var theirs: [Double] = []

    package init() {}

    package mutating func add(ours: Double, theirs: Double) {
        self.ours.append(ours)
        self.theirs.append(theirs)
    }

    package var ourMedian: Double { median(ours) }
    package var theirMedian: Double { median(theirs) }
    /// The median of each round's own ratio: what slows the machine for a while slows both sides of a round.
    package var ratio: Double { median(zip(ours, theirs).map { $0 / $1 }) }
    /// The median of each round's own difference.
    package var difference: Double { median(zip(ours, theirs).map { $0 - $1 }) }
}

/// Measures two sides in turn; which one is first changes from round to round.
package func alternate(rounds: Int, ours: () throws -> Double, theirs: () throws -> Double) rethrows -> Pairs {
    var pairs = Pairs()
    for round in 0..<rounds {
        if round % 2 == 0 {
            let first = try ours()
            pairs.add(ours: first, theirs: try theirs())
        } else {
            let first = try theirs()
            pairs.add(ours: try ours(), theirs: first)
        }
    }
    return pairs
}
