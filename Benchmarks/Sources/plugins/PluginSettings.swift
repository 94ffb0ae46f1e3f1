// SPDX-License-Identifier: AGPL-3.0-or-later

import Measuring

/// What the command line says.
struct PluginSettings {
    static let usage = """
        usage: plugins --plugin PROGRAM --runtime PROGRAM --bare PROGRAM [OPTION]...
          --plugin PROGRAM      mountpoint-plugin
          --runtime PROGRAM     mountpoint-runc
          --bare PROGRAM        bare-idmap
          --report-only         succeed whatever the figures are
          --only NAME,...       of: engine, access, attach, jobs, transfer, commit
          --rounds N            rounds of each measure (default 21; the long ones take a third of that)
        """

    enum Measure: String, CaseIterable { case engine, access, attach, jobs, transfer, commit }

    var plugin = ""
    var runtime = ""
    var bare = ""
    var reportOnly = false
    var measures = Set(Measure.allCases)
    var rounds = 21

    /// For measures of which a round takes seconds.
    var fewRounds: Int { max(3, rounds / 3) }

    init(_ arguments: [String]) throws {
        var words = arguments[...]
        while let option = words.popFirst() {
            if option == "--report-only" {
                reportOnly = true
                continue
            }
            guard let value = words.popFirst() else { throw BenchmarkError("\(option) needs a value\n\(Self.usage)") }
            switch option {
            case "--plugin": plugin = value
            case "--runtime": runtime = value
            case "--bare": bare = value
            case "--rounds":
                guard let number = Int(value), number > 0 else { throw BenchmarkError("--rounds needs a number above 0") }
                rounds = number
            case "--only":
                measures = []
                for name in value.split(separator: ",") {
                    guard let measure = Measure(rawValue: String(name)) else { throw BenchmarkError("no measure \(name)\n\(Self.usage)") }
                    measures.insert(measure)
                }
            default: throw BenchmarkError("no option \(option)\n\(Self.usage)")
            }
        }
        for (option, program) in [("--plugin", plugin), ("--runtime", runtime), ("--bare", bare)] where program.isEmpty {
            throw BenchmarkError("\(option) is missing\n\(Self.usage)")
        }
    }
}
