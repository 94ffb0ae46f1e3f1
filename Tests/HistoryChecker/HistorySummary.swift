// SPDX-License-Identifier: AGPL-3.0-or-later

extension History {
    /// How many operations and disturbances there were, what came of them, and how long they took.
    public var summary: String {
        let kinds = Dictionary(grouping: operations, by: \.kind).sorted { $0.key.rawValue < $1.key.rawValue }
        let lines = kinds.map { kind, operations in
            let times = operations.map { $0.ended - $0.began }.sorted()
            let outcomes = Dictionary(grouping: operations, by: \.outcome).map { "\($0.key.rawValue) \($0.value.count)" }.sorted()
            return
                "    \(kind.rawValue): \(outcomes.joined(separator: ", ")); median \(times[times.count / 2] / 1000) ms, longest \((times.last ?? 0) / 1000) ms"
        }
        return "\(operations.count) operations, \(disturbances.count) faults\n" + lines.joined(separator: "\n")
    }
}
