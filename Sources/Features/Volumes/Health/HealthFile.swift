// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
package import LinuxSystem
package import SystemPackage

/// What the daemon knows of servers and of the room on them, for those who only read: `health.json` in the runtime directory.
package struct HealthFile: Sendable {
    /// What is in it.
    package struct Content: Sendable, Equatable {
        /// When it was written: RFC 3339, UTC.
        package var written = ""
        /// The same in seconds since the boot.
        package var seconds = 0
        /// By ``FileSystemSource/serverKey``.
        package var servers: [String: VolumeHealth.Server] = [:]
        /// By the superblock's device, `major:minor`.
        package var usage: [String: VolumeHealth.Usage] = [:]
    }

    /// A file that is older is of a daemon that does not run, or has nothing mounted. Seconds.
    package static let freshness = 60
    /// Bytes: 1,024 servers with a reason of 1 KiB each, and the rooms of 64,000 superblocks.
    private static let longestFile = 16 << 20

    private let path: FilePath
    private let boot: String

    /// - Throws: `SystemError` if it is not known which boot this is.
    package init(runtime: FilePath) throws(SystemError) {
        path = runtime.appending("health.json")
        boot = try Boot.current().text
    }

    /// nil if there is none of this boot that can be read. Blocks on a local file.
    package func read() -> Content? {
        guard let bytes = try? readRegularFile(path, limit: Self.longestFile) else { return nil }
        do throws(JSONShapeError) {
            let fields = try JSONObjectReader(parsing: bytes)
            guard try fields.text("boot") == boot else { return nil }
            var content = Content(written: try fields.text("written"), seconds: try fields.number("seconds"))
            let servers = try fields.list("servers") { (one) throws(JSONShapeError) in (try one.text("key"), try VolumeHealth.Server(one)) }
            for (key, server) in servers { content.servers[key] = server }
            let usage = try fields.list("usage") { (one) throws(JSONShapeError) in (try one.text("device"), try VolumeHealth.Usage(one)) }
            for (device, one) in usage { content.usage[device] = one }
            return content
        } catch {
            return nil
        }
    }

    /// Replaced by rename, and not synced, because a power cut is the end of the boot. Blocks on a local file.
    func write(_ content: Content) throws(SystemError) {
        let servers = content.servers.map { key, server -> JSONValue in
            var object = server.json
            object["key"] = .string(key)
            return .object(object)
        }
        let usage = content.usage.map { device, usage -> JSONValue in
            var object = usage.json
            object["device"] = .string(device)
            return .object(object)
        }
        let document: JSONValue = [
            "boot": .string(boot), "written": .string(content.written), "seconds": JSONValue(content.seconds),
            "servers": .array(servers), "usage": .array(usage),
        ]
        try replaceFile(path, with: document.encoded(.compact), durable: false)
    }
}
