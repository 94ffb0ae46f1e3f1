// SPDX-License-Identifier: AGPL-3.0-or-later

/// A longer word is not a typing error, and the time for the distance grows with the square of the length.
private let longestWord = 64

/// The candidate with the smallest edit distance to a word, if that is at most `limit`; for a long word none.
public func nearestWord(to word: String, among candidates: some Sequence<String>, within limit: Int) -> String? {
    if word.utf8.count > longestWord { return nil }
    var best: (distance: Int, word: String)?
    for candidate in candidates.sorted() {
        let distance = editDistance(Array(word.lowercased().utf8), Array(candidate.utf8))
        // A short word is near to everything; it must share more than half of itself.
        guard distance <= limit, distance * 2 < max(candidate.utf8.count, 2) else { continue }
        if distance < best?.distance ?? .max { best = (distance, candidate) }
    }
    return best?.word
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other (optimal string alignment).
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var rows = [Array(0...right.count)]
    for (i, a) in left.enumerated() {
        var row = [i + 1]
        for (j, b) in right.enumerated() {
            var best = min(rows[i][j] + (a == b ? 0 : 1), row[j] + 1, rows[i][j + 1] + 1)
            if i > 0, j > 0, a == right[j - 1], b == left[i - 1] { best = min(best, rows[i - 1][j - 1] + 1) }
            row.append(best)
        }
        rows.append(row)
    }
    return rows[left.count][right.count]
}
