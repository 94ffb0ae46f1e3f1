// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem
import SystemPackage

/// A settings file, read: the kind with its own members, and how mounts are chosen.
struct InstanceSettings: Sendable {
    var kind: any PluginKind
    var choosing: MountChoosing

    /// Bytes.
    private static let limit = 1 << 20

    /// - Parameter file: nil for the instance's own, which need not be there.
    /// - Throws: `PluginError` that names the file and the member.
    init(of type: any PluginKind.Type, _ instance: PluginInstance, file: FilePath? = nil) throws(PluginError) {
        let path = file ?? instance.settingsFile
        var bytes = Array("{}".utf8)
        do throws(SystemError) {
            if let file {
                bytes = try readRegularFile(file, limit: Self.limit)
            } else if let found = try readRegularFileIfThere(path, limit: Self.limit) {
                bytes = found
            }
        } catch {
            throw PluginError("the settings cannot be read: \(error)")
        }
        do throws(JSONShapeError) {
            self = try InstanceSettings(of: type, instance, JSONObjectReader(parsing: bytes))
        } catch {
            throw PluginError("\(path): \(error.place.isEmpty ? error.reason : error.description)")
        }
    }

    private init(of type: any PluginKind.Type, _ instance: PluginInstance, _ object: JSONObjectReader) throws(JSONShapeError) {
        for member in object.members.members where member.value.isNull { throw object.error("must not be null", at: member.key) }
        let object = object.notingUnread()
        kind = try type.init(settings: object, instance: instance)
        choosing = try MountChoosing(for: kind, settings: object)
        if let unread = object.unreadMembers.first { throw JSONShapeError("there is no setting \(unread) of \(type.information.name)") }
    }
}
