// SPDX-License-Identifier: AGPL-3.0-or-later

public import JSON

/// What a host's administrator can have done with volumes, and no engine asks for. It is served beside a `VolumeDriver`, for root alone.
public protocol VolumeAdministration: Sendable {
    /// Changes options of a volume, whatever name of the driver it was created with.
    ///
    /// - Parameter changes: by name; an empty value takes an option away.
    /// - Returns: what has changed, by name.
    func set(_ name: String, _ changes: [String: String]) async throws(PluginError) -> [VolumeOptionChange]
}

/// An option before and after a change; nil: not set.
public struct VolumeOptionChange: Sendable, Equatable {
    public var name: String
    public var old: String?
    public var new: String?

    public init(name: String, old: String?, new: String?) {
        self.name = name
        self.old = old
        self.new = new
    }
}

/// A request to change options of a volume.
public struct VolumeSetRequest: Sendable, Equatable {
    public static let path = "/docker-nfsd.VolumeSet"

    public var name: String
    public var changes: [String: String]

    public init(name: String, changes: [String: String]) {
        self.name = name
        self.changes = changes
    }

    /// Reads a request's body.
    ///
    /// - Throws: `RequestError` for one that is not a JSON object, a missing or empty Name, and anything of the wrong type.
    public init(_ body: Span<UInt8>) throws(RequestError) {
        let body = try RequestBody(body)
        self.init(name: try body.text("Name"), changes: try body.textMap("Opts"))
    }

    public func write(to writer: inout JSONWriter) {
        let options = JSONObject(sorted: changes)
        writer.write(.object(["Name": .string(name), "Opts": .object(options)]))
    }
}

/// The answer to a ``VolumeSetRequest``: `Changes`, or `Err` with why nothing was changed.
public struct VolumeSetResponse: Sendable, Equatable {
    public var changes: [VolumeOptionChange]

    public init(changes: [VolumeOptionChange]) { self.changes = changes }

    /// Reads an answer's body.
    ///
    /// - Throws: `PluginError` with the answer's own words, or that it is none.
    public init(parsing body: [UInt8]) throws(PluginError) {
        do {
            let object = try JSONObjectReader(parsing: body)
            let reason = try object.text("Err")
            if !reason.isEmpty { throw PluginError(reason) }
            changes = try object.list("Changes") { (change) throws(JSONShapeError) in
                VolumeOptionChange(
                    name: try change.text("Name"), old: try change.textIfPresent("Old"), new: try change.textIfPresent("New"))
            }
        } catch let error as PluginError {
            throw error
        } catch {
            throw PluginError("the answer cannot be understood: \(error)")
        }
    }

    public func write(to writer: inout JSONWriter) {
        let list = changes.map { change -> JSONValue in
            var object: JSONObject = ["Name": .string(change.name)]
            if let old = change.old { object["Old"] = .string(old) }
            if let new = change.new { object["New"] = .string(new) }
            return .object(object)
        }
        writer.write(.object(["Changes": .array(list), "Err": ""]))
    }
}

extension JSONObject {
    fileprivate init(sorted texts: [String: String]) {
        self.init()
        for (key, value) in texts.sorted(by: { $0.key < $1.key }) { self[key] = .string(value) }
    }
}
