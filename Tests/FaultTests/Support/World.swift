// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import JSON
import TestSupport

/// The volumes that there are, each with how often each ID holds it.
typealias World = [String: [String: Int]]

/// What must be true of a daemon and its files at any time, whatever has happened before.
extension DaemonHost {
    func world() async throws -> World {
        let list = try await succeed(.list)["Volumes"]?.arrayValue ?? []
        var world = World()
        for name in list.compactMap({ $0["Name"]?.stringValue }) {
            let answer = try await send(.get(name))
            // Removed since it was listed.
            guard let status = answer.document?["Volume"]?["Status"] else { continue }
            var holders: [String: Int] = [:]
            for holder in status["heldBy"]?.arrayValue ?? [] {
                guard let id = holder["id"]?.stringValue, let count = holder["count"]?.intValue else { throw Trouble("\(holder)") }
                holders[id] = count
            }
            world[name] = holders
        }
        return world
    }

    /// What is wrong with the daemon and its files.
    ///
    /// - Parameter allowed: the worlds of which one must be.
    func faults(allowed: [World]) async throws -> [String] {
        guard process != nil else { return ["the daemon has ended"] }
        let world = try await world()
        var faults: [String] = []
        if !allowed.contains(world) { faults.append("there is \(world) and not \(allowed.map { "\($0)" }.joined(separator: " or "))") }
        let mounted = try host.mountPoints(below: folder).sorted()
        let held = world.filter { !$0.value.isEmpty }.keys.map(place).sorted()
        if mounted != held { faults.append("mounted is \(mounted), held is \(held)") }
        let folders = host.names(in: folder + "/mounts").map(place)
        for folder in folders where !held.contains(folder) { faults.append("the folder \(folder) is left") }
        faults += fileFaults(world)
        let processes = host.processes().filter { !$0.commandLine.isEmpty && $0.name != "bash" && $0.name != "fault-injector" }.map(\.name)
        if processes.filter({ $0 != "docker-nfsd" }) != [] || processes.count != 1 { faults.append("processes: \(processes)") }
        return faults
    }

    private func fileFaults(_ world: World) -> [String] {
        func unexpected(_ folder: String, _ names: some Sequence<String>) -> [String] {
            let (found, wanted) = (host.names(in: "\(self.folder)/\(folder)"), names.sorted())
            return found == wanted ? [] : ["in \(folder) is \(found) and not \(wanted)"]
        }
        var faults = unexpected("state/volumes", world.keys.map { $0 + ".json" })
        faults += unexpected("run/references", world.filter { !$0.value.isEmpty }.keys.map { $0 + ".json" })
        faults += unexpected("state/damaged", [])
        faults += unexpected("run/staging", [])
        let known = ["volumes", "damaged", "lock", "shares.json", "references", "failures", "staging", "engines.json"]
        for folder in ["state", "run"] {
            faults += host.names(in: "\(self.folder)/\(folder)").filter { !known.contains($0) }.map { "a file \(folder)/\($0) is left" }
        }
        let failures = host.names(in: folder + "/run/failures").filter { !world.keys.contains(String($0.dropLast(".json".count))) }
        return faults + failures.map { "a file run/failures/\($0) is left" }
    }

    /// What is wrong with the share's catalogue.
    ///
    /// - Parameter names: the volumes that are in it.
    func catalogueFaults(_ names: [String]) -> [String] {
        let (definitions, uses) = (
            host.names(in: Self.export + "/.docker-nfsd/volumes"), host.names(in: Self.export + "/.docker-nfsd/uses")
        )
        var faults: [String] = []
        if definitions != names.map({ $0 + ".json" }).sorted() { faults.append("the share defines \(definitions)") }
        if names.isEmpty, !uses.isEmpty { faults.append("the share has the marks \(uses)") }
        return faults
    }

    /// Waits until nothing is wrong.
    ///
    /// - Returns: what is wrong still after some seconds.
    func lastingFaults(_ look: () async throws -> [String]) async -> [String] {
        var faults: [String] = []
        do {
            try await eventually("nothing is wrong", within: .seconds(20)) {
                faults = try await look()
                return faults.isEmpty
            }
            return []
        } catch {
            return faults.isEmpty ? ["\(error)"] : faults
        }
    }
}
