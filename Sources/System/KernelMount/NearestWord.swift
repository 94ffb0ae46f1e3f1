// SPDX-License-Identifier: AGPL-3.0-or-later

/// A longer word is not a typing error, and the time for the distance grows with the square of the length.
private let longestWord = 64

/// The candidate with the smallest edit distance to a word, if that is at most `limit`; for a long word none.
///
/// Somebody else may have written hundreds of words, so this takes microseconds for each.
public func nearestWord(to word: String, among candidates: some Sequence<String>, within limit: Int) -> String? {
    if word.utf8.count > longestWord { return nil }
    let letters = Array(word.lowercased().utf8)
    var table: [Int] = []
    var best: (distance: Int, word: String)?
    for candidate in candidates {
        let count = candidate.utf8.count
        // The distance is at least the difference in length.
        if abs(count - letters.count) > limit { continue }
        let distance = editDistance(letters, candidate.utf8, &table)
        // A short word is near to everything; it must share more than half of itself.
        guard distance <= limit, distance * 2 < max(count, 2) else { continue }
        if let best, best <= (distance, candidate) { continue }
        best = (distance, candidate)
    }
    return best?.word
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other (optimal string alignment).
///
/// - Parameter table: memory that is used again.
private func editDistance(_ left: [UInt8], _ right: String.UTF8View, _ table: inout [Int]) -> Int {
    let width = left.count + 1
    let size = width * (right.count + 1)
    if table.count < size { table = Array(repeating: 0, count: size) }
    for column in 0..<width { table[column] = column }
    var row = width
    var previous: UInt8?
    for letter in right {
        table[row] = row / width
        for column in 1..<width {
            var best = min(
                table[row - width + column - 1] + (left[column - 1] == letter ? 0 : 1), table[row + column - 1] + 1,
                table[row - width + column] + 1)
            if column > 1, left[column - 2] == letter, left[column - 1] == previous {
                best = min(best, table[row - 2 * width + column - 2] + 1)
            }
            table[row + column] = best
        }
        previous = letter
        row += width
    }
    return table[row - width + left.count]
}
