// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import OCIRuntime
struct InterposedMount { var configurationIndex: Int; var mountPoint: MountPoint }
struct EngineRecordError: Error, CustomStringConvertible { var description: String }
struct EngineRecord {
    var mounts: [InterposedMount]
    static func find(container: String, configuration: OCIConfiguration, bundle: String, runtimeRoot: String?, dataRoots: [String])
        throws(EngineRecordError) -> EngineRecord?
    {
        EngineRecord(
            mounts: configuration.mounts.enumerated().filter { $0.element.isBind }.map {
                InterposedMount(
                    configurationIndex: $0.offset,
                    mountPoint: {
                        var m = MountPoint(type: .bind, source: $0.element.source ?? "", destination: $0.element.destination);
                        m.effectiveSource = $0.element.source ?? ""; return m
                    }($0))
            })
    }
}
