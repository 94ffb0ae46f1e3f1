// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem

/// What becomes of the changes when the container ends.
enum ChangesEnd: String, Sendable {
    case discard, keep, commit
}

/// What becomes of a change whose place somebody else has changed meanwhile.
enum ConflictRule: String, Sendable, CaseIterable {
    /// Nothing is committed.
    case fail
    /// The container's change goes over the other one.
    case ours
    /// The other one stays, and the container's is dropped.
    case theirs
    /// The other one stays, and the container's gets a name beside it.
    case both
}

/// What a label or a rule asks for: words with commas between them.
struct CopyOnWriteOptions: Sendable, Equatable {
    var end = ChangesEnd.discard
    /// The name of changes that containers take up in turn.
    var reuse: String?
    /// The size of a tmpfs, as the kernel reads it, if the changes are not to be on disk.
    var memory: String?
    var conflict = ConflictRule.fail

    static let help = "discard, keep, commit, reuse=NAME, memory=SIZE, conflict=fail|ours|theirs|both; by default discard"

    init(end: ChangesEnd) { self.end = end }

    /// - Throws: `PluginError` for a word that is not known, or that contradicts another.
    init(_ text: String) throws(PluginError) {
        var ends: [ChangesEnd] = []
        for word in text.split(atByte: ",") {
            let parts = word.split(atByte: "=", maxSplits: 1, omittingEmpty: false)
            switch (parts.first ?? "", parts.dropFirst().first) {
            case (let key, nil) where ChangesEnd(rawValue: key) != nil: ends += [ChangesEnd(rawValue: key) ?? .discard]
            case ("reuse", let value?):
                guard ChangeSet.isName(value) else {
                    throw PluginError(
                        "\(word): a name is of at most 64 letters, digits, hyphens, dots and underlines, and begins with none of the last two"
                    )
                }
                reuse = value
            case ("memory", let value?) where NoSwapOptions.isSize(value): memory = value
            case ("memory", _): throw PluginError("\(word): give a size, such as memory=512m")
            case ("conflict", let value?) where ConflictRule(rawValue: value) != nil: conflict = ConflictRule(rawValue: value) ?? .fail
            default: throw PluginError("\(word) is not known, or its value is wrong; there are \(Self.help)")
            }
        }
        if ends.count > 1 { throw PluginError("\(ends[0].rawValue) and \(ends[1].rawValue) exclude each other") }
        end = ends.first ?? (reuse == nil ? .discard : .keep)
        if reuse != nil && end == .discard { throw PluginError("discard and reuse exclude each other") }
    }
}
