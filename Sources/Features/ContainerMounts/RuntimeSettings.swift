// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
import OCIRuntime
import SystemPackage

/// What `/etc/docker/mountpoint-runc.json` says.
struct RuntimeSettings: Sendable, Equatable {
    /// `mount-point-plugins`: the chain, in order, each plugin once.
    var plugins: [String] = []
    /// `runtime-path`: the runtime below; nil for `runc` as found in PATH.
    var runtimePath: String?
    /// `plugin-timeout`: seconds that a plugin has for one call.
    var timeout = 30.0
    /// `attach-timeout-limit`, `detach-timeout-limit`: what plugins get that say they need more.
    var limits = CallLimits()
    /// `persistent`: whether every plugin gets its detach after a reboot, also one that has not said that it wants it.
    var persistsAll = false
    /// `docker-data-root`: where Docker keeps its state, if it cannot be told from the bundle.
    var dataRoot: String?
    /// `debug`: whether each call of a plugin is a line in the system's log.
    var isDebugging = false

    /// Bytes.
    private static let sizeLimit = 1 << 20

    /// - Throws: `RuntimeError` for a file that cannot be read or understood. One that is not there says nothing, but a symbolic link
    ///   that leads nowhere, a named pipe or a folder in its place is an error: without plugins, nobody would be asked.
    static func read(from path: String) throws(RuntimeError) -> RuntimeSettings {
        let bytes: [UInt8]
        do throws(SystemError) {
            guard let found = try readRegularFileIfThere(FilePath(path), limit: sizeLimit) else { return RuntimeSettings() }
            bytes = found
        } catch {
            throw RuntimeError("the settings cannot be read: \(error)")
        }
        do throws(RuntimeError) {
            return try RuntimeSettings(parsing: bytes)
        } catch {
            throw RuntimeError("\(path): \(error)")
        }
    }

    init() {}

    init(parsing bytes: [UInt8]) throws(RuntimeError) {
        let document: JSONValue
        do throws(JSONError) {
            document = try JSONValue(parsing: bytes)
        } catch {
            throw RuntimeError("not valid JSON: \(error)")
        }
        guard case .object(let members) = document else { throw RuntimeError("must be a JSON object, not \(document.kind)") }
        for member in members.members {
            switch member.key {
            case "mount-point-plugins": plugins = try Self.chain(member.value)
            case "runtime-path": runtimePath = try Self.path(member)
            case "docker-data-root": dataRoot = try Self.path(member)
            case "debug":
                guard let flag = member.value.boolValue else { throw RuntimeError("debug must be true or false") }
                isDebugging = flag
            case "plugin-timeout": timeout = try Self.seconds(member)
            case "persistent":
                guard let flag = member.value.boolValue else { throw RuntimeError("persistent must be true or false") }
                persistsAll = flag
            case "attach-timeout-limit": limits.attach = try Self.seconds(member)
            case "detach-timeout-limit": limits.detach = try Self.seconds(member)
            default:
                throw RuntimeError(
                    "there is no setting \(JSONValue.string(member.key)); there are mount-point-plugins, runtime-path, plugin-timeout, attach-timeout-limit, detach-timeout-limit, persistent, docker-data-root and debug"
                )
            }
        }
    }

    private static func chain(_ value: JSONValue) throws(RuntimeError) -> [String] {
        guard let elements = value.arrayValue else { throw RuntimeError("mount-point-plugins must be a list of plugins' names") }
        var names: [String] = []
        for element in elements {
            guard let name = element.stringValue, !name.isEmpty else {
                throw RuntimeError("mount-point-plugins must have plugins' names in it, and \(element) is none")
            }
            if !names.contains(where: { LexicalPath.areSame($0, name) }) { names.append(name) }
        }
        return names
    }

    private static func seconds(_ member: JSONObject.Member) throws(RuntimeError) -> Double {
        guard let seconds = member.value.doubleValue, (0.1...3600).contains(seconds) else {
            throw RuntimeError("\(member.key) must be a number of seconds from 0.1 to 3600")
        }
        return seconds
    }

    private static func path(_ member: JSONObject.Member) throws(RuntimeError) -> String {
        guard let path = member.value.stringValue, path.utf8.first == UInt8(ascii: "/") else {
            throw RuntimeError("\(member.key) must be an absolute path")
        }
        return path
    }
}
