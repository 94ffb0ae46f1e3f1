// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LexicalPaths
import LinuxSystem
import SystemPackage

/// The rules of an instance of `translate`, and what paths mean by them.
struct Translation: Sendable {
    let rules: [TranslationRule]
    private let places: PluginPlaces

    init(_ settings: JSONObjectReader, places: PluginPlaces) throws(JSONShapeError) {
        rules = try settings.list("paths", of: TranslationRule.init)
        for (index, rule) in rules.enumerated() {
            guard !rules[..<index].contains(where: { $0.prefix.utf8.elementsEqual(rule.prefix.utf8) }) else {
                throw settings.error("has the prefix \(rule.prefix) twice", at: "paths")
            }
        }
        self.places = places
    }

    /// The rule with the longest prefix of a path, and the names that follow it.
    func rule(for path: String) -> (rule: TranslationRule, rest: [String])? {
        var best: (rule: TranslationRule, rest: [String])?
        for rule in rules {
            guard let rest = rule.rest(of: path) else { continue }
            if best.map({ rest.count < $0.rest.count }) ?? true { best = (rule, rest) }
        }
        return best
    }

    /// - Parameter making: whether folders that are not there are made where the rule says so.
    /// - Throws: `PluginError`: what is not there, or why nobody can tell.
    func translated(
        _ path: String, by rule: TranslationRule, rest: [String], making: Bool
    ) throws(PluginError) -> TranslatedPath {
        switch rule.target {
        case .path(let place): return try TranslatedPath(rest, below: try base(place), at: place, rule: rule, making: making)
        case .volume(let name):
            let place = try folder(ofVolume: name)
            return try TranslatedPath(rest, below: try base(place), at: place, rule: rule, making: making)
        case .containerNamed, .containerLabelled: return try ContainerView(rule.target, docker: places.dockerFolders).path(of: path)
        }
    }

    private func base(_ place: String) throws(PluginError) -> PinnedFile {
        do throws(SystemError) { return try PinnedFile(at: place) } catch {
            throw PluginError("\(place), which the settings name, cannot be used: \(error)")
        }
    }

    private func folder(ofVolume name: String) throws(PluginError) -> String {
        let found = places.dockerFolders.map { $0.appending("volumes").appending(name) }.filter { (try? mode(of: $0)) != nil }
        guard found.count < 2 else {
            throw PluginError(
                "there are two volumes \(name), one for each way of numbering users: name the folder or the container instead")
        }
        let folder = found.first ?? places.docker.appending("volumes").appending(name)
        do throws(SystemError) {
            // Its data are elsewhere, and mounted only while a container has it.
            guard try readRegularFileIfThere(folder.appending("opts.json"), limit: 1 << 20) == nil else {
                throw SystemError(
                    "find", .invalidArgument, on: name, hint: "the volume has options of its own; name the folder or the container instead")
            }
            return try PinnedFile(at: folder.appending("_data").string).path()
        } catch {
            throw PluginError("volume \(name) is none of the local driver whose data are in \(folder): \(error)")
        }
    }

    /// Docker's own folder of a container, which it makes before anything else of it.
    func folder(ofContainer id: String) -> FilePath? {
        guard LexicalPath.isComponent(id) else { return nil }
        return places.dockerFolders.map { $0.appending("containers").appending(id) }.first { (try? mode(of: $0)) != nil }
    }

    /// What is said of a path, and whether a container would get it.
    func explanation(of text: String) -> (text: String, isUsable: Bool) {
        guard let path = ForeignPath.absolute(text) else { return ("\(text)\n  is no absolute path, or has .. in it\n", false) }
        guard let (rule, rest) = rule(for: path) else { return ("\(path)\n  no rule has a prefix of it; it stays as it is\n", true) }
        let head = "\(path)\n  rule    \(rule.prefix) -> \(rule.text)\n"
        do throws(PluginError) {
            let found = try translated(path, by: rule, rest: rest, making: false)
            return (head + "  means   \(found.path), a \(found.file.isFolder ? "folder" : "file")\n", true)
        } catch {
            return (head + "  denied  \(error)\n", false)
        }
    }
}
