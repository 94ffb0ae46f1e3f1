// SPDX-License-Identifier: AGPL-3.0-or-later

public import JSON

/// The calls of the MountPoint interface; the raw value is the HTTP path.
public enum MountPointMethod: String, Sendable, CaseIterable {
    /// The request is `{}`.
    case properties = "/MountPointPlugin.MountPointProperties"
    case attach = "/MountPointPlugin.MountPointAttach"
    case detach = "/MountPointPlugin.MountPointDetach"
    /// This project's own; only for plugins that ask for it, see ``MountPointProperties/mounted``.
    case mounted = "/MountPointPlugin.MountPointMounted"
}

/// Asks a plugin about the mounts that a container is to get.
public struct MountPointAttachRequest: Sendable, Equatable {
    /// The container's ID.
    public var id: String
    public var mounts: [MountPoint]
    /// Whether to write each volume's members a second time, in the mount itself, for a plugin of the interface's first draft.
    public var hasFlatVolume: Bool

    public init(id: String, mounts: [MountPoint], hasFlatVolume: Bool = false) {
        self.id = id
        self.mounts = mounts
        self.hasFlatVolume = hasFlatVolume
    }

    /// - Throws: `RequestError` for a missing or empty ID, and anything of the wrong type.
    public init(_ body: Span<UInt8>) throws(RequestError) {
        self = try RequestError.wrapping { () throws(JSONShapeError) in
            let object = try JSONObjectReader.message(body)
            return Self(id: try object.requiredText("ID"), mounts: try object.list("Mounts", of: MountPoint.init))
        }
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("ID")
        writer.write(id)
        var shared = MountPoint.SharedMembers()
        writer.write("Mounts", mounts) { $0.write(to: &$1, flatVolume: hasFlatVolume, shared: &shared) }
        writer.endObject()
    }
}

/// Why a plugin is asked to detach.
public struct DetachReason: MountPointWord {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The container's process has ended.
    public static var ended: Self { Self(rawValue: "ended") }
    /// The container does not start after all.
    public static var notStarted: Self { Self(rawValue: "not-started") }
    /// The process that was responsible for the container has been killed, and another one finishes.
    public static var recovered: Self { Self(rawValue: "recovered") }
    /// The host has been started again since.
    public static var boot: Self { Self(rawValue: "boot") }
}

/// A mount that a plugin has attached.
public struct AttachedMount: Sendable, Equatable {
    /// A path in the container.
    public var destination: String
    public var effectiveSource: String

    public init(destination: String, effectiveSource: String) {
        self.destination = destination
        self.effectiveSource = effectiveSource
    }

    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        self.init(destination: try object.text("Destination"), effectiveSource: try object.text("EffectiveSource"))
    }

    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("Destination")
        writer.write(destination)
        writer.key("EffectiveSource")
        writer.write(effectiveSource)
        writer.endObject()
    }
}

/// Tells a plugin that the container has ended, or does not start after all.
public struct MountPointDetachRequest: Sendable, Equatable {
    /// The container's ID.
    public var id: String
    /// Of the container's first process; nil if there was none, or its end was not seen.
    public var exitStatus: Int32?
    public var reason: DetachReason
    /// Those that the plugin has attached, as it left them; none if that is not known.
    public var mounts: [AttachedMount]

    public init(id: String, exitStatus: Int32? = nil, reason: DetachReason = .unspecified, mounts: [AttachedMount] = []) {
        self.id = id
        self.exitStatus = exitStatus
        self.reason = reason
        self.mounts = mounts
    }

    /// - Throws: `RequestError` for a missing or empty ID, and anything of the wrong type.
    public init(_ body: Span<UInt8>) throws(RequestError) {
        self = try RequestError.wrapping { () throws(JSONShapeError) in
            let object = try JSONObjectReader.message(body)
            return Self(
                id: try object.requiredText("ID"), exitStatus: try object.numberIfPresent("ExitStatus"),
                reason: try object.word("Reason"),
                mounts: try object.list("Mounts", of: AttachedMount.init))
        }
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("ID")
        writer.write(id)
        if let exitStatus { writer.writeNumber("ExitStatus", exitStatus) }
        writer.writeIfPresent("Reason", reason)
        writer.write("Mounts", mounts) { $0.write(to: &$1) }
        writer.endObject()
    }
}

/// Tells a plugin that its mounts are in place and that the container's first process has not run yet.
public struct MountPointMountedRequest: Sendable, Equatable {
    /// The container's ID.
    public var id: String
    /// A process in the container's mount namespace.
    public var pid: Int
    /// Those that the plugin has attached.
    ///
    /// Each destination is a path in the container; with `/proc/PID/root` before it, it names the mount.
    public var mounts: [AttachedMount]

    public init(id: String, pid: Int, mounts: [AttachedMount]) {
        self.id = id
        self.pid = pid
        self.mounts = mounts
    }

    /// - Throws: `RequestError` for a missing or empty ID, a missing Pid, and anything of the wrong type.
    public init(_ body: Span<UInt8>) throws(RequestError) {
        self = try RequestError.wrapping { () throws(JSONShapeError) in
            let object = try JSONObjectReader.message(body)
            return Self(
                id: try object.requiredText("ID"), pid: try object.positiveNumber("Pid"),
                mounts: try object.list("Mounts", of: AttachedMount.init))
        }
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("ID")
        writer.write(id)
        writer.key("Pid")
        writer.write(JSONValue(pid))
        writer.write("Mounts", mounts) { $0.write(to: &$1) }
        writer.endObject()
    }
}
