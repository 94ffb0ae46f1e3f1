// SPDX-License-Identifier: AGPL-3.0-or-later

/// The difference of two texts in the unified form, as patch(1) and git-apply(1) read it.
struct TextPatch {
    /// Without the heading.
    let lines: [[UInt8]]

    /// Lines before and behind each difference.
    private static let context = 3
    /// Lines between the first difference and the last, on each side, that are compared one by one: time and memory grow with the square of
    /// their differences. Of more than that all are given as removed and as added, which is a right patch, and a long one.
    private static let mostLines = 2_500

    /// - Returns: nil if one of them is no text.
    init?(from old: [UInt8], to new: [UInt8]) {
        if old.contains(0) || new.contains(0) { return nil }
        let (old, new) = (Self.lines(of: old), Self.lines(of: new))
        let first = zip(old, new).prefix { $0 == $1 }.count
        let last = zip(old[first...].reversed(), new[first...].reversed()).prefix { $0 == $1 }.count
        let (middle, newMiddle) = (old[first..<(old.count - last)], new[first..<(new.count - last)])
        var (removed, added) = (Set<Int>(middle.indices), Set<Int>(newMiddle.indices))
        if middle.count <= Self.mostLines && newMiddle.count <= Self.mostLines {
            (removed, added) = ([], [])
            for change in newMiddle.difference(from: middle) {
                switch change {
                case .remove(let offset, _, _): removed.insert(first + offset)
                case .insert(let offset, _, _): added.insert(first + offset)
                }
            }
        }
        self.lines = Self.hunks(old, new, removed, added)
    }

    /// With their ends.
    private static func lines(of text: [UInt8]) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var start = text.startIndex
        while start < text.endIndex {
            let end = text[start...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? text.endIndex
            lines.append(text[start..<end])
            start = end
        }
        return lines
    }

    private static func hunks(
        _ old: [ArraySlice<UInt8>], _ new: [ArraySlice<UInt8>], _ removed: Set<Int>, _ added: Set<Int>
    ) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var hunk: (lines: [[UInt8]], old: Int, new: Int, oldCount: Int, newCount: Int, same: Int)?
        var (left, right) = (0, 0)
        func close() {
            guard var open = hunk else { return }
            let extra = max(0, open.same - context)
            open.lines.removeLast(extra)
            let (oldCount, newCount) = (open.oldCount - extra, open.newCount - extra)
            lines.append(Array("@@ -\(range(open.old, oldCount)) +\(range(open.new, newCount)) @@\n".utf8))
            lines += open.lines
            hunk = nil
        }
        while left < old.count || right < new.count {
            let isRemoved = left < old.count && removed.contains(left)
            let isAdded = !isRemoved && right < new.count && added.contains(right)
            if isRemoved || isAdded {
                if hunk == nil {
                    let before = min(context, left, right)
                    hunk = (old[(left - before)..<left].map { line(" ", $0) }, left - before, right - before, before, before, 0)
                }
                hunk?.lines.append(isRemoved ? line("-", old[left]) : line("+", new[right]))
                hunk?.oldCount += isRemoved ? 1 : 0
                hunk?.newCount += isAdded ? 1 : 0
                hunk?.same = 0
                if isRemoved { left += 1 } else { right += 1 }
            } else {
                if left < old.count {
                    hunk?.lines.append(line(" ", old[left]))
                    hunk?.oldCount += 1
                    hunk?.newCount += 1
                    hunk?.same += 1
                }
                if let open = hunk, open.same == 2 * context + 1 { close() }
                left += 1
                right += 1
            }
        }
        close()
        return lines
    }

    private static func range(_ start: Int, _ count: Int) -> String {
        let first = count == 0 ? start : start + 1
        return count == 1 ? "\(first)" : "\(first),\(count)"
    }

    private static func line(_ sign: Character, _ text: ArraySlice<UInt8>) -> [UInt8] {
        let line = Array(String(sign).utf8) + text
        return line.last == UInt8(ascii: "\n") ? line : line + Array("\n\\ No newline at end of file\n".utf8)
    }
}
