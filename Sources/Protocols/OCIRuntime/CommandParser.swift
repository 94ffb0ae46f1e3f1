// SPDX-License-Identifier: AGPL-3.0-or-later

/// Reads what follows the command's name.
///
/// Flags may come before and after the container's id (runc sorts them; crun takes what follows the id for one argument too many); `--`
/// ends them. A flag that this program does not know, of a later runtime, is a switch if that leaves as many words as the command takes;
/// if there are more, and as many as there are unknown flags with a word directly after them, those words are values. In every other
/// case the id is ambiguous, and that is an error. `--flag=value` is always clear.
enum CommandParser {
    /// What runc and crun have, so that the word after an unknown global flag is not taken for its value.
    static let names = [
        "create", "run", "restore", "start", "delete", "kill", "doctor", "status", "ask", "detach", "recover", "checkpoint", "events",
        "exec", "features",
        "init", "list",
        "mounts",
        "pause", "ps", "resume", "spec", "state", "update", "help", "h",
    ]

    static func parse(_ words: [[UInt8]], _ commandWord: Int) throws(CommandLineError) -> (command: RuntimeCommand, uses: [FlagUse]) {
        let name = String(decoding: words[commandWord], as: UTF8.self)
        let rest = { words[(commandWord + 1)...].map { String(decoding: $0, as: UTF8.self) } }
        let flags: [RuntimeFlag]
        switch name {
        case "create": flags = RuntimeFlag.create
        case "run": flags = RuntimeFlag.run
        case "restore": flags = RuntimeFlag.restore
        case "start": flags = RuntimeFlag.start
        case "delete": flags = RuntimeFlag.delete
        case "kill": flags = RuntimeFlag.kill
        case "doctor": return (.doctor(rest()), [])
        case "status": return (.status(rest()), [])
        case "ask": return (.ask(rest()), [])
        case "detach": return (.detach(rest()), [])
        case "recover": return (.recover(rest()), [])
        default: return (.handedOver, [])
        }
        var parser = FlagParser(words: words, flags: flags, context: "\(name): ")
        let positionals = try positionals(&parser, after: commandWord, atMost: name == "kill" ? 2 : 1)
        guard let word = positionals.first, try !parser.isOn(.help) else { return (.handedOver, []) }
        let first = String(decoding: word, as: UTF8.self)
        let command: RuntimeCommand
        switch name {
        case "create": command = .create(try creation(parser, first))
        case "run": command = .run(try creation(parser, first))
        case "restore": command = .restore(try creation(parser, first))
        case "delete":
            let force = try parser.isOn(.force)
            command = try selection(parser, first).map { .delete($0, force: force) } ?? .handedOver
        case "kill":
            let signal = positionals.count > 1 ? String(decoding: positionals[1], as: UTF8.self) : nil
            let all = try parser.isOn(.all)
            command = try selection(parser, first).map { .kill($0, signal: signal, all: all) } ?? .handedOver
        default:
            command = (try? ContainerID(first)).map { .start($0) } ?? .handedOver
        }
        return (command, parser.uses)
    }

    private static func positionals(
        _ parser: inout FlagParser, after commandWord: Int, atMost limit: Int
    ) throws(CommandLineError) -> [[UInt8]] {
        var found: [Int] = []
        /// Of those, the ones that directly follow an unknown flag.
        var doubtful: [Int] = []
        var unknown: [Int] = []
        var position = commandWord + 1
        while position < parser.words.count {
            let index = position
            switch try parser.next(at: &position) {
            case .positional:
                found.append(index)
                if unknown.last == index - 1 { doubtful.append(index) }
            case .end:
                found.append(contentsOf: position..<parser.words.count)
                position = parser.words.count
            case .known: break
            case .unknown(let mayTakeNext): if mayTakeNext { unknown.append(index) }
            }
        }
        let excess = found.count - limit
        if excess > 0 {
            guard excess == doubtful.count else { throw tooMany(found, unknown, parser) }
            found.removeAll { doubtful.contains($0) }
        }
        return found.map { parser.words[$0] }
    }

    private static func tooMany(_ found: [Int], _ unknown: [Int], _ parser: FlagParser) -> CommandLineError {
        let words = found.map { quoted(parser.words[$0]) }.joined(separator: ", ")
        if unknown.isEmpty { return CommandLineError("\(parser.context)too many arguments: \(words)") }
        let flags = unknown.map { quoted(parser.words[$0]) }.joined(separator: ", ")
        return CommandLineError(
            "\(parser.context)which of \(words) is the container's id cannot be told, since \(flags) is not known here; write --flag=value")
    }

    private static func creation(_ parser: FlagParser, _ id: String) throws(CommandLineError) -> ContainerCreation {
        let container: ContainerID
        do throws(ContainerIDError) {
            container = try ContainerID(id)
        } catch {
            throw CommandLineError("\(parser.context)\(error)")
        }
        return ContainerCreation(
            id: container, bundle: parser.path(of: .bundle), config: parser.path(of: .config), pidFile: parser.value(of: .pidFile),
            consoleSocket: parser.value(of: .consoleSocket), pidfdSocket: parser.value(of: .pidfdSocket),
            preservedDescriptors: try parser.count(.preserveFDs), isDetached: try parser.isOn(.detach), isKept: try parser.isOn(.keep),
            hasNoSubreaper: try parser.isOn(.noSubreaper))
    }

    /// - Returns: nil for an id that no container of ours can have; the runtime below then says what it thinks of it.
    private static func selection(_ parser: FlagParser, _ text: String) throws(CommandLineError) -> ContainerSelection? {
        if try parser.isOn(.regex) { return .matching(text) }
        return (try? ContainerID(text)).map { .id($0) }
    }
}
