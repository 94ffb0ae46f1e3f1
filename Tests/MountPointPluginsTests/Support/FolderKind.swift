// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import JSON
import Logging
import SystemPackage
import TestSupport

@testable import MountPointPlugins

/// A kind whose effect is a folder: it is there while a container has the mount.
struct FolderKind: PluginKind {
    static var information: KindInformation {
        var information = KindInformation(name: "folder", summary: "makes folders")
        information.consistencies = [(.delegated, "word")]
        return information
    }

    /// A file: what it has in it is the option that cannot be carried out, or undone.
    let trouble: String

    init(settings: JSONObjectReader, instance: PluginInstance) throws(JSONShapeError) { trouble = try settings.text("trouble") }

    func check(_ options: String) throws(PluginError) {
        guard ["", "word", "bad", "stuck", "none"].contains(options) else {
            throw PluginError("\(options) is not known; there are word and bad")
        }
    }

    func plan(_ mount: ChosenMount) throws(PluginError) -> MountPlan? {
        if mount.options == "none" { return nil }
        return MountPlan(
            changes: MountPointChanges(effectiveSource: mount.folder), record: ["made": .string(mount.folder)],
            emergency: [.remove(mount.folder)])
    }

    func carryOut(_ mount: KeptMount) throws(PluginError) {
        mkdir(mount.folder, 0o700)
        if mount.options == "bad" { throw PluginError("it is bad") }
    }

    func undo(_ mount: KeptMount, _ end: ContainerEnd) throws(DetachError) -> DetachError? {
        if mount.options == "stuck" && FileManager.default.fileExists(atPath: trouble) {
            throw DetachError("it is stuck", isRecoverable: true)
        }
        rmdir(mount.record["made"]?.stringValue ?? "")
        return nil
    }
}

/// Places of plugins in a folder of their own, which goes with it.
final class InstanceHost: Sendable {
    let root: FilePath
    let places: PluginPlaces

    init() throws {
        var template = Array("/tmp/docker-nfsd-tests-XXXXXX".utf8CString)
        guard let path = mkdtemp(&template).map({ String(cString: $0) }) else { throw Trouble("mkdtemp: \(errno)") }
        root = FilePath(path)
        var places = PluginPlaces()
        places.sockets = root.appending("plugins")
        places.settings = root.appending("etc")
        places.state = root.appending("lib")
        places.runtime = root.appending("run")
        places.docker = root.appending("docker")
        self.places = places
    }

    deinit { try? FileManager.default.removeItem(atPath: root.string) }

    func plugin(_ settings: String = "{}", of kind: any PluginKind.Type = FolderKind.self) throws -> InstancePlugin {
        try FileManager.default.createDirectory(atPath: places.settings.string, withIntermediateDirectories: true)
        let instance = try PluginInstance(of: kind.information.name, places: places)
        try settings.write(toFile: instance.settingsFile.string, atomically: false, encoding: .utf8)
        return try InstancePlugin(of: kind, instance, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Without settings.
    func kind(_ type: any PluginKind.Type) throws -> any PluginKind {
        try type.init(
            settings: JSONObjectReader(parsing: Array("{}".utf8)), instance: PluginInstance(of: type.information.name, places: places))
    }

    /// What mountpoint-runc would be responsible for.
    func run(_ id: String) throws {
        try FileManager.default.createDirectory(
            atPath: places.runtime.appending("containers/default/\(id)").string, withIntermediateDirectories: true)
    }

    /// What the instance has below its state folder.
    func left(of name: String = "folder") -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: places.state.appending(name).string)) ?? []).sorted()
    }
}

extension MountPoint {
    /// A bind mount in a container with these labels.
    static func bind(
        _ source: String, _ destination: String, labels: StringMap = [:], configure: (inout MountPoint) -> Void = { _ in }
    ) -> MountPoint {
        var mount = MountPoint(type: .bind, source: source, destination: destination)
        mount.origin = [source]
        mount.container = ContainerDescription(labels: labels, name: "web")
        mount.image = Image(name: "alpine")
        configure(&mount)
        return mount
    }
}
