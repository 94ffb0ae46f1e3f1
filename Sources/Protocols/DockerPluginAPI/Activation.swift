// SPDX-License-Identifier: AGPL-3.0-or-later

public import JSON

/// What a plugin can be, as `Plugin.Activate` names it.
public enum PluginInterface: String, Sendable {
    case volumeDriver = "VolumeDriver"
    case mountPoint = "mountpoint"
}

/// The call with which an engine introduces itself, once in the life of its process.
public enum Activation {
    public static let path = "/Plugin.Activate"

    /// The media type of answers. moby asks for it and takes v1.1 as well.
    public static let mediaType = "application/vnd.docker.plugins.v1.2+json"

    /// Writes the answer, such as `{"Implements":["VolumeDriver"]}`. The request says nothing, and has no body.
    public static func writeResponse(implementing interfaces: [PluginInterface], to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("Implements")
        writer.beginArray()
        for interface in interfaces { writer.write(interface.rawValue) }
        writer.endArray()
        writer.endObject()
    }

    /// Reads the answer.
    ///
    /// - Returns: the names as the plugin spells them, since it may be more than this package has a name for.
    /// - Throws: `ResponseError`, also for a name that is not a string. An answer without names is an empty list.
    public static func readResponse(_ body: Span<UInt8>) throws(ResponseError) -> [String] {
        try ResponseError.wrapping { () throws(JSONShapeError) in
            try JSONObjectReader.message(body).texts("Implements")
        }
    }
}
