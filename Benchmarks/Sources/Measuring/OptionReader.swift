// SPDX-License-Identifier: AGPL-3.0-or-later

/// The words of a command line, one option after another.
package struct OptionReader {
    private var words: ArraySlice<String>
    private let usage: String

    package init(_ arguments: [String], usage: String) {
        words = arguments[...]
        self.usage = usage
    }

    /// - Returns: nil at the end.
    package mutating func next() -> String? { words.popFirst() }

    package mutating func value(of option: String) throws -> String {
        guard let value = words.popFirst() else { throw BenchmarkError("\(option) needs a value\n\(usage)") }
        return value
    }

    package mutating func count(of option: String) throws -> Int {
        guard let number = Int(try value(of: option)), number > 0 else { throw BenchmarkError("\(option) needs a number above 0") }
        return number
    }

    /// Names with commas between them.
    package mutating func measures<Measure: RawRepresentable<String> & Hashable>(of option: String) throws -> Set<Measure> {
        var measures: Set<Measure> = []
        for name in try value(of: option).split(separator: ",") {
            guard let measure = Measure(rawValue: String(name)) else { throw BenchmarkError("no measure \(name)\n\(usage)") }
            measures.insert(measure)
        }
        return measures
    }

    package func unknown(_ option: String) -> BenchmarkError { BenchmarkError("no option \(option)\n\(usage)") }

    /// - Throws: `BenchmarkError` for the first that was not given.
    package func require(_ options: KeyValuePairs<String, String>) throws {
        for (option, value) in options where value.isEmpty { throw BenchmarkError("\(option) is missing\n\(usage)") }
    }
}
