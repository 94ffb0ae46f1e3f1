// SPDX-License-Identifier: AGPL-3.0-or-later

import SystemPackage

/// Descriptors that are open at a time.
private let mostLevels = 128

/// Removes what has a name, with all that is below it; does nothing if there is nothing. What is mounted below is not entered.
///
/// - Throws: `SystemError`; `EBUSY` if something is mounted below. What was reached before is gone.
public func removeTree(_ name: EntryName, in parent: OpenFolder) throws(SystemError) {
    guard let found = try parent.statusIfThere(of: name) else { return }
    guard found.kind == .folder else { return try parent.remove(name) }
    if found.isMountRoot { throw SystemError("unlinkat", .resourceBusy, on: parent.path(of: name)) }
    let top = try OpenFolder(name, in: parent)
    var levels = [(name: name, folder: top, rest: try top.names())]
    var lifted = 0
    while var level = levels.popLast() {
        guard let next = level.rest.popLast() else {
            try (levels.last?.folder ?? parent).removeFolder(level.name)
            continue
        }
        levels.append(level)
        guard let found = try level.folder.statusIfThere(of: next) else { continue }
        if found.isMountRoot { throw SystemError("unlinkat", .resourceBusy, on: level.folder.path(of: next)) }
        if found.kind != .folder {
            try level.folder.remove(next)
        } else if levels.count < mostLevels {
            let folder = try OpenFolder(next, in: level.folder)
            levels.append((next, folder, try folder.names()))
        } else if let name = EntryName(".lifted.\(lifted)") {
            // Deeper than there may be descriptors: it goes on from the top.
            lifted += 1
            levels[levels.count - 1].rest.append(next)
            do throws(SystemError) {
                try level.folder.rename(next, to: name, in: top, replacing: false)
                levels[0].rest.append(name)
            } catch {
                // Taken: the next number.
                if error.errno != .fileExists { throw error }
            }
        }
    }
}
