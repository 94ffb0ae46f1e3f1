// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LexicalPaths
import LinuxSystem
import OCIRuntime
import SystemPackage

/// What `/etc/docker/mountpoint-runc.json` says.
struct RuntimeSettings: Sendable, Equatable {
    /// `mount-point-plugins`: the chain, in order, each plugin once.
    var plugins: [String] = []
    /// `runtime-path`: the delegate runtime; nil for `runc` as found in PATH.
    var runtimePath: String?
    /// `plugin-timeout`: seconds that a plugin has for one call.
    var timeout = 30.0
    /// `attach-timeout-limit`, `detach-timeout-limit`: the most time that plugins which ask for more get.
    var limits = CallLimits()
    /// `persistent`: whether every plugin is asked to detach after a reboot, even one that did not ask for it.
    var persistsAll = false
    /// `docker-data-root`: where Docker keeps its state, if the bundle does not show it.
    var dataRoot: String?
    /// `debug`: whether each call of a plugin is a line in the system's log.
    var isDebugging = false

    /// Bytes.
    private static let sizeLimit = 1 << 20

    /// - Throws: `RuntimeError` for a file that cannot be read or parsed. A missing file means default settings. A dangling symbolic link, a
    ///   named pipe or a folder is an error, since with default settings no plugin would be asked.
    static func read(from path: String) throws(RuntimeError) -> RuntimeSettings {
        let bytes: [UInt8]
        do throws(SystemError) {
            guard let found = try readRegularFileIfThere(FilePath(path), limit: sizeLimit) else { return RuntimeSettings() }
            bytes = found
        } catch {
            throw RuntimeError(.badSettings, "the settings cannot be read: \(error)", cause: error)
        }
        do throws(RuntimeError) {
            return try RuntimeSettings(parsing: bytes)
        } catch {
            throw error.prefixed(by: path)
        }
    }

    init() {}

    private static let names = [
        "mount-point-plugins", "runtime-path", "plugin-timeout", "attach-timeout-limit", "detach-timeout-limit", "persistent",
        "docker-data-root", "debug",
    ]

    init(parsing bytes: [UInt8]) throws(RuntimeError) {
        do throws(JSONShapeError) {
            try self.init(try JSONObjectReader(parsing: bytes))
        } catch {
            throw RuntimeError(.badSettings, error.place.isEmpty ? error.reason : error.description, cause: error)
        }
    }

    private init(_ object: JSONObjectReader) throws(JSONShapeError) {
        for member in object.members.members {
            if !Self.names.contains(where: { LexicalPath.areSame($0, member.key) }) {
                let names = Self.names.dropLast().joined(separator: ", ") + " and " + (Self.names.last ?? "")
                throw JSONShapeError("there is no setting \(JSONValue.string(member.key)); there are \(names)")
            }
            // To have no plugins, write an empty list.
            if member.value.isNull { throw object.error("must not be null", at: member.key) }
        }
        for name in try object.texts("mount-point-plugins") where !plugins.contains(where: { LexicalPath.areSame($0, name) }) {
            if name.isEmpty { throw object.error("must have plugins' names in it, and an empty text is none", at: "mount-point-plugins") }
            plugins.append(name)
        }
        runtimePath = try Self.path("runtime-path", in: object)
        dataRoot = try Self.path("docker-data-root", in: object)
        isDebugging = try object.flag("debug")
        persistsAll = try object.flag("persistent")
        timeout = try Self.seconds("plugin-timeout", in: object) ?? timeout
        limits.attach = try Self.seconds("attach-timeout-limit", in: object) ?? limits.attach
        limits.detach = try Self.seconds("detach-timeout-limit", in: object) ?? limits.detach
    }

    private static func seconds(_ key: String, in object: JSONObjectReader) throws(JSONShapeError) -> Double? {
        guard let seconds = try object.secondsIfPresent(key) else { return nil }
        guard (0.1...3600).contains(seconds) else { throw object.error("must be a number of seconds from 0.1 to 3600", at: key) }
        return seconds
    }

    private static func path(_ key: String, in object: JSONObjectReader) throws(JSONShapeError) -> String? {
        guard let path = try object.textIfPresent(key) else { return nil }
        guard path.utf8.first == UInt8(ascii: "/") else { throw object.error("must be an absolute path", at: key) }
        return path
    }
}
