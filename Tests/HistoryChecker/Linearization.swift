// SPDX-License-Identifier: AGPL-3.0-or-later

/// Whether the operations on one name can have happened one after another, each between its question and its answer: the search of Wing
/// and Gong, with states that were seen before left out. An operation whose outcome is unknown may happen at any time after its question,
/// or never.
///
/// A name has a value or none. A create gives it one if it has none, succeeds with the same value, and is refused with another. A remove
/// takes it away.
struct Linearization {
    private struct Candidate {
        var operation: RecordedOperation
        /// A node that has not heard yet that another one removed the volume removes what it knows, and leaves what there is now.
        var mayBeStale = false
    }

    /// Where a search is.
    private struct Place: Hashable {
        /// Of what was answered, all before this one have happened, and these behind it.
        var low = 0
        var done: [Int] = []
        /// Of what was not answered, these have.
        var used: [Int] = []
        var value: String?
    }

    /// So that a history that fits nowhere is said to do so within seconds.
    private static let mostPlaces = 300_000

    /// In the order of their questions.
    private let answered: [Candidate]
    private let unknown: [Candidate]

    /// - Parameters:
    ///   - operations: creates and removes of one name.
    ///   - staleness: microseconds after which each node has heard of a change.
    init(_ operations: [RecordedOperation], staleness: Int) {
        // A remove that was refused says nothing: what refuses it can be of its own node alone.
        let counted = operations.filter { !($0.kind == .remove && $0.outcome == .fail) }.sorted { $0.began < $1.began }
        let candidates = counted.map { operation in
            let isStale =
                operation.kind == .remove
                && counted.contains { other in
                    other.kind == .remove && other.node != operation.node && other.began < operation.last
                        && (other.outcome == .unknown || other.ended > operation.began - staleness)
                }
            return Candidate(operation: operation, mayBeStale: isStale)
        }
        answered = candidates.filter { $0.operation.outcome != .unknown }
        unknown = candidates.filter { $0.operation.outcome == .unknown }
    }

    /// The values that the name can have after the operation; empty if it cannot happen now. nil stands for none.
    private func results(of candidate: Candidate, from value: String?) -> [String?] {
        let operation = candidate.operation
        switch (operation.kind, operation.outcome) {
        case (.create, .fail): return value != nil && value != operation.value ? [value] : []
        case (.create, .ok): return value == nil || value == operation.value ? [operation.value] : []
        // What changes nothing need not happen.
        case (.create, .unknown): return value == nil ? [operation.value] : []
        case (.remove, .unknown): return value == nil ? [] : [nil]
        case (.remove, _): return candidate.mayBeStale && value != nil ? [nil, value] : [nil]
        default: return [value]
        }
    }

    /// nil if there is an order; else the operations that fit into none, those of the longest that was found left out.
    func contradiction() -> [RecordedOperation]? {
        var visited: Set<Place> = []
        var stack = [Place()]
        var best = Place()
        while let place = stack.popLast() {
            guard visited.count < Self.mostPlaces else { break }
            guard visited.insert(place).inserted else { continue }
            if place.low == answered.count { return nil }
            if (place.low, place.done.count) > (best.low, best.done.count) { best = place }
            let (open, limit) = window(of: place)
            // The last is looked at first, and what was answered is likelier.
            for index in unusedUnknown(at: place, until: limit) {
                for value in results(of: unknown[index], from: place.value) {
                    var next = place
                    next.used = (next.used + [index]).sorted()
                    next.value = value
                    stack.append(next)
                }
            }
            for index in open.reversed() {
                for value in results(of: answered[index], from: place.value) { stack.append(next(place, after: index, value)) }
            }
        }
        return answered.indices.filter { $0 >= best.low && !best.done.contains($0) }.prefix(5).map { answered[$0].operation }
    }

    /// What can happen next of what was answered, and the first answer that is still owed: nothing can happen after it.
    private func window(of place: Place) -> (open: [Int], limit: Int) {
        var open: [Int] = []
        var limit = Int.max
        var index = place.low
        while index < answered.count, answered[index].operation.began <= limit {
            if !place.done.contains(index) {
                open.append(index)
                limit = min(limit, answered[index].operation.ended)
            }
            index += 1
        }
        return (open.filter { answered[$0].operation.began <= limit }, limit)
    }

    /// Of those that are alike, the first.
    private func unusedUnknown(at place: Place, until limit: Int) -> [Int] {
        var kinds: Set<String> = []
        return unknown.indices.filter { index in
            let operation = unknown[index].operation
            return operation.began <= limit && !place.used.contains(index)
                && kinds.insert("\(operation.kind) \(operation.value ?? "")").inserted
        }
    }

    private func next(_ place: Place, after index: Int, _ value: String?) -> Place {
        var next = place
        next.value = value
        next.done = (next.done + [index]).sorted()
        while next.done.first == next.low {
            next.done.removeFirst()
            next.low += 1
        }
        return next
    }
}
