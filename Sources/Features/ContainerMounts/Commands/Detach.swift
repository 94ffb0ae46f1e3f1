// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import JSON
import LinuxSystem
import OCIRuntime

/// `detach ID [PLUGIN]`: asks the plugins that could not be asked to detach when their container ended.
struct DetachCommand {
    let invocation: Invocation
    let words: [String]

    func run() throws(RuntimeError) -> Int32 {
        guard (1...2).contains(words.count), let first = words.first, let id = try? ContainerID(first) else {
            throw RuntimeError(
                .badArguments, "detach needs the id of a container, and takes the name of a plugin: detach ID [PLUGIN]")
        }
        let only = words.dropFirst().first
        let asking = OwedAsking(occasion: .command, places: invocation.places, log: invocation.log)
        var absent: [String] = []
        var results: [OwedAsking.Result] = []
        for owed in OwedDetaches.all(in: invocation.places) where owed.id == id {
            results += try asking.ask(owed, only: only, absent: &absent)
        }
        if results.isEmpty {
            let what = only.map { "plugin \(JSONValue.string($0)) is not owed a detach" } ?? "no plugin is owed a detach"
            let stillThere = ContainerFolder.all(in: invocation.places.state).contains { (try? $0.record())??.id == id }
            throw RuntimeError(
                .nothingOwed,
                stillThere ? "container \(id) is still there; its plugins are asked when it ends" : "\(what) for container \(id)")
        }
        return invocation.report(results)
    }
}

/// `recover`: tells plugins which containers a reboot has ended.
struct RecoverCommand {
    let invocation: Invocation
    let words: [String]

    func run() throws(RuntimeError) -> Int32 {
        if let word = words.first {
            throw RuntimeError(.badArguments, "recover takes no arguments, and \(JSONValue.string(word)) is one")
        }
        return invocation.report(try Recovery(places: invocation.places, log: invocation.log).run(isAgain: true))
    }
}

extension Invocation {
    /// Prints what became of each plugin.
    ///
    /// - Returns: the exit status: 1 if a plugin has failed or is still owed a detach.
    fileprivate func report(_ results: [OwedAsking.Result]) -> Int32 {
        var status: Int32 = 0
        for result in results {
            let line: String
            if let failure = result.failure {
                status = 1
                line = "container \(result.id): \(failure)\(result.isOwed ? "; it stays owed" : "")\n"
            } else {
                line = "container \(result.id): plugin:\(result.plugin) has detached\n"
            }
            let bytes = Array(line.utf8)
            _ = write(STDOUT_FILENO, bytes, bytes.count)
        }
        return status
    }
}
