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
        self = try RequestError.wrapping { () throws(ShapeError) in
            let object = try MessageObject(parsing: body)
            return Self(id: try object.textThatMustBeThere("ID"), mounts: try object.list("Mounts", read: MountPoint.init))
        }
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("ID")
        writer.write(id)
        writer.write("Mounts", mounts) { $0.write(to: &$1, flatVolume: hasFlatVolume) }
        writer.endObject()
    }
}

/// Tells a plugin that the container has ended, or does not start after all.
public struct MountPointDetachRequest: Sendable, Equatable {
    /// The container's ID.
    public var id: String

    public init(id: String) { self.id = id }

    /// - Throws: `RequestError` for a missing or empty ID, and anything of the wrong type.
    public init(_ body: Span<UInt8>) throws(RequestError) {
        self = try RequestError.wrapping { () throws(ShapeError) in
            Self(id: try MessageObject(parsing: body).textThatMustBeThere("ID"))
        }
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("ID")
        writer.write(id)
        writer.endObject()
    }
}

/// Tells a plugin that its mounts are in place and that the container's first process has not run yet.
public struct MountPointMountedRequest: Sendable, Equatable {
    public struct Mount: Sendable, Equatable {
        /// A path in the container; with `/proc/PID/root` before it, it names the mount.
        public var destination: String
        public var effectiveSource: String

        public init(destination: String, effectiveSource: String) {
            self.destination = destination
            self.effectiveSource = effectiveSource
        }
    }

    /// The container's ID.
    public var id: String
    /// A process in the container's mount namespace.
    public var pid: Int
    /// Those that the plugin has attached.
    public var mounts: [Mount]

    public init(id: String, pid: Int, mounts: [Mount]) {
        self.id = id
        self.pid = pid
        self.mounts = mounts
    }

    /// - Throws: `RequestError` for a missing or empty ID, a missing Pid, and anything of the wrong type.
    public init(_ body: Span<UInt8>) throws(RequestError) {
        self = try RequestError.wrapping { () throws(ShapeError) in
            let object = try MessageObject(parsing: body)
            return Self(
                id: try object.textThatMustBeThere("ID"), pid: try object.positiveNumber("Pid"),
                mounts: try object.list("Mounts") { (object: MessageObject) throws(ShapeError) in
                    Mount(destination: try object.text("Destination"), effectiveSource: try object.text("EffectiveSource"))
                })
        }
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("ID")
        writer.write(id)
        writer.key("Pid")
        writer.write(JSONValue(pid))
        writer.write("Mounts", mounts) { mount, writer in
            writer.beginObject()
            writer.key("Destination")
            writer.write(mount.destination)
            writer.key("EffectiveSource")
            writer.write(mount.effectiveSource)
            writer.endObject()
        }
        writer.endObject()
    }
}
