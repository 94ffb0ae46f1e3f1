// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON

/// What is known of the container that is to get a mount; the same for all mounts of a request.
public struct ContainerDescription: Sendable, Equatable {
    /// Whom its first process runs as, in the container's own ids.
    public struct User: Sendable, Equatable {
        public var uid: UInt32
        public var gid: UInt32
        public var additionalGIDs: [UInt32]

        public init(uid: UInt32, gid: UInt32, additionalGIDs: [UInt32] = []) {
            self.uid = uid
            self.gid = gid
            self.additionalGIDs = additionalGIDs
        }
    }

    /// A range of ids of a user namespace. user_namespaces(7).
    public struct IDMapping: Sendable, Equatable {
        public var containerID: UInt32
        public var hostID: UInt32
        public var size: UInt32

        public init(containerID: UInt32, hostID: UInt32, size: UInt32) {
            self.containerID = containerID
            self.hostID = hostID
            self.size = size
        }
    }

    public var labels: StringMap
    /// As the engine's user sees it, without a slash; empty if it is not known, like the rest.
    public var name: String
    public var user: User?
    /// Of its user namespace; none if it stays in its creator's.
    public var uidMappings: [IDMapping]
    public var gidMappings: [IDMapping]
    /// The path of its control group, or of systemd's form `slice:prefix:name`.
    public var cgroup: String
    /// Where the host has its root file system, an absolute path; it may be there only once the container is being made.
    public var root: String

    public init(
        labels: StringMap = [:], name: String = "", user: User? = nil, uidMappings: [IDMapping] = [], gidMappings: [IDMapping] = [],
        cgroup: String = "", root: String = ""
    ) {
        self.labels = labels
        self.name = name
        self.user = user
        self.uidMappings = uidMappings
        self.gidMappings = gidMappings
        self.cgroup = cgroup
        self.root = root
    }

    /// Whether a label says something to a plugin: it begins with `mountpoint.`.
    public var isAddressed: Bool { labels.entries.contains { $0.key.utf8.starts(with: "mountpoint.".utf8) } }
}

extension ContainerDescription {
    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            labels: try object.map("Labels"), name: try object.text("Name"), user: try object.objectIfPresent("User").map(User.init),
            uidMappings: try object.list("UIDMappings", of: IDMapping.init),
            gidMappings: try object.list("GIDMappings", of: IDMapping.init), cgroup: try object.text("Cgroup"),
            root: try object.text("Root"))
    }

    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        labels.write("Labels", to: &writer)
        writer.writeIfPresent("Name", name)
        if let user {
            writer.key("User")
            user.write(to: &writer)
        }
        writer.writeIfNotEmpty("UIDMappings", uidMappings) { $0.write(to: &$1) }
        writer.writeIfNotEmpty("GIDMappings", gidMappings) { $0.write(to: &$1) }
        writer.writeIfPresent("Cgroup", cgroup)
        writer.writeIfPresent("Root", root)
        writer.endObject()
    }
}

extension ContainerDescription.User {
    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            uid: try object.number("UID"), gid: try object.number("GID"),
            additionalGIDs: try object.numbers("AdditionalGIDs"))
    }

    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.writeNumber("UID", uid)
        writer.writeNumber("GID", gid)
        writer.write("AdditionalGIDs", additionalGIDs) { $1.write(JSONValue($0)) }
        writer.endObject()
    }
}

extension ContainerDescription.IDMapping {
    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            containerID: try object.number("ContainerID"), hostID: try object.number("HostID"),
            size: try object.number("Size"))
    }

    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.writeNumber("ContainerID", containerID)
        writer.writeNumber("HostID", hostID)
        writer.writeNumber("Size", size)
        writer.endObject()
    }
}
