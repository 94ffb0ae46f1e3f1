// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem

/// Which ids of the source appear as which on the mount.
///
/// ``IDRange/inside`` is an id on the file system, ``IDRange/outside`` what it appears as.
struct OwnershipMap: Sendable, Equatable {
    /// Above the last id; 4294967295 is none (chown(2)).
    static let end: UInt64 = 0xffff_ffff

    /// What was asked for.
    var wanted: [IDRange]

    /// - Throws: `PluginError` for a range past the last id, and for two that have an id in common.
    init(_ wanted: [IDRange]) throws(PluginError) {
        self.wanted = wanted
        for side in [wanted.map { Self.span($0.inside, $0.count) }, wanted.map { Self.span($0.outside, $0.count) }] {
            let sorted = side.sorted { $0.lowerBound < $1.lowerBound }
            if let last = sorted.last, last.upperBound > Self.end { throw PluginError("an id is above 4294967294") }
            for (one, next) in zip(sorted, sorted.dropFirst()) where one.upperBound > next.lowerBound {
                throw PluginError("id \(next.lowerBound) is in two ranges")
            }
        }
    }

    private static func span(_ start: UInt32, _ count: UInt32) -> Range<UInt64> { UInt64(start)..<UInt64(start) + UInt64(count) }

    /// Whether each id appears as itself.
    var isIdentity: Bool { wanted.allSatisfy { $0.inside == $0.outside } }

    /// The wanted ranges, and every other id as itself; ids whose place was taken appear as those that have left theirs.
    var total: [IDRange] {
        let (left, taken) = (wanted.map { Self.span($0.inside, $0.count) }, wanted.map { Self.span($0.outside, $0.count) })
        var ranges = wanted
        var vacant = Self.subtracting(taken, from: left)
        for var displaced in Self.subtracting(left, from: taken) {
            while !displaced.isEmpty, let place = vacant.first {
                let count = min(displaced.count, place.count)
                ranges.append(Self.range(displaced.lowerBound, place.lowerBound, count))
                displaced = displaced.lowerBound + UInt64(count)..<displaced.upperBound
                vacant[0] = place.lowerBound + UInt64(count)..<place.upperBound
                if vacant[0].isEmpty { vacant.removeFirst() }
            }
        }
        for same in Self.subtracting(left + taken, from: [0..<Self.end]) {
            ranges.append(Self.range(same.lowerBound, same.lowerBound, same.count))
        }
        return ranges.sorted { $0.inside < $1.inside }
    }

    private static func range(_ inside: UInt64, _ outside: UInt64, _ count: Int) -> IDRange {
        IDRange(inside: UInt32(truncatingIfNeeded: inside), outside: UInt32(truncatingIfNeeded: outside), count: UInt32(clamping: count))
    }

    /// What of some ranges is in none of others; sorted.
    private static func subtracting(_ others: [Range<UInt64>], from ranges: [Range<UInt64>]) -> [Range<UInt64>] {
        var rest = ranges.filter { !$0.isEmpty }
        for other in others where !other.isEmpty {
            rest = rest.flatMap { range in
                [
                    range.lowerBound..<min(max(range.lowerBound, other.lowerBound), range.upperBound),
                    max(min(range.upperBound, other.upperBound), range.lowerBound)..<range.upperBound,
                ].filter { !$0.isEmpty }
            }
        }
        return rest.sorted { $0.lowerBound < $1.lowerBound }
    }
}
