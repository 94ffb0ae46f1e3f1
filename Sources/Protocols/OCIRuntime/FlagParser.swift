// SPDX-License-Identifier: AGPL-3.0-or-later

/// One flag as it was written.
struct FlagUse: Sendable {
    let flag: RuntimeFlag
    /// Index of the word that has it.
    let word: Int
    /// Offset of its letter, in bytes, where it may share the word with other short flags.
    let letter: Int?
    /// nil for a switch without `=`.
    let value: [UInt8]?
    /// Index of the word that is its value.
    let valueWord: Int?
    /// Offset of its value in its own word, in bytes.
    let valueOffset: Int?

    var name: RuntimeFlag.Name { flag.name }
}

/// Reads flags as runc (Go's flag package behind urfave/cli) and crun (argp of glibc) do, without being told which of them it is for.
///
/// Only crun's are groups of short switches, values glued to a short flag, and names cut short where only one flag begins so. Words
/// that both accept and read differently are an error: `-bundle X` and `-b=X` are the bundle X to runc, and the bundles `undle` and `=X`
/// to crun.
struct FlagParser {
    enum Meaning {
        case positional
        /// `--`
        case end
        case known
        /// - mayTakeNext: whether the next word may be its value.
        case unknown(mayTakeNext: Bool)
    }

    let words: [[UInt8]]
    let flags: [RuntimeFlag]
    /// For messages: `create: ` or nothing.
    let context: String
    private(set) var uses: [FlagUse] = []

    init(words: [[UInt8]], flags: [RuntimeFlag], context: String) {
        self.words = words
        self.flags = flags
        self.context = context
    }

    /// Reads the word at `position` and the value that belongs to it, and moves behind both.
    mutating func next(at position: inout Int) throws(CommandLineError) -> Meaning {
        let index = position
        position += 1
        let word = words[index]
        guard word.first == dash, word.count > 1 else { return .positional }
        if word.elementsEqual("--".utf8) { return .end }
        let dashes = word.dropFirst().first == dash ? 2 : 1
        let body = word.dropFirst(dashes)
        let name = body.prefix { $0 != UInt8(ascii: "=") }
        let valueOffset = name.count < body.count ? dashes + name.count + 1 : nil
        if let flag = flag(named: name) ?? (dashes == 2 ? flag(abbreviated: name) : nil) {
            if dashes == 1 && body.count > 1 && group(of: word) != nil { throw ambiguous(word, flag) }
            try use(flag, of: index, letter: nil, valueOffset: valueOffset, next: &position)
            return .known
        }
        if dashes == 1, try consumeGroup(index, next: &position) { return .known }
        return .unknown(mayTakeNext: valueOffset == nil)
    }

    /// A group such as `-dbX`: switches, and perhaps one flag whose value is the rest of the word or the next one.
    private mutating func consumeGroup(_ index: Int, next: inout Int) throws(CommandLineError) -> Bool {
        guard let group = group(of: words[index]) else { return false }
        for (offset, flag) in zip(1..., group) {
            let valueOffset = flag.takesValue && offset + 1 < words[index].count ? offset + 1 : nil
            try use(flag, of: index, letter: offset, valueOffset: valueOffset, next: &next)
        }
        return true
    }

    /// - Returns: nil if crun knows no such flags.
    private func group(of word: [UInt8]) -> [RuntimeFlag]? {
        var group: [RuntimeFlag] = []
        for letter in word.dropFirst() {
            guard let flag = flags.first(where: { $0.short?.utf8.elementsEqual([letter]) == true }) else { return nil }
            group.append(flag)
            if flag.takesValue { break }
        }
        return group
    }

    private func ambiguous(_ word: [UInt8], _ flag: RuntimeFlag) -> CommandLineError {
        CommandLineError("\(context)\(quoted(word)) is one thing to runc and another to crun; write --\(flag.long)")
    }

    private mutating func use(
        _ flag: RuntimeFlag, of index: Int, letter: Int?, valueOffset: Int?, next: inout Int
    ) throws(CommandLineError) {
        var value: [UInt8]?
        var valueWord: Int?
        if let valueOffset {
            value = Array(words[index].dropFirst(valueOffset))
        } else if flag.takesValue {
            guard next < words.count else { throw CommandLineError("\(context)--\(flag.long) needs a value") }
            value = words[next]
            valueWord = next
            next += 1
        }
        uses.append(
            FlagUse(flag: flag, word: index, letter: letter, value: value, valueWord: valueWord, valueOffset: valueOffset))
    }

    private func flag(named name: ArraySlice<UInt8>) -> RuntimeFlag? {
        flags.first { $0.long.utf8.elementsEqual(name) || $0.short?.utf8.elementsEqual(name) == true }
    }

    private func flag(abbreviated name: ArraySlice<UInt8>) -> RuntimeFlag? {
        if name.isEmpty { return nil }
        var found: RuntimeFlag?
        for flag in flags where flag.mayBeAbbreviated && flag.long.utf8.starts(with: name) {
            if let other = found, other.long != flag.long { return nil }
            found = flag
        }
        return found
    }

    private var dash: UInt8 { UInt8(ascii: "-") }
}

extension FlagParser {
    /// The value that counts, which is the last one; nil if the flag is not there.
    func bytes(of name: RuntimeFlag.Name) -> [UInt8]? { uses.last { $0.name == name }?.value }

    /// As text; bytes that are not UTF-8 are replaced.
    func value(of name: RuntimeFlag.Name) -> String? { bytes(of: name).map { String(decoding: $0, as: UTF8.self) } }

    func path(of name: RuntimeFlag.Name) -> PathArgument? { bytes(of: name).map { PathArgument(bytes: $0) } }

    /// Whether a switch is on. Spellings of Go's `strconv.ParseBool`.
    func isOn(_ name: RuntimeFlag.Name) throws(CommandLineError) -> Bool {
        guard let use = uses.last(where: { $0.name == name }), let value = use.value else { return uses.contains { $0.name == name } }
        switch String(decoding: value, as: UTF8.self) {
        case "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        default: throw CommandLineError("\(context)--\(use.flag.long) takes true or false, not \(quoted(value))")
        }
    }

    /// A count that must not be negative; 0 if the flag is not there.
    func count(_ name: RuntimeFlag.Name) throws(CommandLineError) -> Int {
        guard let use = uses.last(where: { $0.name == name }), let value = use.value else { return 0 }
        guard let count = Int(String(decoding: value, as: UTF8.self)), count >= 0 else {
            throw CommandLineError("\(context)--\(use.flag.long) takes a number, not \(quoted(value))")
        }
        return count
    }
}
