// SPDX-License-Identifier: AGPL-3.0-or-later

import Measuring

/// What the command line says.
struct PluginSettings: BenchmarkSettings {
    static let usage = """
        usage: plugins --plugin PROGRAM --runtime PROGRAM --bare PROGRAM [OPTION]...
          --plugin PROGRAM      mountpoint-plugin
          --runtime PROGRAM     mountpoint-runc
          --bare PROGRAM        bare-idmap
          --report-only         succeed whatever the figures are
          --only NAME,...       of: engine, memory, access, attach, jobs, transfer, commit
          --rounds N            rounds of each measure (default 21; the long ones take a third of that)
        """

    enum Measure: String, CaseIterable { case engine, memory, access, attach, jobs, transfer, commit }

    var plugin = ""
    var runtime = ""
    var bare = ""
    var reportOnly = false
    var measures = Set(Measure.allCases)
    var rounds = 21

    /// For measures of which a round takes seconds.
    var fewRounds: Int { max(3, rounds / 3) }

    init(_ arguments: [String]) throws {
        var options = OptionReader(arguments, usage: Self.usage)
        while let option = options.next() {
            switch option {
            case "--plugin": plugin = try options.value(of: option)
            case "--runtime": runtime = try options.value(of: option)
            case "--bare": bare = try options.value(of: option)
            case "--rounds": rounds = try options.count(of: option)
            case "--only": measures = try options.measures(of: option)
            case "--report-only": reportOnly = true
            default: throw options.unknown(option)
            }
        }
        try options.require(["--plugin": plugin, "--runtime": runtime, "--bare": bare])
    }
}
