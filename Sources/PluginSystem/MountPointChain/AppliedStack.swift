// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI

/// Which plugins have been asked to attach for a container and not yet to detach, first asked first.
public struct AppliedStack: Sendable, Equatable {
    public var plugins: [AppliedPlugin]
    /// Why unwinding has stopped for good, if it has; the remaining plugins are not asked any more, except by
    /// (``askAgain(container:only:store:actions:plugin:)``).
    public var stopped: String?
    /// Whether a plugin's detach has failed; kept for a process that continues after the one that saw it.
    public var hasFailed = false
    /// What the plugins were told when unwinding began; nil before.
    public var ending: ContainerEnding?

    public init(_ plugins: [AppliedPlugin] = [], stopped: String? = nil, ending: ContainerEnding? = nil) {
        self.plugins = plugins
        self.stopped = stopped
        self.ending = ending
    }

    /// Whether no plugin is left to be asked, and none is owed a detach.
    public var isEmpty: Bool { plugins.isEmpty }

    /// Those who were not asked to detach and will not be, last attached first: they could not be reached, or unwinding has stopped above
    /// them. Nothing while unwinding may still go on.
    public var owed: [AppliedPlugin] {
        plugins.reversed().filter { $0.state == .owed || (stopped != nil && $0.state != .detaching) }
    }

    /// Whether ``unwind(container:reason:exitStatus:store:actions:plugin:)`` has nothing to do any more. What is left is owed.
    public var isUnwound: Bool { stopped != nil || plugins.allSatisfy { $0.state == .owed } }

    /// Seconds that unwinding may take at most: each plugin may be waited for, be loaded by two calls, and then be asked.
    ///
    /// - Parameter callTimeout: seconds that a call may take where a plugin has not said more.
    public func longestUnwinding(callTimeout: Double) -> Double {
        plugins.reduce(0) { $0 + 2 * callTimeout + 2 * ($1.detachTimeout ?? callTimeout) }
    }

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
        /// The request has been sent; the answer has not been seen.
        case attaching
        /// It has attached at least one mount.
        case attached
        /// Its one request to detach has been sent; the answer has not been seen.
        case detaching
        /// It could not be asked to detach in all its time, so it does not know that the container has ended. What stands in for its
        /// detach has been done.
        case owed
    }

    /// Without `plugin:`.
    public var name: String
    public var state: State
    /// Whether it wants to be told when its mounts are in place.
    public var wantsMounted: Bool
    /// Seconds that it has for its detach; nil if that is what every call has.
    public var detachTimeout: Double?
    /// Whether it wants its detach after the host has been started again, too.
    public var persistent: Bool
    /// Those that it has attached; none while that is not known.
    public var mounts: [AppliedMount]
    /// When it was asked, for people; as RFC 3339 has it. Records of earlier versions have no time.
    public var since: String?

    public init(
        name: String, state: State, wantsMounted: Bool = false, detachTimeout: Double? = nil, persistent: Bool = false,
        mounts: [AppliedMount] = [], since: String? = nil
    ) {
        self.name = name
        self.state = state
        self.wantsMounted = wantsMounted
        self.detachTimeout = detachTimeout
        self.persistent = persistent
        self.mounts = mounts
        self.since = since
    }
}

/// How a container's life came to its end, as plugins are told.
public struct ContainerEnding: Sendable, Equatable {
    public var reason: DetachReason
    /// Of the container's first process; nil if there was none, or its end was not seen.
    public var exitStatus: Int32?

    public init(_ reason: DetachReason, exitStatus: Int32? = nil) {
        self.reason = reason
        self.exitStatus = exitStatus
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
    /// Where it came from before any plugin was asked, for people. Records of earlier versions do not have it.
    public var source: String?

    public init(destination: String, effectiveSource: String, emergencyDetach: [EmergencyAction] = [], source: String? = nil) {
        self.destination = destination
        self.effectiveSource = effectiveSource
        self.emergencyDetach = emergencyDetach
        self.source = source
    }
}
