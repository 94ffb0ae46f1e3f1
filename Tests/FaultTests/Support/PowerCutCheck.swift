// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import HistoryChecker
import JSON
import TestSupport

/// What must be there after a power cut, by what was asked and answered before it.
struct ExpectedVolumes {
    /// By name, the modes that a volume can have; nil stands for none.
    private(set) var modes: [String: Set<String?>] = [:]
    /// By name, whether its directory exists; no entry if either is right.
    private(set) var directories: [String: Bool] = [:]

    /// - Parameter marks: those of a `MarkedRun`, up to the cut.
    init(_ history: History, marks: [String]) {
        for mark in marks {
            let words = mark.split(separator: "-")
            guard words.count == 2, let number = Int(words[1]), history.operations.indices.contains(number) else { continue }
            let operation = history.operations[number]
            words[0] == "begin" ? begin(operation) : end(operation)
        }
    }

    private mutating func begin(_ operation: RecordedOperation) {
        let name = operation.name
        switch operation.kind {
        case .create, .change: modes[name, default: [nil]].insert(operation.value)
        case .remove:
            modes[name, default: [nil]].insert(nil)
            directories[name] = nil
        case .mount: directories[name] = nil
        default: break
        }
    }

    private mutating func end(_ operation: RecordedOperation) {
        let name = operation.name
        switch operation.kind {
        case .create, .change: modes[name] = [operation.value]
        case .remove:
            modes[name] = [nil]
            if !name.hasSuffix("-retain") { directories[name] = false }
        case .mount: directories[name] = true
        default: break
        }
    }
}

extension DaemonHost {
    /// What is wrong after a power cut and a start.
    func powerCutFaults(_ expected: ExpectedVolumes) async throws -> [String] {
        guard process != nil else { return ["the daemon has ended"] }
        let world = try await world()
        var faults: [String] = []
        for (name, modes) in expected.modes.sorted(by: { $0.key < $1.key }) {
            let found = try mode(of: name)
            if !modes.contains(found) { faults.append("\(name) is \(found ?? "not there") and not \(modes.map { $0 ?? "absent" })") }
            if (world[name] != nil) != (found != nil) { faults.append("\(name) is \(world[name] == nil ? "not " : "")listed") }
        }
        faults += world.keys.filter { expected.modes[$0] == nil }.map { "\($0) is there, and nobody has created it" }
        faults += world.filter { !$0.value.isEmpty }.map { "\($0.key) is held by \($0.value) after a boot" }
        for (name, isThere) in expected.directories {
            let path = name.hasPrefix("own") ? "data/\(name)" : name
            if FileManager.default.fileExists(atPath: exported(path)) != isThere {
                faults.append("the directory \(path) is \(isThere ? "gone" : "there")")
            }
        }
        return faults + leftFiles()
    }

    /// In its definition.
    private func mode(of name: String) throws -> String? {
        let folder = name.hasPrefix("own") ? stateFolder : Self.export + "/.docker-nfsd"
        guard let bytes = FileManager.default.contents(atPath: host.path("\(folder)/volumes/\(name).json")) else { return nil }
        let definition = try JSONValue(parsing: Array(bytes))
        return definition["options"]?["mode"]?.stringValue ?? "?"
    }

    private func leftFiles() -> [String] {
        var faults = host.names(in: stateFolder + "/damaged").map { "\($0) is damaged" }
        for folder in [stateFolder, stateFolder + "/volumes"] {
            faults += host.names(in: folder).filter { $0.hasSuffix(".new") }.map { "the draft \(folder)/\($0) is left" }
        }
        return faults + host.names(in: Self.export + "/.docker-nfsd/uses").filter { $0.hasPrefix("use.") }.map { "the mark \($0) is left" }
    }
}
