// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI

/// Which plugins have been asked to attach for a container and not yet to detach, first asked first.
public struct AppliedStack: Sendable, Equatable {
    public var plugins: [AppliedPlugin]
    /// Why unwinding has stopped for good, if it has; the plugins that are left are not asked any more.
    public var stopped: String?
    /// Whether a plugin's detach has failed, for whoever goes on after the process that saw it.
    public var hasFailed = false

    public init(_ plugins: [AppliedPlugin] = [], stopped: String? = nil) {
        self.plugins = plugins
        self.stopped = stopped
    }

    public var isEmpty: Bool { plugins.isEmpty }

    /// What is mounted at a destination, after all plugins; nil if none has attached there.
    public func effectiveSource(at destination: String) -> String? {
        for plugin in plugins.reversed() {
            for mount in plugin.mounts where mount.destination.utf8.elementsEqual(destination.utf8) { return mount.effectiveSource }
        }
        return nil
    }
}

/// A plugin that has been asked to attach.
public struct AppliedPlugin: Sendable, Equatable {
    public enum State: String, Sendable {
        /// The request has been sent; nobody has seen the answer.
        case attaching
        /// It has attached at least one mount.
        case attached
        /// Its one request to detach has been sent; nobody has seen the answer.
        case detaching
    }

    /// Without `plugin:`.
    public var name: String
    public var state: State
    /// Whether it wants to be told when its mounts are in place.
    public var wantsMounted: Bool
    /// Those that it has attached; none while that is not known.
    public var mounts: [AppliedMount]

    public init(name: String, state: State, wantsMounted: Bool = false, mounts: [AppliedMount] = []) {
        self.name = name
        self.state = state
        self.wantsMounted = wantsMounted
        self.mounts = mounts
    }
}

/// A mount that a plugin has attached.
public struct AppliedMount: Sendable, Equatable {
    /// A path in the container.
    public var destination: String
    /// Where it comes from as the plugin left it, changed or not; an absolute path of the host.
    public var effectiveSource: String
    /// What to do if the plugin cannot be asked to detach, in this order.
    public var emergencyDetach: [EmergencyAction]

    public init(destination: String, effectiveSource: String, emergencyDetach: [EmergencyAction] = []) {
        self.destination = destination
        self.effectiveSource = effectiveSource
        self.emergencyDetach = emergencyDetach
    }
}
