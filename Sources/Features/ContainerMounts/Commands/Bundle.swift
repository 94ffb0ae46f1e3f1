// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem
import OCIRuntime
import PluginClient
import SystemPackage

/// The bundle of a container that is to be created, and what its engine says of its mounts.
struct Bundle {
    /// Of config.json.
    let file: String
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

    init(file: String, bytes: [UInt8], state: String) throws(RuntimeError) {
        self.file = file
        self.bytes = bytes
        var configuration: OCIConfiguration
        do throws(ConfigurationError) {
            configuration = try OCIConfiguration(parsing: bytes)
        } catch {
            throw RuntimeError("\(file) cannot be used: \(error)")
        }
        isChanged = try configuration.joinContainersOfSupervisors(state)
        self.configuration = configuration
    }

    /// - Parameter folder: the bundle's.
    mutating func findMounts(id: ContainerID, folder: String, invocation: Invocation, settings: RuntimeSettings) throws(RuntimeError) {
        if !configuration.mounts.contains(where: { $0.isBind || TmpfsMounts.isAsked($0) }) { return }
        let scopes = VolumeScopes(
            places: invocation.places, loader: invocation.loader(timeout: settings.timeout, settings: settings))
        let record: EngineRecord
        do throws(EngineRecordError) {
            record = try EngineRecord.find(
                container: id, configuration: configuration, bundle: folder,
                runtimeRoot: invocation.line.root, dataRoots: Self.dataRoots(settings, invocation.places), scope: scopes.scope)
        } catch {
            throw RuntimeError("\(error)")
        }
        // Docker has the mounts of one depth in an order that changes from start to start.
        mounts = try record.mounts.map { (mount) throws(RuntimeError) in try completing(mount) }.sorted {
            $0.mountPoint.destination.utf8.lexicographicallyPrecedes($1.mountPoint.destination.utf8)
        }
    }

    /// Where Docker's files may be, if they cannot be told from the bundle.
    static func dataRoots(_ settings: RuntimeSettings, _ places: RuntimePlaces) -> [String] {
        var roots = settings.dataRoot.map { [$0] } ?? []
        if let bytes = try? readWholeFile(FilePath(places.dockerSettings), limit: 1 << 20), let document = try? JSONValue(parsing: bytes),
            let root = document["data-root"]?.stringValue
        {
            roots.append(root)
        }
        roots.append("/var/lib/docker")
        return roots
    }

    /// With what config.json says of the container, and with the effective source where links in it lead: a pattern is a text, and must not
    /// be passed by another name for the same place.
    private func completing(_ mount: InterposedMount) throws(RuntimeError) -> InterposedMount {
        var mountPoint = mount.mountPoint
        mountPoint.container = mountPoint.container.adding(configuration)
        if mountPoint.type != .tmpfs {
            mountPoint.effectiveSource = try sources.pin(mountPoint.effectiveSource, of: mount.configurationIndex)
        }
        return InterposedMount(configurationIndex: mount.configurationIndex, mountPoint: mountPoint)
    }
}
