// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
import SystemPackage

/// How many engines have introduced themselves to each driver name since the boot: `engines.json` in the runtime directory.
struct ActivationFile: Sendable {
    private let file: FilePath
    private let boot: String

    private static let longestFile = 4 << 20

    /// - Throws: `SystemError` if it is not known which boot this is.
    init(runtime: FilePath) throws(SystemError) {
        file = runtime.appending("engines.json")
        boot = try Boot.current().text
    }

    /// The counts by driver name; none if the file cannot be read, or is of another boot. Blocks on a local file.
    func read() -> [String: Int] {
        guard let bytes = try? readRegularFile(file, limit: Self.longestFile), let fields = try? JSONObjectReader(parsing: bytes),
            (try? fields.textIfPresent("boot")) == boot, let counts = try? fields.objectIfPresent("engines")
        else { return [:] }
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
        let document: JSONValue = ["boot": .string(boot), "engines": .object(list)]
        try replaceFile(file, with: document.encoded(.compact), durable: false)
    }
}
