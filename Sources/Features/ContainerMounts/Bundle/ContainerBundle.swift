// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerFiles
import DockerPluginAPI
import LinuxSystem
import OCIRuntime
import PluginClient
import SystemPackage

/// The bundle of a container that is to be created, and what its engine knows of its mounts.
struct ContainerBundle {
    /// Of config.json.
    let file: FilePath
    /// As read.
    let bytes: [UInt8]
    /// The configuration for the delegate runtime, before plugins change it.
    let configuration: OCIConfiguration
    /// Whether it differs from what was read.
    let isChanged: Bool
    /// The sources of the mounts that plugins are asked about, pinned since they were looked up.
    let sources = PinnedSources()
    /// Those that plugins are asked about.
    var mounts: [InterposedMount] = []
    /// The container itself, if a label of it says something to a plugin.
    private var labelled: MountPoint?
    /// What plugins are shown: the mounts in their order, and behind them the container itself.
    var shown: [MountPoint] { mounts.map(\.mountPoint) + (labelled.map { [$0] } ?? []) }

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
            throw RuntimeError(.badBundle, "\(file) cannot be used: \(error)", cause: error)
        }
        isChanged = try configuration.joinContainersOfSupervisors(state)
        self.configuration = configuration
    }

    mutating func findMounts(id: ContainerID, invocation: Invocation, settings: RuntimeSettings) throws(RuntimeError) {
        let hasMounts = configuration.mounts.contains { $0.kind != .kernel || TmpfsMounts.isAsked($0) }
        // Docker's labels are in its own record, and any container of Docker's has mounts of Docker's own.
        if !hasMounts && !ContainerDescription(labels: StringMap(uniqueEntries: configuration.annotationTexts)).isAddressed { return }
        if !opened.hasTextPaths {
            throw RuntimeError(
                .badBundle,
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
            throw RuntimeError(error)
        }
        // Docker's order of mounts of the same depth changes from start to start.
        mounts = try view.mounts.map { (mount) throws(RuntimeError) in try completing(mount) }.sorted {
            $0.mountPoint.destination.utf8.lexicographicallyPrecedes($1.mountPoint.destination.utf8)
        }
        let container = view.container.adding(configuration, of: opened.folder)
        if container.isAddressed { labelled = MountPoint(of: container) }
    }

    /// The folders in which Docker's files may be, for a container that has no bundle yet.
    static func dataRoots(_ settings: RuntimeSettings, _ places: RuntimePlaces) throws(RuntimeError) -> [String] {
        do throws(EngineFilesError) {
            return (settings.dataRoot.map { [$0] } ?? []) + (try DockerSettings.read(from: places.dockerSettings)).dataRoots
        } catch {
            throw RuntimeError(error)
        }
    }

    /// Adds what config.json says of the container, and resolves links in the effective source. Patterns are compared as text, so another
    /// name of the same place must not avoid them.
    private func completing(_ mount: InterposedMount) throws(RuntimeError) -> InterposedMount {
        var mount = mount
        mount.mountPoint.container = mount.mountPoint.container.adding(configuration, of: opened.folder)
        if mount.mountPoint.type != .tmpfs {
            mount.mountPoint.effectiveSource = try sources.pin(
                mount.mountPoint.effectiveSource, of: mount.configurationIndex, layer: mount.layer)
        }
        return mount
    }
}
