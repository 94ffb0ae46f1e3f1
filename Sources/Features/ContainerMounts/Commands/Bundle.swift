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
    let configuration: OCIConfiguration
    /// Those that plugins are asked about.
    let mounts: [InterposedMount]

    init(file: String, bytes: [UInt8], id: ContainerID, invocation: Invocation, settings: RuntimeSettings) throws(RuntimeError) {
        self.file = file
        self.bytes = bytes
        do throws(ConfigurationError) {
            configuration = try OCIConfiguration(parsing: bytes)
        } catch {
            throw RuntimeError("\(file) cannot be used: \(error)")
        }
        if !configuration.mounts.contains(where: \.isBind) {
            mounts = []
            return
        }
        let scopes = VolumeScopes(
            places: invocation.places, loader: PluginLoader(places: invocation.places, timeout: settings.timeout))
        do throws(EngineRecordError) {
            let record = try EngineRecord.find(
                container: id, configuration: configuration, bundle: String(FilePath(file).removingLastComponent().string),
                runtimeRoot: invocation.line.root, dataRoots: Self.dataRoots(settings, invocation.places), scope: scopes.scope)
            // Docker has the mounts of one depth in an order that changes from start to start.
            mounts = record.mounts.map(Self.resolving).sorted {
                $0.mountPoint.destination.utf8.lexicographicallyPrecedes($1.mountPoint.destination.utf8)
            }
        } catch {
            throw RuntimeError("\(error)")
        }
    }

    /// Where Docker's files may be, if they cannot be told from the bundle.
    private static func dataRoots(_ settings: RuntimeSettings, _ places: RuntimePlaces) -> [String] {
        var roots = settings.dataRoot.map { [$0] } ?? []
        if let bytes = try? readWholeFile(FilePath(places.dockerSettings), limit: 1 << 20), let document = try? JSONValue(parsing: bytes),
            let root = document["data-root"]?.stringValue
        {
            roots.append(root)
        }
        roots.append("/var/lib/docker")
        return roots
    }

    /// With the effective source where links in it lead: a pattern is a text, and must not be passed by another name for the same place.
    private static func resolving(_ mount: InterposedMount) -> InterposedMount {
        var mountPoint = mount.mountPoint
        mountPoint.effectiveSource = resolvingSymbolicLinks(FilePath(mountPoint.effectiveSource)).string
        return InterposedMount(configurationIndex: mount.configurationIndex, mountPoint: mountPoint)
    }
}
