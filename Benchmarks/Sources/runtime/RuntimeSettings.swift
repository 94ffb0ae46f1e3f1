// SPDX-License-Identifier: AGPL-3.0-or-later

import Measuring

/// What the command line says.
struct RuntimeSettings: BenchmarkSettings {
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
        var options = OptionReader(arguments, usage: Self.usage)
        while let option = options.next() {
            switch option {
            case "--runtime": runtime = try options.value(of: option)
            case "--plugin": plugin = try options.value(of: option)
            case "--pause": pause = try options.value(of: option)
            case "--peer": peer = try options.value(of: option)
            case "--below": below = try options.value(of: option)
            case "--rounds": rounds = try options.count(of: option)
            case "--report-only": reportOnly = true
            default: throw options.unknown(option)
            }
        }
        try options.require(["--runtime": runtime, "--plugin": plugin, "--pause": pause, "--peer": peer])
    }
}
