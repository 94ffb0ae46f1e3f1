// SPDX-License-Identifier: AGPL-3.0-or-later

import LexicalPaths

/// The command line of an OCI runtime, with the flags of our own that may stand among the global ones.
///
/// Read by hand: with ArgumentParser a start took 2.4 ms more, and a start is made several times a container. It has to read the
/// flags of two other programs anyway, whose rules no library has.
public struct RuntimeCommandLine: Sendable {
    /// Of `--mount-point-plugin`: in order, each once.
    public let plugins: [String]
    /// Of `--runtime-path`: the runtime below.
    public let runtimePath: String?
    /// Of `--root`: the runtime's folder of states, as written. dockerd gives one that ends in `/moby`.
    public let root: String?
    /// Of `--log`: where the caller looks for the runtime's errors, as written.
    public let log: String?
    /// Of `--log-format`: `text` or `json`.
    public let logFormat: String?
    public let isDebugging: Bool
    public let usesSystemdCgroup: Bool
    public let command: RuntimeCommand

    /// The arguments, without the program's own name.
    let words: [[UInt8]]
    /// Index of the command's name.
    let commandWord: Int?
    /// Words that are ours alone.
    let ownWords: [Int]
    /// The command's own flags.
    let uses: [FlagUse]
    private let globalUses: [FlagUse]

    /// Reads the arguments, which are given without the program's name.
    ///
    /// Global flags that are not known: one that is not written `--x=y` is taken for a switch if what follows is another flag or the
    /// name of a command, and to have a value otherwise. For flags of commands see ``RuntimeCommand``'s parsing in `CommandParser`.
    /// What `runc --help`, `--version` or no command at all ask is handed over, and so is a command without a container.
    ///
    /// - Throws: `CommandLineError` where a wrong guess could start a container past its plugins: a flag without its value, a
    ///   container id that is none, or more words than there can be.
    public init(parsing arguments: [[UInt8]]) throws(CommandLineError) {
        words = arguments
        var parser = FlagParser(words: arguments, flags: RuntimeFlag.global, context: "")
        commandWord = try Self.findCommand(&parser)
        globalUses = parser.uses

        var plugins: [String] = []
        for use in parser.uses where use.name == .plugin {
            guard let value = use.value, !value.isEmpty else { throw CommandLineError("--mount-point-plugin needs a plugin's name") }
            let name = String(decoding: value, as: UTF8.self)
            if !plugins.contains(where: { LexicalPath.areSame($0, name) }) { plugins.append(name) }
        }
        self.plugins = plugins
        runtimePath = parser.value(of: .runtimePath)
        if runtimePath == "" { throw CommandLineError("--runtime-path needs the path of a runtime") }
        root = parser.value(of: .root)
        log = parser.value(of: .log)
        logFormat = parser.value(of: .logFormat)
        isDebugging = try parser.isOn(.debug)
        usesSystemdCgroup = try parser.isOn(.systemdCgroup) || parser.value(of: .cgroupManager) == "systemd"
        ownWords = parser.uses.filter { $0.flag.owner == .ours }.flatMap { [$0.word] + ($0.valueWord.map { [$0] } ?? []) }

        guard let commandWord, try !parser.isOn(.help), try !parser.isOn(.version) else {
            command = .handedOver
            uses = []
            return
        }
        let parsed = try CommandParser.parse(arguments, commandWord)
        command = parsed.command
        uses = parsed.uses
    }

    /// Reads arguments that are text.
    public init(parsing arguments: [String]) throws(CommandLineError) { try self.init(parsing: arguments.map { Array($0.utf8) }) }

    /// A flag whose value is kept for later commands, or for the supervisor, and is not UTF-8; nil if there is none.
    public var flagWithoutText: String? { (globalUses + uses).first { $0.isKept && !$0.isText }.map { "--\($0.flag.long)" } }

    /// - Returns: the index of the first word that is neither a flag nor a flag's value.
    private static func findCommand(_ parser: inout FlagParser) throws(CommandLineError) -> Int? {
        var position = 0
        var guess: Int?
        while position < parser.words.count {
            let index = position
            switch try parser.next(at: &position) {
            case .positional:
                if index == guess && !CommandParser.names.contains(String(decoding: parser.words[index], as: UTF8.self)) { continue }
                return index
            case .end: return position < parser.words.count ? position : nil
            case .known:
                if index == guess, parser.uses.last?.flag.owner == .ours {
                    // The runtime below never sees this word, and would take the next one for the flag's value.
                    throw CommandLineError(
                        "\(quoted(parser.words[index - 1])) is not known here and could have a value, so no flag of this program may follow it; write --flag=value, or put it behind"
                    )
                }
            case .unknown(let mayTakeNext): if mayTakeNext { guess = position }
            }
        }
        return nil
    }
}

extension FlagUse {
    fileprivate var isKept: Bool {
        switch name {
        case .root, .pidFile: true
        default: false
        }
    }

    fileprivate var isText: Bool { value.map { String(validating: $0, as: UTF8.self) != nil } ?? true }
}
