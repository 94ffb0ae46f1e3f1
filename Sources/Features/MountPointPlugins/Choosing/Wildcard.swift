// SPDX-License-Identifier: AGPL-3.0-or-later

/// A text in which `*` stands for any bytes, also for none, and every other byte for itself.
struct Wildcard: Sendable, Equatable {
    let text: String

    init(_ text: String) { self.text = text }

    /// Takes time by the product of both lengths at most.
    func matches(_ other: String) -> Bool {
        let pattern = Array(text.utf8)
        let bytes = Array(other.utf8)
        let star = UInt8(ascii: "*")
        var (place, index) = (0, 0)
        // Where to go on if what follows the last star does not fit.
        var retry: (place: Int, index: Int)?
        while index < bytes.count {
            if place < pattern.count, pattern[place] == star {
                retry = (place + 1, index)
                place += 1
            } else if place < pattern.count, pattern[place] == bytes[index] {
                place += 1
                index += 1
            } else if let last = retry {
                retry = (last.place, last.index + 1)
                (place, index) = (last.place, last.index + 1)
            } else {
                return false
            }
        }
        return pattern[place...].allSatisfy { $0 == star }
    }

    static func == (one: Wildcard, other: Wildcard) -> Bool { one.text.utf8.elementsEqual(other.text.utf8) }
}
