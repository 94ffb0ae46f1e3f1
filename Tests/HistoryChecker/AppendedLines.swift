// SPDX-License-Identifier: AGPL-3.0-or-later

/// What must be true of a file to which clients append lines, one holder of its lock at a time.
struct AppendedLines {
    let name: String
    private let appends: [RecordedOperation]
    private let reads: [RecordedOperation]

    /// - Parameter operations: all of one name.
    init(_ name: String, _ operations: [RecordedOperation]) {
        self.name = name
        appends = operations.filter { $0.kind == .append && $0.outcome != .fail }
        reads = operations.filter { $0.kind == .read && $0.outcome == .ok }
    }

    func faults() -> [HistoryChecker.Fault] { reads.flatMap(faults) }

    private func faults(_ read: RecordedOperation) -> [HistoryChecker.Fault] {
        let lines = read.seen ?? []
        var places: [String: Int] = [:]
        var faults: [HistoryChecker.Fault] = []
        let asked = Set(appends.filter { $0.began < read.ended }.compactMap(\.value))
        for (place, line) in lines.enumerated() {
            if !asked.contains(line) { faults.append(fault(.ghost, "nobody has appended line \(place + 1), \(line)", read)) }
            if places.updateValue(place, forKey: line) != nil { faults.append(fault(.ghost, "\(line) is there twice", read)) }
        }
        let acknowledged = appends.filter { $0.outcome == .ok && $0.ended <= read.began }
        for append in acknowledged where places[append.value ?? ""] == nil { faults.append(fault(.loss, "\(append) is not there", read)) }
        return faults + disorder(acknowledged, places, read)
    }

    /// What was appended after the answer to another one stands behind it.
    private func disorder(
        _ acknowledged: [RecordedOperation], _ places: [String: Int], _ read: RecordedOperation
    ) -> [HistoryChecker.Fault] {
        let ended = acknowledged.sorted { $0.ended < $1.ended }
        var next = 0
        var last: (place: Int, append: RecordedOperation)?
        var faults: [HistoryChecker.Fault] = []
        for append in acknowledged.sorted(by: { $0.began < $1.began }) {
            while next < ended.count, ended[next].ended <= append.began {
                if let place = places[ended[next].value ?? ""], place > last?.place ?? -1 { last = (place, ended[next]) }
                next += 1
            }
            guard let last, let place = places[append.value ?? ""], place < last.place else { continue }
            faults.append(fault(.order, "\(append) stands before \(last.append)", read))
        }
        return faults
    }

    private func fault(_ rule: HistoryChecker.Rule, _ text: String, _ read: RecordedOperation) -> HistoryChecker.Fault {
        HistoryChecker.Fault(rule: rule, text: "\(name), read at \(read.node): \(text)")
    }
}
