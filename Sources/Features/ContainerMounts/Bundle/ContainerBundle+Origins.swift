// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI

extension ContainerBundle {
    /// Finds for all mounts which paths of the host show the same as their sources.
    ///
    /// - Throws: `RuntimeError` if they cannot be found. An incomplete list would make plugins allow what they should deny.
    mutating func findOrigins() throws(RuntimeError) {
        let origins = try findOrigins(of: Array(mounts.indices), mounts.map(\.mountPoint.effectiveSource))
        mounts = zip(mounts, origins).map { mount, origin in
            var mount = mount
            mount.mountPoint.origin = origin
            return mount
        }
    }

    /// The same for some mounts, with the sources that plugins have left.
    ///
    /// - Parameters:
    ///   - positions: in ``mounts``.
    ///   - effectiveSources: of all ``mounts``.
    func findOrigins(of positions: [Int], _ effectiveSources: [String]) throws(RuntimeError) -> [[String]] {
        try SourceOrigins.find(
            positions.map { position in
                let mount = mounts[position]
                return SourceOrigins.Source(
                    path: effectiveSources[position], file: sources.source(of: mount.configurationIndex, layer: mount.layer)?.file)
            })
    }
}
