// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerFiles
import DockerPluginAPI
import LinuxSystem
import OCIRuntime
import PluginClient
import SystemPackage

/// The bundle of a container that is to be created, and what its engine says of its mounts.
struct ContainerBundle {
    /// Of config.json.
    let file: FilePath
    /// As read.
    let bytes: [UInt8]
    /// As the runtime below has to see it, but for what plugins change.
    let configuration: OCIConfiguration
    /// Whether that is other than what was read.
    let isChanged: Bool
    /// Of the mounts that plugins are asked about, held since they were looked up.
    let sources = PinnedSources()
    /// Those that plugins are asked about.
    var mounts: [InterposedMount] = []

    private let opened: OpenedBundle

    /// - Parameter state: the folder of what is kept of containers.
    init(_ opened: OpenedBundle, state: String) throws(RuntimeError) {
        self.opened = opened
        file = opened.file
        bytes = opened.bytes
        var configuration: OCIConfiguration
        do throws(ConfigurationError) {
            configuration = try OCIConfiguration(parsing: bytes)
        } catch {
            throw RuntimeError("\(file) cannot be used: \(error)")
        }
        isChanged = try configuration.joinContainersOfSupervisors(state)
        self.configuration = configuration
    }

    mutating func findMounts(id: ContainerID, invocation: Invocation, settings: RuntimeSettings) throws(RuntimeError) {
        if configuration.mounts.allSatisfy({ $0.kind == .kernel && !TmpfsMounts.isAsked($0) }) { return }
        if !opened.hasTextPaths {
            throw RuntimeError(
                "the path of the bundle, \(quoted(file.string)), has bytes that are not UTF-8, so that its mounts cannot be told from those of its "
                    + "engine; use another path")
        }
        let scopes = VolumeScopes(
            places: invocation.places, loader: invocation.loader(timeout: settings.timeout, settings: settings))
        let view: EngineView
        do throws(EngineFilesError) {
            let docker = try DockerSettings.read(from: invocation.places.dockerSettings)
            view = try EngineView.find(
                container: id, configuration: configuration, bundle: opened.folder.string,
                runtimeRoot: invocation.line.root, dataRoots: (settings.dataRoot.map { [$0] } ?? []) + docker.dataRoots,
                initPath: docker.initPath, scope: scopes.scope)
        } catch {
            throw RuntimeError("\(error)")
        }
        // Docker has the mounts of one depth in an order that changes from start to start.
        mounts = try view.mounts.map { (mount) throws(RuntimeError) in try completing(mount) }.sorted {
            $0.mountPoint.destination.utf8.lexicographicallyPrecedes($1.mountPoint.destination.utf8)
        }
    }

    /// Where Docker's files may be, for a container that has no bundle yet.
    static func dataRoots(_ settings: RuntimeSettings, _ places: RuntimePlaces) throws(RuntimeError) -> [String] {
        do throws(EngineFilesError) {
            return (settings.dataRoot.map { [$0] } ?? []) + (try DockerSettings.read(from: places.dockerSettings)).dataRoots
        } catch {
            throw RuntimeError("\(error)")
        }
    }

    /// With what config.json says of the container, and with the effective source where links in it lead: a pattern is a text, and must not
    /// be passed by another name for the same place.
    private func completing(_ mount: InterposedMount) throws(RuntimeError) -> InterposedMount {
        var mount = mount
        mount.mountPoint.container = mount.mountPoint.container.adding(configuration)
        if mount.mountPoint.type != .tmpfs {
            mount.mountPoint.effectiveSource = try sources.pin(
                mount.mountPoint.effectiveSource, of: mount.configurationIndex, layer: mount.layer)
        }
        return mount
    }
}
