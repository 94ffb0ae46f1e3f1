// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
import SystemPackage
import Volumes

/// Whose mounts have failed because of their servers, for a restart of the daemon: `failed-starts.json` in the runtime directory.
///
/// After a boot an engine starts its containers once more by itself, so what was before does not matter.
struct FailedStartFile: Sendable {
    /// By volume.
    typealias Content = [VolumeName: Entry]

    struct Entry: Sendable, Equatable {
        /// The driver's name under which the volume was created.
        var owner: String
        /// How often its containers were started again in vain.
        var tries: Int
    }

    private let file: BootFile

    /// - Throws: `SystemError` if it is not known which boot this is.
    init(runtime: FilePath) throws(SystemError) {
        file = try BootFile("failed-starts.json", holding: "volumes", longest: 1 << 20, in: runtime)
    }

    /// Nothing if the file cannot be read, or is of another boot. Blocks on a local file.
    func read() -> Content {
        guard let volumes = file.read() else { return [:] }
        var found: Content = [:]
        for member in volumes.members.members.prefix(FailedStarts.mostVolumes) {
            guard let name = VolumeName(member.key), let entry = try? JSONObjectReader(member.value),
                let owner = try? entry.requiredText("driver"), let tries: Int = try? entry.number("tries"), (0...100).contains(tries)
            else { continue }
            found[name] = Entry(owner: owner, tries: tries)
        }
        return found
    }

    /// Not synced, because a power cut is the end of the boot. Blocks on a local file.
    func write(_ content: Content) throws(SystemError) {
        if content.isEmpty { return try file.remove() }
        var volumes = JSONObject()
        for (name, entry) in content.sorted(by: { $0.key.fileName < $1.key.fileName }) {
            volumes[name.text] = ["driver": .string(entry.owner), "tries": JSONValue(entry.tries)]
        }
        try file.write(volumes)
    }
}
