// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
import SystemPackage

/// How many engines have introduced themselves to each driver name since the boot: `engines.json` in the runtime directory.
struct ActivationFile: Sendable {
    private let file: BootFile

    /// - Throws: `SystemError` if it is not known which boot this is.
    init(runtime: FilePath) throws(SystemError) {
        file = try BootFile("engines.json", holding: "engines", longest: 4 << 20, in: runtime)
    }

    /// The counts by driver name; none if the file cannot be read, or is of another boot. Blocks on a local file.
    func read() -> [String: Int] {
        guard let counts = file.read() else { return [:] }
        var found: [String: Int] = [:]
        for driver in counts.members.members.map(\.key) {
            guard let count: Int = try? counts.numberIfPresent(driver), (0...Int(Int32.max)).contains(count) else { continue }
            found[driver] = count
        }
        return found
    }

    /// Not synced, because a power cut is the end of the boot. Blocks on a local file.
    func write(_ counts: [String: Int]) throws(SystemError) {
        var list = JSONObject()
        for (driver, count) in counts.sorted(by: { $0.key < $1.key }) { list[driver] = JSONValue(count) }
        try file.write(list)
    }
}
