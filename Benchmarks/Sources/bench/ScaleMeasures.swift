// SPDX-License-Identifier: AGPL-3.0-or-later

import Measuring

/// What a call costs with many volumes, against what it costs with few.
struct ScaleMeasures {
    let settings: Settings
    let folder: String

    private static let (few, many) = (10, 10_000)

    /// - Returns: the limits that were missed.
    func measure() throws -> [String] {
        let few = try server("scale-few", volumes: Self.few)
        let many = try server("scale-many", volumes: Self.many)
        let processes = try [few.start(), many.start()]
        var report = Report("docker-nfsd with 10,000 volumes against itself with 10", against: "10 volumes")
        func get(_ server: Server) throws -> Double { try server.each("Get", #"{"Name":"volume-5"}"#, count: 1000) }
        _ = try (get(many), get(few))
        let gets = try alternate(rounds: settings.rounds, ours: { try get(many) }, theirs: { try get(few) })
        report.add("Get, p50", .nanoseconds, gets, limit: .ratio(1.5))
        var (withMany, withFew): ([Double], [Double]) = ([], [])
        func mount(_ server: Server, _ unmounts: inout [Double]) throws -> Double {
            let body = #"{"Name":"volume-%d","ID":"1"}"#
            let time = try server.each("Mount", body, count: Self.few)
            unmounts.append(try server.each("Unmount", body, count: Self.few))
            return time
        }
        _ = try (mount(many, &withMany), mount(few, &withFew))
        (withMany, withFew) = ([], [])
        let mounts = try alternate(
            rounds: settings.rounds, ours: { try mount(many, &withMany) }, theirs: { try mount(few, &withFew) })
        var unmounts = Pairs()
        for (ours, theirs) in zip(withMany, withFew) { unmounts.add(ours: ours, theirs: theirs) }
        report.add("Mount, p50", .nanoseconds, mounts, limit: .ratio(1.5))
        report.add("Unmount, p50", .nanoseconds, unmounts, limit: .ratio(1.5))
        for process in processes { try process.stop() }
        return report.missed
    }

    /// A daemon that finds so many volumes at its start, as an earlier one has left them.
    private func server(_ name: String, volumes: Int) throws -> Server {
        let server = try Server.daemon(settings, in: "\(folder)/\(name)")
        let process = try server.start()
        try server.call("Create", #"{"Name":"volume-0","Opts":{"server":"127.0.0.1","path":"/exports/data"}}"#)
        try process.stop()
        let definitions = "\(folder)/\(name)/state/volumes"
        let first = try readFile("\(definitions)/volume-0.json")
        guard let place = first.firstRange(of: "volume-0") else { throw BenchmarkError("no name in \(first)") }
        for number in 1..<volumes {
            var text = first
            text.replaceSubrange(place, with: "volume-\(number)")
            try writeFile("\(definitions)/volume-\(number).json", text)
        }
        return server
    }
}
