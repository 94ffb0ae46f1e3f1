// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LexicalPaths
import LinuxSystem
import SystemPackage

/// What a path means on this host, held open.
struct TranslatedPath {
    let file: PinnedFile
    /// Where it is, for people.
    let path: String

    /// Names below a target are never followed out of it: a link that leads out is an error, wherever it comes from.
    ///
    /// - Parameters:
    ///   - names: below the base.
    ///   - making: whether folders that are not there are made; blocks on the disk.
    /// - Throws: `PluginError`: nothing of the last name is there then, unless it was made.
    init(_ names: [String], below base: PinnedFile, at place: String, rule: TranslationRule, making: Bool) throws(PluginError) {
        var found: [String] = []
        for name in names {
            let spelling = rule.ignoresCase ? try Self.spelling(of: name, below: base, at: place, after: found) : name
            found.append(spelling)
            if making, rule.createsMissing { try Self.makeFolder(found, below: base, at: place) }
        }
        let below = found.joined(separator: "/")
        path = found.isEmpty ? place : LexicalPath.absolute("\(place)/\(below)")
        do throws(SystemError) {
            file = try found.isEmpty ? PinnedFile(at: place) : PinnedFile(at: below, beneath: base)
        } catch {
            throw Self.explained(error, path, place, canBeMade: rule.createsMissing)
        }
    }

    /// A file that is found otherwise.
    init(_ file: PinnedFile, at path: String) {
        self.file = file
        self.path = path
    }

    /// The name that is there, whatever its case; the name that was asked for if there is none.
    private static func spelling(
        of name: String, below base: PinnedFile, at place: String, after names: [String]
    ) throws(PluginError) -> String {
        let same: [String]
        var folder = place
        do throws(SystemError) {
            folder = try names.isEmpty ? base.path() : PinnedFile(at: names.joined(separator: "/"), beneath: base).path()
            let wanted = name.lowercased()
            same = try namesInFolder(FilePath(folder)).filter { $0.lowercased().utf8.elementsEqual(wanted.utf8) }.sorted()
        } catch {
            // What is not there has no other spelling either.
            if error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory { return name }
            throw explained(error, "\(place)/\(names.joined(separator: "/"))", place, canBeMade: false)
        }
        guard same.count < 2 else {
            throw PluginError("\(folder) has \(same.joined(separator: " and ")), which differ in case only; rename one of them")
        }
        return same.first ?? name
    }

    private static func makeFolder(_ names: [String], below base: PinnedFile, at place: String) throws(PluginError) {
        do throws(SystemError) {
            _ = try PinnedFile(at: names.joined(separator: "/"), beneath: base)
            return
        } catch {
            if error.errno != .noSuchFileOrDirectory {
                throw explained(error, "\(place)/\(names.joined(separator: "/"))", place, canBeMade: false)
            }
        }
        do throws(SystemError) {
            let above = names.dropLast().joined(separator: "/")
            let folder = try above.isEmpty ? base.path() : PinnedFile(at: above, beneath: base).path()
            try LinuxSystem.makeFolder(FilePath(folder).appending(names[names.count - 1]), mode: 0o755)
        } catch {
            throw explained(error, "\(place)/\(names.joined(separator: "/"))", place, canBeMade: false)
        }
    }

    private static func explained(_ error: SystemError, _ path: String, _ place: String, canBeMade: Bool) -> PluginError {
        switch error.errno {
        case .noSuchFileOrDirectory where canBeMade: PluginError("\(path) is not there yet, and is made when the container starts")
        case .noSuchFileOrDirectory: PluginError("there is no \(path); make it, or set missing to create")
        case .improperLink, .tooManySymbolicLinkLevels:
            PluginError("\(path) leads out of \(place) by a link; give the path that it leads to")
        default: PluginError("\(path) cannot be used: \(error)")
        }
    }
}
