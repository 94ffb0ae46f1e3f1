// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON

/// Takes config.json apart. A null counts as missing, which is what Go's decoder makes of it.
struct ConfigurationReader {
    let document: JSONObject

    init(_ bytes: [UInt8]) throws(ConfigurationError) {
        if bytes.count > OCIConfiguration.sizeLimit {
            throw ConfigurationError("it has \(bytes.count) bytes, and \(OCIConfiguration.sizeLimit) is the most")
        }
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw ConfigurationError("it is not valid JSON: \(error)")
        }
        guard case .object(let document) = value else { throw ConfigurationError("it must be a JSON object, not \(value.kind)") }
        try Self.refuseOtherSpellings(in: document, of: ["mounts", "root", "linux", "process", "annotations"], path: "")
        self.document = document
    }

    func mounts() throws(ConfigurationError) -> [OCIConfiguration.Mount] {
        var mounts: [OCIConfiguration.Mount] = []
        for (index, mount) in try objects("mounts").enumerated() {
            let path = "mounts[\(index)]."
            try Self.refuseOtherSpellings(in: mount, of: ["destination", "source", "type", "options"], path: path)
            guard let destination = try Self.text("destination", in: mount, path: path), !destination.isEmpty else {
                throw ConfigurationError("mounts[\(index)] has no destination")
            }
            var options: [String] = []
            for (position, option) in try Self.array("options", in: mount, path: path).enumerated() {
                guard case .string(let text) = option else { throw Self.wrong(option, "\(path)options[\(position)]", "a string") }
                options.append(text)
            }
            mounts.append(
                .init(
                    destination: destination, cleanedDestination: LexicalPath.absolute(destination),
                    type: try Self.text("type", in: mount, path: path), source: try Self.text("source", in: mount, path: path),
                    options: options))
        }
        return mounts
    }

    func namespaces() throws(ConfigurationError) -> [OCIConfiguration.Namespace] {
        var namespaces: [OCIConfiguration.Namespace] = []
        for (index, namespace) in try objects("namespaces", in: "linux").enumerated() {
            let path = "linux.namespaces[\(index)]."
            guard let type = try Self.text("type", in: namespace, path: path) else {
                throw ConfigurationError("linux.namespaces[\(index)] has no type")
            }
            let joined = try Self.text("path", in: namespace, path: path)
            namespaces.append(.init(type: type, path: joined == "" ? nil : joined))
        }
        return namespaces
    }

    /// Whom the container's first process runs as; nil if nothing is said of it.
    func user() throws(ConfigurationError) -> OCIConfiguration.User? {
        guard let process = try object("process"), let user = try Self.object("user", in: process, path: "process.") else { return nil }
        let path = "process.user."
        var groups: [UInt32] = []
        for (index, element) in try Self.array("additionalGids", in: user, path: path).enumerated() {
            groups.append(try Self.identity(element, "\(path)additionalGids[\(index)]"))
        }
        return .init(
            uid: try Self.identity("uid", in: user, path: path), gid: try Self.identity("gid", in: user, path: path), additionalGIDs: groups
        )
    }

    /// - Parameter key: `uidMappings` or `gidMappings`.
    func mappings(_ key: String) throws(ConfigurationError) -> [OCIConfiguration.IDMapping] {
        var mappings: [OCIConfiguration.IDMapping] = []
        for (index, mapping) in try objects(key, in: "linux").enumerated() {
            let path = "linux.\(key)[\(index)]."
            mappings.append(
                .init(
                    containerID: try Self.identity("containerID", in: mapping, path: path),
                    hostID: try Self.identity("hostID", in: mapping, path: path), size: try Self.identity("size", in: mapping, path: path)))
        }
        return mappings
    }

    func text(_ key: String, in parent: String? = nil) throws(ConfigurationError) -> String? {
        guard let (object, path) = try place(parent) else { return nil }
        return try Self.text(key, in: object, path: path)
    }

    func flag(_ key: String, in parent: String) throws(ConfigurationError) -> Bool {
        guard let (object, path) = try place(parent) else { return false }
        switch object[key] {
        case nil, .null: return false
        case .bool(let value): return value
        case let other?: throw Self.wrong(other, path + key, "a boolean")
        }
    }

    func objects(_ key: String, in parent: String? = nil) throws(ConfigurationError) -> [JSONObject] {
        guard let (object, path) = try place(parent) else { return [] }
        var objects: [JSONObject] = []
        for (index, element) in try Self.array(key, in: object, path: path).enumerated() {
            guard case .object(let value) = element else { throw Self.wrong(element, "\(path)\(key)[\(index)]", "an object") }
            objects.append(value)
        }
        return objects
    }

    func object(_ key: String) throws(ConfigurationError) -> JSONObject? { try Self.object(key, in: document, path: "") }

    private static func object(_ key: String, in object: JSONObject, path: String) throws(ConfigurationError) -> JSONObject? {
        switch object[key] {
        case nil, .null: return nil
        case .object(let value): return value
        case let other?: throw wrong(other, path + key, "an object")
        }
    }

    /// An id or a count of ids; 0 if it is missing.
    private static func identity(_ key: String, in object: JSONObject, path: String) throws(ConfigurationError) -> UInt32 {
        guard let value = object[key], !value.isNull else { return 0 }
        return try identity(value, path + key)
    }

    private static func identity(_ value: JSONValue, _ path: String) throws(ConfigurationError) -> UInt32 {
        guard case .number(let number) = value else { throw wrong(value, path, "a number") }
        guard let identity = UInt32(number.text) else {
            throw ConfigurationError("\(path) must be a whole number from 0 to \(UInt32.max), not \(number.text)")
        }
        return identity
    }

    private func place(_ parent: String?) throws(ConfigurationError) -> (JSONObject, String)? {
        guard let parent else { return (document, "") }
        return try object(parent).map { ($0, parent + ".") }
    }

    private static func text(_ key: String, in object: JSONObject, path: String) throws(ConfigurationError) -> String? {
        switch object[key] {
        case nil, .null: return nil
        case .string(let text):
            if text.utf8.contains(0) { throw ConfigurationError("\(path)\(key) has a NUL character in it") }
            return text
        case let other?: throw wrong(other, path + key, "a string")
        }
    }

    private static func array(_ key: String, in object: JSONObject, path: String) throws(ConfigurationError) -> [JSONValue] {
        switch object[key] {
        case nil, .null: return []
        case .array(let elements): return elements
        case let other?: throw wrong(other, path + key, "an array")
        }
    }

    private static func wrong(_ value: JSONValue, _ path: String, _ expected: String) -> ConfigurationError {
        ConfigurationError("\(path) must be \(expected), not \(value.kind)")
    }

    /// Go's decoder, and so runc, takes `Mounts` for `mounts`; crun does not. A document that means different mounts to its readers
    /// could have some that no plugin is asked about.
    private static func refuseOtherSpellings(in object: JSONObject, of keys: [String], path: String) throws(ConfigurationError) {
        for member in object.members where !keys.contains(member.key) {
            if let key = keys.first(where: { isOtherSpelling(member.key, of: $0) }) {
                throw ConfigurationError("\(path)\(member.key) must be spelled \(key), for runtimes differ in whether they read it")
            }
        }
    }

    /// Case folding as of Go's encoding/json, which makes of the long s an `s`, and of the Kelvin sign a `k`.
    private static func isOtherSpelling(_ text: String, of key: String) -> Bool {
        if text.utf8.count < key.utf8.count || text.unicodeScalars.count != key.unicodeScalars.count { return false }
        return zip(text.unicodeScalars, key.unicodeScalars).allSatisfy { found, wanted in
            switch found {
            case "A"..."Z": found.value + 0x20 == wanted.value
            case "\u{17F}": wanted == "s"
            case "\u{212A}": wanted == "k"
            default: found == wanted
            }
        }
    }
}
