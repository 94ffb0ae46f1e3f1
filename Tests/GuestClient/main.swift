// SPDX-License-Identifier: AGPL-3.0-or-later

// Asks daemons in a virtual machine, and prints the history. A nemesis is a program that breaks something and mends it again; it is given
// a number, a length in milliseconds and the name of a node, and prints what it has done.
//
//     guest-client record SOCKET SEED OPERATIONS DEVICE
//     guest-client volumes NEMESIS SEED OPERATIONS FAULTS SECONDS NODE=SOCKET...
//     guest-client locks NEMESIS SEED WRITERS FAULTS NODE:NAME=PATH...

import DockerSupport
import Foundation
import HistoryChecker
import TestSupport
import VolumeWorkload

func failure(_ text: String) -> Never {
    FileHandle.standardError.write(Data("guest-client: \(text)\n".utf8))
    exit(1)
}

let words = Array(CommandLine.arguments.dropFirst())
func number(_ index: Int) -> Int { Int(words[index]) ?? 0 }

func node(_ name: String, _ socket: String) -> WorkloadNode {
    WorkloadNode(name: name) { request in try await blocking { try request.send(to: socket) } }
}

func nemesis(_ program: String, _ nodes: [String]) -> Nemesis {
    { number, random in
        let node = nodes.randomElement(using: &random) ?? ""
        let length = Int.random(in: 1000...3000, using: &random)
        let result = try await command([program, String(number), String(length), node], limit: 100)
        guard result.status == 0 else { throw Trouble("\(program) \(number): \(result)") }
        return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

func pair(_ word: String, at sign: Character) -> (String, String) {
    let parts = word.split(separator: sign, maxSplits: 1).map(String.init)
    guard parts.count == 2 else { failure("\(word): not two parts at \(sign)") }
    return (parts[0], parts[1])
}

func record() async throws -> History {
    let device = words[4]
    let run = MarkedRun(node: node("a", words[1]), seed: number(2)) { name, mode in
        let result = try await command(["docker-nfsd", "volume", "set", name, "mode=" + mode], limit: 100)
        guard result.status == 0 else { throw Trouble("volume set \(name): \(result)") }
        return .ok
    } mark: { text in
        let result = try await command(["dmsetup", "message", device, "0", "mark", text], limit: 30)
        guard result.status == 0 else { throw Trouble("dmsetup message: \(result)") }
    }
    return try await run.history(operations: number(3))
}

func volumes() async throws -> History {
    let nodes = words.dropFirst(6).map { pair($0, at: "=") }
    let run = HistoryRun(nodes: nodes.map(node), seed: number(2), nemesis: nemesis(words[1], nodes.map(\.0)))
    return try await run.history(operations: number(3), faults: number(4), over: Double(number(5)), settling: 17)
}

func locks() async throws -> History {
    let places = words.dropFirst(5).map { word in
        let (name, path) = pair(word, at: "=")
        let (node, lock) = pair(name, at: ":")
        return LockRun.Place(node: node, name: lock, path: path)
    }
    let run = LockRun(places: places, seed: number(2), nemesis: nemesis(words[1], Set(places.map(\.node)).sorted()))
    return try await run.history(writers: number(3), faults: number(4))
}

do {
    let history =
        switch (words.first, words.count) {
        case ("record", 5): try await record()
        case ("volumes", 7...): try await volumes()
        case ("locks", 6...): try await locks()
        default: failure("give record, volumes or locks with their arguments")
        }
    print(history.text, terminator: "")
} catch {
    failure("\(error)")
}
