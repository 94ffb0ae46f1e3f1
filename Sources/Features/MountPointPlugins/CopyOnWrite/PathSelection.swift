// SPDX-License-Identifier: AGPL-3.0-or-later

/// Which paths somebody means: some, with all that is below them.
struct PathSelection: Sendable, Equatable {
    /// Nil for all.
    let paths: [EntryPath]?

    static let all = PathSelection(nil)

    init(_ paths: [EntryPath]?) { self.paths = paths }

    var isAll: Bool { paths == nil }

    func covers(_ path: EntryPath) -> Bool { paths?.contains { $0.isSame(orAbove: path) } ?? true }

    /// Whether something below it is meant, or itself.
    func reaches(_ path: EntryPath) -> Bool { covers(path) || (paths?.contains { path.isSame(orAbove: $0) } ?? true) }
}
