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

    private struct Seen: Hashable {
        var done: [UInt64]
        var value: String?
    }

    private let candidates: [Candidate]

    /// - Parameters:
    ///   - operations: creates and removes of one name.
    ///   - staleness: microseconds after which each node has heard of a change.
    init(_ operations: [RecordedOperation], staleness: Int) {
        // A remove that was refused says nothing: what refuses it can be of its own node alone.
        let counted = operations.filter { !($0.kind == .remove && $0.outcome == .fail) }.sorted { $0.began < $1.began }
        candidates = counted.map { operation in
            let isStale =
                operation.kind == .remove
                && counted.contains { other in
                    other.kind == .remove && other.node != operation.node && other.began < operation.last
                        && (other.outcome == .unknown || other.ended > operation.began - staleness)
                }
            return Candidate(operation: operation, mayBeStale: isStale)
        }
    }

    /// The values that the name can have after the operation; empty if it cannot happen now. nil stands for none.
    private func results(of candidate: Candidate, from value: String?) -> [String?] {
        let operation = candidate.operation
        switch (operation.kind, operation.outcome) {
        case (.create, .fail): return value != nil && value != operation.value ? [value] : []
        case (.create, .ok): return value == nil || value == operation.value ? [operation.value] : []
        case (.create, .unknown): return value == nil ? [operation.value] : [value]
        case (.remove, _): return candidate.mayBeStale && value != nil ? [nil, value] : [nil]
        default: return [value]
        }
    }

    /// nil if there is an order; else the operations that fit into none, those of the longest that was found left out.
    func contradiction() -> [RecordedOperation]? {
        let words = (candidates.count + 63) / 64
        var visited: Set<Seen> = []
        var stack = [Seen(done: Array(repeating: 0, count: words), value: nil)]
        var best = (count: -1, rest: [RecordedOperation]())
        while let state = stack.popLast() {
            guard visited.insert(state).inserted else { continue }
            let open = candidates.indices.filter { state.done[$0 / 64] & (1 << UInt64($0 % 64)) == 0 }
            let owed = open.filter { candidates[$0].operation.outcome != .unknown }
            if owed.isEmpty { return nil }
            if candidates.count - owed.count > best.count { best = (candidates.count - owed.count, owed.map { candidates[$0].operation }) }
            // Nothing can happen after the first answer that is still owed.
            let limit = owed.map { candidates[$0].operation.ended }.min() ?? .max
            for index in open.reversed() where candidates[index].operation.began <= limit {
                for value in results(of: candidates[index], from: state.value) {
                    var next = state
                    next.done[index / 64] |= 1 << UInt64(index % 64)
                    next.value = value
                    stack.append(next)
                }
            }
        }
        return best.rest
    }
}
