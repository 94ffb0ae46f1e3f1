// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI

extension Bundle {
    /// Finds for all mounts which paths of the host show the same as their sources.
    ///
    /// - Throws: `RuntimeError`: a plugin would take what cannot be told for what is not so.
    mutating func findOrigins() throws(RuntimeError) {
        let origins = try findOrigins(of: Array(mounts.indices), mounts.map(\.mountPoint.effectiveSource))
        mounts = zip(mounts, origins).map { mount, origin in
            var mountPoint = mount.mountPoint
            mountPoint.origin = origin
            return InterposedMount(configurationIndex: mount.configurationIndex, mountPoint: mountPoint)
        }
    }

    /// The same for some, as plugins have left them.
    ///
    /// - Parameters:
    ///   - positions: in ``mounts``.
    ///   - effectiveSources: of all ``mounts``.
    func findOrigins(of positions: [Int], _ effectiveSources: [String]) throws(RuntimeError) -> [[String]] {
        try SourceOrigins.find(
            positions.map { position in
                SourceOrigins.Source(
                    path: effectiveSources[position], file: sources.sources[mounts[position].configurationIndex]?.file)
            })
    }
}
