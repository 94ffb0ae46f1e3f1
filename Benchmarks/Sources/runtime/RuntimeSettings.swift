// SPDX-License-Identifier: AGPL-3.0-or-later

import Measuring

/// What the command line says.
struct RuntimeSettings {
    static let usage = """
        usage: runtime --runtime PROGRAM --plugin PROGRAM --pause PROGRAM --peer PROGRAM [OPTION]...
          --runtime PROGRAM     mountpoint-runc
          --plugin PROGRAM      mountpoint-plugin
          --pause PROGRAM       what containers run: a static program that waits until it is killed
          --peer PROGRAM        a wrapper that only becomes the runtime that EXEC_RUNC names
          --below PROGRAM       the runtime that is measured against and that does the work (default: runc)
          --rounds N            rounds, of some 0.5 s each (default 101)
          --report-only         succeed whatever the figures are
        """

    var runtime = ""
    var plugin = ""
    var pause = ""
    var peer = ""
    var below = "runc"
    var rounds = 101
    var reportOnly = false

    init(_ arguments: [String]) throws {
        var words = arguments[...]
        while let option = words.popFirst() {
            if option == "--report-only" {
                reportOnly = true
                continue
            }
            guard let value = words.popFirst() else { throw BenchmarkError("\(option) needs a value\n\(Self.usage)") }
            switch option {
            case "--runtime": runtime = value
            case "--plugin": plugin = value
            case "--pause": pause = value
            case "--peer": peer = value
            case "--below": below = value
            case "--rounds":
                guard let number = Int(value), number > 0 else { throw BenchmarkError("--rounds needs a number above 0") }
                rounds = number
            default: throw BenchmarkError("no option \(option)\n\(Self.usage)")
            }
        }
        for (option, program) in [("--runtime", runtime), ("--plugin", plugin), ("--pause", pause), ("--peer", peer)] where program.isEmpty
        {
            throw BenchmarkError("\(option) is missing\n\(Self.usage)")
        }
    }
}
