// SPDX-License-Identifier: AGPL-3.0-or-later

/// What must be true of a history of volumes on several nodes.
public struct HistoryChecker: Sendable {
    /// Microseconds after which a node has heard of what another one did.
    public var staleness: Int
    /// Microseconds in which each kind of operation is answered, while nothing is broken.
    public var limits: [RecordedOperation.Kind: Int]

    public init(staleness: Int = 12_000_000, limits: [RecordedOperation.Kind: Int] = Self.promised) {
        (self.staleness, self.limits) = (staleness, limits)
    }

    /// What Docs/docker-nfsd.md promises.
    public static let promised: [RecordedOperation.Kind: Int] = [
        .create: 100_000_000, .mount: 100_000_000, .unmount: 45_000_000, .remove: 45_000_000, .list: 50_000,
    ]

    public enum Rule: String, Sendable {
        /// Creates and removes of a name have an order, and the first create wins. Lines stand in the order in which they were appended.
        case order
        /// What was acknowledged is listed, until it is removed; a line for ever.
        case loss
        /// What was removed is not listed any more. No line is there that nobody has appended, and none twice.
        case ghost
        /// One holder of a lock at a time.
        case lock
        /// No removal is acknowledged while another node has the volume mounted.
        case use
        /// Each answer in its time.
        case time
    }

    public struct Fault: Sendable, CustomStringConvertible {
        public let rule: Rule
        public let text: String
        public var description: String { "\(rule.rawValue): \(text)" }
    }

    public func faults(in history: History) -> [Fault] {
        let named = Dictionary(grouping: history.operations.filter { !$0.name.isEmpty }, by: \.name)
        var faults: [Fault] = []
        for (name, operations) in named.sorted(by: { $0.key < $1.key }) {
            let changes = operations.filter { $0.kind == .create || $0.kind == .remove }
            if let rest = Linearization(changes, staleness: staleness).contradiction() {
                faults.append(Fault(rule: .order, text: "\(name): these fit nowhere: \(rest.map(\.description).joined(separator: "; "))"))
            }
            faults += locks(name, operations) + uses(name, operations) + AppendedLines(name, operations).faults()
        }
        for list in history.operations where list.kind == .list && list.outcome == .ok { faults += listed(list, named, history) }
        return faults + history.operations.compactMap { late($0, history) }
    }

    // MARK: Lists

    private func listed(_ list: RecordedOperation, _ named: [String: [RecordedOperation]], _ history: History) -> [Fault] {
        let seen = Set(list.seen ?? [])
        let since = list.began - staleness
        let isDisturbed = history.disturbances.contains { $0.began < list.ended && $0.ended > since }
        return named.compactMap { name, operations in
            let creates = operations.filter { $0.kind == .create && $0.outcome != .fail }
            let removes = operations.filter { $0.kind == .remove && $0.outcome != .fail }
            if !seen.contains(name) {
                let lost = creates.last { create in
                    // What another node did may not be known here yet.
                    let isKnown = create.node == list.node ? create.ended <= list.began : create.ended <= since && !isDisturbed
                    return create.outcome == .ok && isKnown && !removes.contains { $0.last > create.began && $0.began < list.ended }
                }
                return lost.map { Fault(rule: .loss, text: "\($0) is not in \(list)") }
            }
            if isDisturbed || isHeld(at: list, operations) { return nil }
            let ghost = removes.last { remove in
                remove.outcome == .ok && remove.ended <= since
                    && !creates.contains { $0.last > remove.began && $0.began < list.ended }
            }
            if let ghost { return Fault(rule: .ghost, text: "\(ghost), but \(name) is in \(list)") }
            let isAsked = creates.contains { $0.began < list.ended }
            return isAsked ? nil : Fault(rule: .ghost, text: "nobody has created \(name), which is in \(list)")
        }
    }

    /// A node keeps what it uses, whatever others say.
    private func isHeld(at list: RecordedOperation, _ operations: [RecordedOperation]) -> Bool {
        operations.contains { $0.kind == .mount && $0.node == list.node && $0.outcome != .fail && $0.began < list.ended }
    }

    // MARK: Holders

    /// The times in which clients certainly hold something: from the answer of the first operation to the question of the second.
    private func holds(_ operations: [RecordedOperation], _ first: RecordedOperation.Kind, _ second: RecordedOperation.Kind) -> [(
        by: RecordedOperation, until: Int
    )] {
        operations.filter { $0.kind == first && $0.outcome == .ok }.map { taken in
            let end = operations.filter { $0.kind == second && $0.client == taken.client && $0.began >= taken.ended }.map(\.began).min()
            return (taken, end ?? .max)
        }
    }

    private func locks(_ name: String, _ operations: [RecordedOperation]) -> [Fault] {
        let holds = holds(operations, .acquire, .release).sorted { $0.by.ended < $1.by.ended }
        return zip(holds, holds.dropFirst()).filter { $0.until > $1.by.ended }.map { first, second in
            Fault(rule: .lock, text: "\(name) is held by two: \(first.by), released at \(first.until); \(second.by)")
        }
    }

    private func uses(_ name: String, _ operations: [RecordedOperation]) -> [Fault] {
        let removes = operations.filter { $0.kind == .remove }
        return holds(operations, .mount, .unmount).flatMap { mount, unmounted in
            // A removal on the same node ends it: an engine removes only what no container of its own uses.
            let end = removes.filter { $0.node == mount.node && $0.outcome != .fail && $0.last >= mount.ended }.map(\.began).min()
            let until = min(unmounted, end ?? .max)
            return removes.filter {
                $0.node != mount.node && $0.outcome == .ok && $0.began > mount.ended && $0.ended < until
            }.map { Fault(rule: .use, text: "\($0), while it is in use: \(mount)") }
        }
    }

    // MARK: Time

    private func late(_ operation: RecordedOperation, _ history: History) -> Fault? {
        guard let limit = limits[operation.kind], operation.outcome != .unknown else { return nil }
        let disturbed = history.disturbances.reduce(0) { sum, disturbance in
            sum + max(0, min(disturbance.ended, operation.ended) - max(disturbance.began, operation.began))
        }
        if operation.ended - operation.began - disturbed <= limit { return nil }
        return Fault(rule: .time, text: "\(operation): more than \(limit) µs")
    }
}
