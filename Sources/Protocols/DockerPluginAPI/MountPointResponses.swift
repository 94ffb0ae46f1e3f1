// SPDX-License-Identifier: AGPL-3.0-or-later

public import JSON

/// What a plugin says of itself when it is loaded.
public struct MountPointProperties: Sendable, Equatable {
    /// The plugin is asked about mounts that match at least one of them.
    public var patterns: [MountPointPattern]
    /// Whether the plugin wants ``MountPointMethod/mounted`` for the mounts that it attaches.
    public var mounted: Bool
    /// Types of mounts that the plugin wants to be shown besides binds and volumes, if a pattern matches them.
    public var types: [MountPoint.MountType]
    /// Seconds that it may need for the call; nil if it does not say.
    public var attachTimeout: Double?
    public var detachTimeout: Double?
    /// Whether it keeps state on disk and wants its detach after the host has been started again, too.
    public var persistent: Bool
    /// Whether the patterns have the volume's members (`Name`, `Driver`, `Options`, …) in themselves instead of under
    /// `Volume`, as in the interface's first draft. Such a plugin looks for them in the mounts themselves, too.
    public var hasFlatVolume: Bool
    /// Places of members of the answer that mean nothing here, such as `Patterns[0].Soruce`: of another host's protocol, or misspelt.
    public var unknownMembers: [String]

    public init(
        patterns: [MountPointPattern], mounted: Bool = false, types: [MountPoint.MountType] = [], attachTimeout: Double? = nil,
        detachTimeout: Double? = nil, persistent: Bool = false, hasFlatVolume: Bool = false, unknownMembers: [String] = []
    ) {
        self.patterns = patterns
        self.mounted = mounted
        self.types = types
        self.attachTimeout = attachTimeout
        self.detachTimeout = detachTimeout
        self.persistent = persistent
        self.hasFlatVolume = hasFlatVolume
        self.unknownMembers = unknownMembers
    }

    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        var hasFlatVolume = false
        patterns = try object.list("Patterns") { (object) throws(JSONShapeError) in
            try MountPointPattern(object, hasFlatVolume: &hasFlatVolume)
        }
        mounted = try object.flag("Mounted")
        types = try object.words("Types")
        attachTimeout = try object.secondsIfSet("AttachTimeout")
        detachTimeout = try object.secondsIfSet("DetachTimeout")
        persistent = try object.flag("Persistent")
        self.hasFlatVolume = hasFlatVolume
        unknownMembers = []
    }

    /// Those of ``unknownMembers`` that are in a pattern.
    public func unknownMembers(ofPattern index: Int) -> [String] {
        unknownMembers.filter { $0.utf8.starts(with: "Patterns[\(index)].".utf8) }
    }

    func writeMembers(to writer: inout JSONWriter) {
        writer.write("Patterns", patterns) { $0.write(to: &$1, flatVolume: hasFlatVolume) }
        writer.writeIfTrue("Mounted", mounted)
        writer.writeIfNotEmpty("Types", types) { $1.write($0.rawValue) }
        writer.writeIfGiven(seconds: attachTimeout, "AttachTimeout")
        writer.writeIfGiven(seconds: detachTimeout, "DetachTimeout")
        writer.writeIfTrue("Persistent", persistent)
    }
}

/// The answer to ``MountPointMethod/properties``.
public struct MountPointPropertiesResponse: Sendable, Equatable {
    public var success: Bool
    public var properties: MountPointProperties
    /// What went wrong, if not ``success``.
    public var err: String

    public init(success: Bool = true, properties: MountPointProperties, err: String = "") {
        self.success = success
        self.properties = properties
        self.err = err
    }

    /// - Throws: `ResponseError` if it is not a JSON object, or anything in it is of the wrong type.
    public init(_ body: Span<UInt8>) throws(ResponseError) {
        self = try ResponseError.wrapping { () throws(JSONShapeError) in
            let object = try JSONObjectReader.message(body).notingUnread()
            var response = Self(
                success: try object.flag("Success"), properties: try MountPointProperties(object), err: try object.text("Err"))
            response.properties.unknownMembers = object.unreadMembers
            return response
        }
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.write("Success", success)
        properties.writeMembers(to: &writer)
        writer.writeIfPresent("Err", err)
        writer.endObject()
    }
}

/// The answer to ``MountPointMethod/attach``.
public struct MountPointAttachResponse: Sendable, Equatable {
    public var success: Bool
    /// The first belongs to the request's first mount, and so on. A shorter list leaves the rest unattached.
    public var attachments: [Attachment]
    /// What went wrong, if not ``success``.
    public var err: String

    public init(success: Bool = true, attachments: [Attachment] = [], err: String = "") {
        self.success = success
        self.attachments = attachments
        self.err = err
    }

    /// - Throws: `ResponseError` if it is not a JSON object, or anything in it is of the wrong type.
    public init(_ body: Span<UInt8>) throws(ResponseError) {
        self = try ResponseError.wrapping { () throws(JSONShapeError) in
            let object = try JSONObjectReader.message(body)
            return Self(
                success: try object.flag("Success"), attachments: try object.list("Attachments", of: Attachment.init),
                err: try object.text("Err"))
        }
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.write("Success", success)
        writer.writeIfNotEmpty("Attachments", attachments) { $0.write(to: &$1) }
        writer.writeIfPresent("Err", err)
        writer.endObject()
    }
}

/// The answer to ``MountPointMethod/detach``.
public struct MountPointDetachResponse: Sendable, Equatable {
    public var success: Bool
    /// If not ``success``: whether the other plugins are still to be asked to detach.
    public var recoverable: Bool
    /// What went wrong, if not ``success``.
    public var err: String

    public init(success: Bool = true, recoverable: Bool = false, err: String = "") {
        self.success = success
        self.recoverable = recoverable
        self.err = err
    }

    /// - Throws: `ResponseError` if it is not a JSON object, or anything in it is of the wrong type.
    public init(_ body: Span<UInt8>) throws(ResponseError) {
        self = try ResponseError.wrapping { () throws(JSONShapeError) in
            let object = try JSONObjectReader.message(body)
            return Self(
                success: try object.flag("Success"), recoverable: try object.flag("Recoverable"), err: try object.text("Err"))
        }
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.write("Success", success)
        writer.writeIfTrue("Recoverable", recoverable)
        writer.writeIfPresent("Err", err)
        writer.endObject()
    }
}

/// The answer to ``MountPointMethod/mounted``.
public struct MountPointMountedResponse: Sendable, Equatable {
    public var success: Bool
    /// What went wrong, if not ``success``.
    public var err: String

    public init(success: Bool = true, err: String = "") {
        self.success = success
        self.err = err
    }

    /// - Throws: `ResponseError` if it is not a JSON object, or anything in it is of the wrong type.
    public init(_ body: Span<UInt8>) throws(ResponseError) {
        self = try ResponseError.wrapping { () throws(JSONShapeError) in
            let object = try JSONObjectReader.message(body)
            return Self(success: try object.flag("Success"), err: try object.text("Err"))
        }
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.write("Success", success)
        writer.writeIfPresent("Err", err)
        writer.endObject()
    }
}
