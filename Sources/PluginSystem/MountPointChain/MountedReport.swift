// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI

extension AppliedStack {
    /// Whether any plugin is to be told that its mounts are in place.
    public var wantsMounted: Bool { plugins.contains { $0.wantsMounted && $0.state == .attached } }

    /// Tells those plugins that want to know that their mounts are in place, first attached first.
    ///
    /// - Parameters:
    ///   - pid: a process in the container's mount namespace.
    ///   - plugin: finds a plugin by its name.
    /// - Throws: `ChainError` at the first that fails. The container must not start then, and the caller is to end it and to unwind.
    public func reportMounted(
        container: String, pid: Int, plugin: (String) throws(ChainedPluginError) -> any ChainedPlugin
    ) throws(ChainError) {
        for entry in plugins where entry.wantsMounted && entry.state == .attached {
            let mounts = entry.mounts.map {
                // A later plugin may have changed the source again, and the mount has that one.
                AttachedMount(
                    destination: $0.destination, effectiveSource: effectiveSource(at: $0.destination) ?? $0.effectiveSource)
            }
            do throws(ChainedPluginError) {
                try plugin(entry.name).mounted(MountPointMountedRequest(id: container, pid: pid, mounts: mounts))
            } catch {
                throw ChainError(error, of: entry.name)
            }
        }
    }
}
