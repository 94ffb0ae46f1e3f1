// SPDX-License-Identifier: AGPL-3.0-or-later

/// One kind of bytes that somebody else writes and our programs read, with what must hold for any of them.
///
/// The fuzzer and the tests share these. A trap counts as a failure too, and in the fuzzer so does an input that takes seconds or
/// hundreds of megabytes.
struct FuzzInput: Sendable {
    /// Also of the folder in `Corpus`.
    let name: String
    /// - Throws: `Violation` if something does not hold.
    let check: @Sendable (_ bytes: [UInt8]) throws -> Void

    static let all: [FuzzInput] = [
        json, messages, options, words, mountTable, mountStatistics, state, catalogue, database, configuration, commandLine, answer,
        replies,
    ]
}

/// What does not hold for an input.
struct Violation: Error, CustomStringConvertible {
    let description: String
}

func require(_ holds: Bool, _ promise: @autoclosure () -> String) throws {
    if !holds { throw Violation(description: promise()) }
}

/// What a parser makes of the input; nil if it refuses it. A refusal has words.
func accepted<Value>(_ parse: () throws -> Value) throws -> Value? {
    do { return try parse() } catch {
        try require(!"\(error)".isEmpty, "a refusal without words")
        return nil
    }
}

/// Parses what was written of a value that had been parsed.
func again<Value>(_ what: String, _ parse: () throws -> Value) throws -> Value {
    do { return try parse() } catch { throw Violation(description: "\(what): what was written cannot be read again: \(error)") }
}
