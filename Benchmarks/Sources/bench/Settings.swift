// SPDX-License-Identifier: AGPL-3.0-or-later

import Measuring

/// What the command line says.
struct Settings: BenchmarkSettings {
    static let usage = """
        usage: bench --daemon PROGRAM --peer PROGRAM --bare PROGRAM --load PROGRAM [OPTION]...
          --daemon PROGRAM      docker-nfsd
          --peer PROGRAM        volume-peer
          --bare PROGRAM        bare-mounts
          --load PROGRAM        load
          --report-only         succeed whatever the figures are
          --only NAME,...       of: start, get, list, memory, binary, scale, mounts
          --rounds N            rounds of each measure (default 41; the long ones take a third of that)
        mounts on NFS, instead of on a file system that stands in for it:
          --export SERVER:PATH  an export of this machine; folders 0 to 63 are made in it
          --mount-nfs PROGRAM   mount.nfs, to measure against it too
          --emulated            the processor is: the milliseconds that are added are told, and not judged
        """

    enum Measure: String, CaseIterable { case start, get, list, memory, binary, scale, mounts }

    struct Export {
        var server: String
        var path: String
    }

    var daemon = ""
    var peer = ""
    var bare = ""
    var load = ""
    var reportOnly = false
    var measures = Set(Measure.allCases)
    var rounds = 41
    var export: Export?
    var mountNFS: String?
    var isEmulated = false

    /// For measures of which a round takes seconds.
    var fewRounds: Int { max(3, rounds / 3) }

    init(_ arguments: [String]) throws {
        var options = OptionReader(arguments, usage: Self.usage)
        while let option = options.next() {
            switch option {
            case "--daemon": daemon = try options.value(of: option)
            case "--peer": peer = try options.value(of: option)
            case "--bare": bare = try options.value(of: option)
            case "--load": load = try options.value(of: option)
            case "--report-only": reportOnly = true
            case "--emulated": isEmulated = true
            case "--mount-nfs": mountNFS = try options.value(of: option)
            case "--rounds": rounds = try options.count(of: option)
            case "--only": measures = try options.measures(of: option)
            case "--export":
                let parts = try options.value(of: option).split(separator: ":", maxSplits: 1)
                guard parts.count == 2, parts[1].hasPrefix("/") else { throw BenchmarkError("--export needs SERVER:PATH") }
                export = Export(server: String(parts[0]), path: String(parts[1]))
            default: throw options.unknown(option)
            }
        }
        try options.require(["--daemon": daemon, "--peer": peer, "--bare": bare, "--load": load])
    }
}
