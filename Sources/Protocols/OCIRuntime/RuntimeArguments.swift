// SPDX-License-Identifier: AGPL-3.0-or-later

/// An argument for the runtime below.
public enum RuntimeArgument: Sendable, Equatable {
    /// Index into the arguments as they came, without the program's name. Handing on the very bytes keeps those that are not UTF-8.
    case original(Int)
    case text(String)
    /// A part of an argument as it came.
    case bytes([UInt8])
}

extension RuntimeCommandLine {
    /// The arguments without our own flags; all else as it came.
    public var handedOn: [RuntimeArgument] { arguments(changing: [:], commandName: nil, inserting: []) }

    /// The arguments of a `create`, `run` or `restore` without our own flags, and with what is asked for changed; all else as it came.
    ///
    /// - Parameters:
    ///   - pidFile: takes the place of each `--pid-file` that is there, or is added.
    ///   - isDetached: of `run` and `restore`: makes sure of `--detach`.
    ///   - asCreate: makes `create` of `run`, and drops what only `run` has.
    public func handedOn(pidFile: String? = nil, isDetached: Bool = false, asCreate: Bool = false) -> [RuntimeArgument] {
        guard let creation = command.creation else { return handedOn }
        var dropped: [RuntimeFlag.Name] = []
        var inserted: [String] = []
        var commandName: String?
        if asCreate, case .run = command {
            commandName = "create"
            dropped = [.detach, .keep, .noSubreaper]
        } else if isDetached, !creation.isDetached, command.canDetach {
            dropped = [.detach]
            inserted.append("--detach")
        }
        var changes: [Int: RuntimeArgument?] = [:]
        drop(dropped, into: &changes)
        if let pidFile, !replaceValues(of: .pidFile, with: pidFile, in: &changes) { inserted += ["--pid-file", pidFile] }
        return arguments(changing: changes, commandName: commandName, inserting: inserted)
    }

    private func arguments(
        changing changes: [Int: RuntimeArgument?], commandName: String?, inserting inserted: [String]
    ) -> [RuntimeArgument] {
        var result: [RuntimeArgument] = []
        result.reserveCapacity(words.count + inserted.count)
        for index in words.indices where !ownWords.contains(index) {
            if index == commandWord {
                result.append(commandName.map { .text($0) } ?? .original(index))
                result += inserted.map { .text($0) }
            } else if let change = changes[index] {
                if let change { result.append(change) }
            } else {
                result.append(.original(index))
            }
        }
        return result
    }

    private func drop(_ names: [RuntimeFlag.Name], into changes: inout [Int: RuntimeArgument?]) {
        var letters: [Int: [Int]] = [:]
        for use in uses where names.contains(use.name) {
            if let letter = use.letter {
                letters[use.word, default: []].append(letter)
            } else {
                changes[use.word] = .some(nil)
            }
        }
        for (word, offsets) in letters {
            let kept = words[word].enumerated().filter { !offsets.contains($0.offset) }.map(\.element)
            changes[word] = .some(kept.count > 1 ? .bytes(clear(kept, of: word)) : nil)
        }
    }

    /// `-db=x` is only crun's, for which the value is `=x`. Without its switch it would be runc's too, for which that is `x`.
    private func clear(_ kept: [UInt8], of word: Int) -> [UInt8] {
        guard kept.count > 2, kept[2] == UInt8(ascii: "="),
            let use = uses.first(where: { $0.word == word && $0.valueOffset != nil }), let offset = use.valueOffset
        else { return kept }
        return Array("--\(use.flag.long)=".utf8) + words[word][offset...]
    }

    private func replaceValues(of name: RuntimeFlag.Name, with value: String, in changes: inout [Int: RuntimeArgument?]) -> Bool {
        var isThere = false
        for use in uses where use.name == name {
            isThere = true
            if let word = use.valueWord { changes[word] = .text(value) }
            if let offset = use.valueOffset {
                changes[use.word] = .bytes(words[use.word].prefix(offset) + Array(value.utf8))
            }
        }
        return isThere
    }
}

extension RuntimeCommand {
    /// Of `create`, `run` and `restore`.
    public var creation: ContainerCreation? {
        switch self {
        case .create(let creation), .run(let creation), .restore(let creation): creation
        default: nil
        }
    }

    var canDetach: Bool {
        switch self {
        case .run, .restore: true
        default: false
        }
    }
}
