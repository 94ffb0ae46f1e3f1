// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI

extension [ContainerDescription.IDMapping] {
    /// The number on the host of a container's own; the same if it has no user namespace. user_namespaces(7)
    ///
    /// - Parameter count: ids from there on that one line of the map must have.
    /// - Throws: `PluginError` if its user namespace does not map it.
    func hostID(of id: UInt32, count: UInt32 = 1) throws(PluginError) -> UInt32 {
        if isEmpty { return id }
        let mapping = first { id >= $0.containerID && UInt64(id - $0.containerID) + UInt64(count) <= UInt64($0.size) }
        // The last number is no id.
        guard let mapping, let host = UInt32(exactly: UInt64(mapping.hostID) + UInt64(id - mapping.containerID)), host < .max else {
            throw PluginError("id \(id) is none of the container's: its user namespace does not map it")
        }
        return host
    }
}
