// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import KernelMount

/// Who has a volume mounted, as its caller told it: a count for each ID. IDs are opaque here.
///
/// A number, not a set: `docker cp` on a running container mounts and unmounts with the ID that the container itself uses.
package struct References: Sendable, Equatable {
    package struct Holder: Sendable, Equatable {
        package var count: Int
        /// The activation of the engine that took it; each start of an engine is one more.
        var activation: Int
        /// Seconds since the boot at which it was last taken.
        var since: Int
        /// It was taken on a mount that has been replaced since, because the server had lost what was mounted.
        package var isOutdated = false
        /// Of the count, those of which it is not known that the caller got the answer.
        var unanswered = 0
        /// The same, taken by an earlier run of this program: it was killed before it could answer, or just after.
        var orphaned = 0

        /// After a change of the count.
        fileprivate mutating func limitToCount() {
            unanswered = min(unanswered, count)
            orphaned = min(orphaned, count - unanswered)
        }
    }

    /// More than any engine mounts with one ID. A larger count is damage, and could make a sum overflow.
    private static let mostMounts = 1_000_000_000

    /// So that what is written can be read again, and a caller that never releases is noticed.
    static let mostHolders = 10_000

    package private(set) var holders: [String: Holder] = [:]

    package var isEmpty: Bool { holders.isEmpty }
    package var total: Int { holders.values.reduce(0) { $0 + $1.count } }

    /// Counts one more use.
    ///
    /// - Parameters:
    ///   - activation: of the engine that asks.
    ///   - now: seconds since the boot.
    mutating func retain(_ id: String, activation: Int, now: Int) {
        var holder = holders[id] ?? Holder(count: 0, activation: activation, since: now)
        holder.count += 1
        holder.activation = activation
        holder.since = now
        holders[id] = holder
    }

    /// Counts one use less.
    ///
    /// - Parameter wasAnswered: false takes back a mount whose caller did not get the answer.
    /// - Returns: false if this ID holds nothing, which is not an error: a caller may repeat an unmount.
    mutating func release(_ id: String, wasAnswered: Bool = true) -> Bool {
        if !wasAnswered { markAnswered(id) }
        guard var holder = holders[id] else { return false }
        holder.count -= 1
        // Who releases has got an answer, so what stays is rather one without.
        holder.limitToCount()
        holders[id] = holder.count > 0 ? holder : nil
        return true
    }

    // MARK: Without an answer

    /// Notes that the answer to the last retain of an ID is still to be given.
    mutating func markUnanswered(_ id: String) { holders[id]?.unanswered += 1 }

    /// Notes that the caller has got the answer.
    mutating func markAnswered(_ id: String) {
        if let unanswered = holders[id]?.unanswered, unanswered > 0 { holders[id]?.unanswered = unanswered - 1 }
    }

    /// Whether an earlier run left a reference without an answer: of this ID, or of any.
    func hasOrphans(of id: String? = nil) -> Bool {
        guard let id else { return holders.values.contains { $0.orphaned > 0 } }
        return holders[id].map { $0.orphaned > 0 } ?? false
    }

    /// The latest time at which one of those was taken, in seconds since the boot.
    var orphansSince: Int? { holders.values.filter { $0.orphaned > 0 }.map(\.since).max() }

    /// Forgets them: of one ID, or of all.
    mutating func dropOrphans(of id: String? = nil) {
        for (key, holder) in holders where holder.orphaned > 0 && (id == nil || id == key) {
            let rest = holder.count - holder.orphaned
            holders[key] = rest > 0 ? holder : nil
            holders[key]?.count = rest
            holders[key]?.orphaned = 0
        }
    }

    /// Takes them for answered.
    mutating func keepOrphans() { for key in holders.keys { holders[key]?.orphaned = 0 } }

    // MARK: Questions

    func isHeld(by id: String) -> Bool { holders[id] != nil }

    /// Whether there is room for one more use by this ID.
    func hasRoom(for id: String) -> Bool { holders.count < Self.mostHolders || isHeld(by: id) }

    /// Notes that all references are on a mount that is about to be replaced.
    mutating func markOutdated() {
        for id in holders.keys { holders[id]?.isOutdated = true }
    }

    /// Forgets all that an ID holds.
    mutating func releaseAll(of id: String) { holders[id] = nil }

    /// Forgets everything.
    mutating func releaseAll() { holders = [:] }

    /// Whether every reference is from an earlier activation, and none has been taken since `time` (seconds since the boot). Such a
    /// reference can be a leak, because an engine that is killed never sends its unmounts.
    package func areLeftOver(activation: Int, takenBefore time: Int) -> Bool {
        !isEmpty && holders.values.allSatisfy { $0.activation < activation && $0.since < time }
    }

    /// The file's form. The boot's id makes a file of an earlier boot recognisable wherever it is kept.
    func json(boot: String) -> JSONValue {
        var list = JSONObject()
        for (id, holder) in holders.sorted(by: { $0.key < $1.key }) {
            var fields: JSONObject = [
                "count": JSONValue(holder.count), "engine": JSONValue(holder.activation), "since": JSONValue(holder.since),
            ]
            if holder.isOutdated { fields["outdated"] = true }
            let unanswered = holder.unanswered + holder.orphaned
            if unanswered > 0 { fields["unanswered"] = JSONValue(unanswered) }
            list[id] = .object(fields)
        }
        return ["boot": .string(boot), "holders": .object(list)]
    }

    package init() {}

    /// - Returns: nil for a file of another boot.
    init?(parsing bytes: [UInt8], boot: String) throws(StorageError) {
        let document: JSONValue
        do throws(JSONError) { document = try JSONValue(parsing: bytes) } catch { throw StorageError(.damaged, "\(error)") }
        guard let fields = try? JSONObjectReader(document), let written = try? fields.textIfPresent("boot"),
            let list = try? fields.objectIfPresent("holders")
        else {
            throw StorageError(.damaged, "boot or holders are missing")
        }
        if written != boot { return nil }
        for member in list.members.members {
            guard let holder = try? JSONObjectReader(member.value),
                let count: Int = try? holder.numberIfPresent("count"), (1...Self.mostMounts).contains(count),
                let activation: Int = try? holder.numberIfPresent("engine"), let since: Int = try? holder.numberIfPresent("since"),
                (-(1 << 40)...1 << 40).contains(since),
                let isOutdated = try? holder.flag("outdated")
            else { throw StorageError(.damaged, "holder \(member.key) is not of the form {count, engine, since}") }
            let unanswered: Int = (try? holder.numberIfPresent("unanswered")) ?? 0
            holders[member.key] = Holder(
                count: count, activation: activation, since: since, isOutdated: isOutdated, orphaned: min(max(unanswered, 0), count))
        }
    }
}
