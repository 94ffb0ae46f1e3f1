// SPDX-License-Identifier: AGPL-3.0-or-later

import Measuring

/// What each plugin that ships holds in memory while nothing happens.
struct MemoryMeasures {
    let host: PluginFolders

    private static let kinds = ["policy", "noswap", "translate", "ownership", "copy-on-write"]
    private static let limit = Limit.value(12e6)

    func measure() throws -> [String] {
        var report = Report("memory", against: "peer")
        for kind in Self.kinds {
            let plugin = try ServedPlugin(kind, host)
            // As the host does when the first container starts.
            try plugin.askForProperties()
            try report.add("\(kind), resident, idle", .bytes, ours: plugin.residentBytes, limit: Self.limit)
            try plugin.stop()
        }
        return report.missed
    }
}
