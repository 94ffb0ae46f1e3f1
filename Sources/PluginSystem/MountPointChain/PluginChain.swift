// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI

/// Plugins in their order, each with what it wants to be asked about.
public struct PluginChain {
    struct Link {
        let plugin: any ChainedPlugin
        let properties: MountPointProperties
    }

    let links: [Link]

    /// Asks each plugin for its properties, in order. A plugin that is there twice counts once, at its first place.
    ///
    /// - Throws: `ChainError` at the first that fails; the rest is not asked.
    public init(asking plugins: [any ChainedPlugin]) throws(ChainError) {
        var links: [Link] = []
        for plugin in plugins where !links.contains(where: { $0.plugin.name.utf8.elementsEqual(plugin.name.utf8) }) {
            do throws(ChainedPluginError) {
                links.append(Link(plugin: plugin, properties: try plugin.properties()))
            } catch {
                throw ChainError(error, of: plugin.name)
            }
        }
        self.links = links
    }

    /// Whether a plugin's patterns ask for ``DockerPluginAPI/MountPoint/origin``, so that ``isWanted(_:)`` needs it.
    public var asksForOrigin: Bool { links.contains { $0.properties.patterns.contains { !$0.origin.isEmpty } } }

    /// Whether any plugin would be asked about these mounts, which none has been asked about yet.
    ///
    /// A pattern that needs a changed source or applied middleware can come to match only after another plugin has attached, so
    /// if no plugin wants a mount as it is, none is ever asked.
    public func isWanted(_ mounts: [MountPoint]) -> Bool {
        mounts.contains { mount in links.contains { $0.properties.wants(mount) } }
    }
}

extension MountPointProperties {
    /// Whether the plugin is asked about a mount: it is shown those of this type, and a pattern matches it.
    public func wants(_ mount: MountPoint) -> Bool { isShown(mount.type) && patterns.contains { $0.matches(mount) } }

    /// tmpfs and the container itself are shown only to plugins that name these types: a pattern for all mounts means mounts that show the
    /// host.
    private func isShown(_ type: MountPoint.MountType) -> Bool { type != .tmpfs && type != .container || types.contains(type) }
}
