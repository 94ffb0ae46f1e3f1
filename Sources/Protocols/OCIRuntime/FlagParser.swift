// SPDX-License-Identifier: AGPL-3.0-or-later

/// One flag as it was written.
struct FlagUse: Sendable {
    let flag: RuntimeFlag
    /// Index of the word that it stands in.
    let word: Int
    /// Offset of its letter, in bytes, where it may share the word with other short flags.
    let letter: Int?
    /// As text; nil for a switch without `=`.
    let value: String?
    /// Index of the word that is its value.
    let valueWord: Int?
    /// Offset of its value in its own word, in bytes.
    let valueOffset: Int?

    var name: RuntimeFlag.Name { flag.name }
}

/// Reads flags as runc (Go's flag package behind urfave/cli) and crun (argp of glibc) do, without being told which of them it is for.
///
/// Where the two differ and both accept the words, runc's reading is taken: `-bundle X` is the bundle X, `-b=X` the bundle X (to crun
/// the bundle `undle` and the bundle `=X`). Only crun's are groups of short switches, values glued to a short flag, and names cut
/// short where only one flag begins so.
struct FlagParser {
    enum Meaning {
        case positional
        /// `--`
        case end
        case known
        /// - mayTakeNext: whether the next word may be its value.
        case unknown(mayTakeNext: Bool)
    }

    let words: [String]
    let flags: [RuntimeFlag]
    /// For messages: `create: ` or nothing.
    let context: String
    private(set) var uses: [FlagUse] = []

    init(words: [String], flags: [RuntimeFlag], context: String) {
        self.words = words
        self.flags = flags
        self.context = context
    }

    /// Reads the word at `position` and the value that belongs to it, and moves behind both.
    mutating func take(at position: inout Int) throws(CommandLineError) -> Meaning {
        let index = position
        position += 1
        let word = words[index].utf8
        guard word.first == dash, word.count > 1 else { return .positional }
        if word.elementsEqual("--".utf8) { return .end }
        let dashes = word.dropFirst().first == dash ? 2 : 1
        let body = word.dropFirst(dashes)
        let name = body.prefix { $0 != UInt8(ascii: "=") }
        let valueOffset = name.count < body.count ? dashes + name.count + 1 : nil
        if let flag = flag(named: name) ?? (dashes == 2 ? flag(abbreviated: name) : nil) {
            try use(flag, of: index, letter: nil, valueOffset: valueOffset, next: &position)
            return .known
        }
        if dashes == 1, try takeGroup(index, next: &position) { return .known }
        return .unknown(mayTakeNext: valueOffset == nil)
    }

    /// A group such as `-dbX`: switches, and perhaps one flag whose value is the rest of the word or the next one.
    private mutating func takeGroup(_ index: Int, next: inout Int) throws(CommandLineError) -> Bool {
        let letters = Array(words[index].utf8)
        var group: [RuntimeFlag] = []
        for letter in letters.dropFirst() {
            guard let flag = flags.first(where: { $0.short?.utf8.elementsEqual([letter]) == true }) else { return false }
            group.append(flag)
            if flag.takesValue { break }
        }
        for (offset, flag) in zip(1..., group) {
            let valueOffset = flag.takesValue && offset + 1 < letters.count ? offset + 1 : nil
            try use(flag, of: index, letter: offset, valueOffset: valueOffset, next: &next)
        }
        return true
    }

    private mutating func use(
        _ flag: RuntimeFlag, of index: Int, letter: Int?, valueOffset: Int?, next: inout Int
    ) throws(CommandLineError) {
        var value: String?
        var valueWord: Int?
        if let valueOffset {
            value = String(decoding: words[index].utf8.dropFirst(valueOffset), as: UTF8.self)
        } else if flag.takesValue {
            guard next < words.count else { throw CommandLineError("\(context)--\(flag.long) needs a value") }
            value = words[next]
            valueWord = next
            next += 1
        }
        uses.append(
            FlagUse(flag: flag, word: index, letter: letter, value: value, valueWord: valueWord, valueOffset: valueOffset))
    }

    private func flag(named name: Substring.UTF8View) -> RuntimeFlag? {
        flags.first { $0.long.utf8.elementsEqual(name) || $0.short?.utf8.elementsEqual(name) == true }
    }

    private func flag(abbreviated name: Substring.UTF8View) -> RuntimeFlag? {
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
    func value(of name: RuntimeFlag.Name) -> String? {
        uses.last { $0.name == name }?.value
    }

    /// Whether a switch is on. Spellings of Go's `strconv.ParseBool`.
    func isOn(_ name: RuntimeFlag.Name) throws(CommandLineError) -> Bool {
        guard let use = uses.last(where: { $0.name == name }) else { return false }
        switch use.value {
        case nil, "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        case let other?: throw CommandLineError("\(context)--\(use.flag.long) takes true or false, not \(quoted(other))")
        }
    }

    /// A count that must not be negative; 0 if the flag is not there.
    func count(_ name: RuntimeFlag.Name) throws(CommandLineError) -> Int {
        guard let use = uses.last(where: { $0.name == name }), let text = use.value else { return 0 }
        guard let count = Int(text), count >= 0 else {
            throw CommandLineError("\(context)--\(use.flag.long) takes a number, not \(quoted(text))")
        }
        return count
    }
}
