// SPDX-License-Identifier: AGPL-3.0-or-later

/// What becomes of a container's wish for a tree, beside the transfers that there are.
enum TransferDecision: Sendable, Equatable {
    /// It has the tree together with those that have it already.
    case join([Int])
    /// A transfer of its own, without the folders below that are others, in which it takes part.
    case begin(holding: [Int])
    /// This one has no container any more, and has to be given back first.
    case finish(Int)
    /// The number of the transfer that is in the way.
    case deny(Int)

    /// - Parameter transfers: by their numbers.
    init(_ wanted: KeptTransfer, among transfers: [(number: Int, transfer: KeptTransfer)]) {
        var (around, inside): ([Int], [Int]) = ([], [])
        for (number, other) in transfers {
            let relation = wanted.location.relation(to: other.location)
            if relation == .apart { continue }
            if other.isReturning || other.holders.isEmpty {
                self = .finish(number)
                return
            }
            guard other.isGiven == wanted.isGiven, other.ranges == wanted.ranges else {
                // At the end each takes only what is its container's user's.
                if !other.isGiven && !wanted.isGiven { continue }
                self = .deny(number)
                return
            }
            if relation == .around { inside.append(number) } else { around.append(number) }
        }
        self = around.isEmpty ? .begin(holding: inside) : .join(around + inside)
    }
}
