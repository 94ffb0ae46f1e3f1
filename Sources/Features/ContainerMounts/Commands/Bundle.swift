// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem
import OCIRuntime

/// The bundle of a container that is to be created, and what its engine says of its mounts.
struct Bundle {
    /// Of config.json.
    let file: String
    /// As read.
    let bytes: [UInt8]
    let configuration: OCIConfiguration
    /// Those that plugins are asked about.
    let mounts: [InterposedMount]

    init(file: String, bytes: [UInt8], id: String, root: String?, settings: RuntimeSettings, places: RuntimePlaces) throws(RuntimeError) {
        self.file = file
        self.bytes = bytes
        do throws(ConfigurationError) {
            configuration = try OCIConfiguration(parsing: bytes)
        } catch {
            throw RuntimeError("\(file) cannot be used: \(error)")
        }
        do throws(EngineRecordError) {
            let record = try EngineRecord.find(
                container: id, configuration: configuration, bundle: String(file.dropLast("/config.json".count)), runtimeRoot: root,
                dataRoots: settings.dataRoot.map { [$0] } ?? [])
            mounts = record?.mounts ?? []
        } catch {
            throw RuntimeError("\(error)")
        }
    }
}
