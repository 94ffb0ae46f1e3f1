// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LexicalPaths

/// Takes config.json apart. A null counts as missing, which is what Go's decoder makes of it.
struct ConfigurationReader {
    let document: JSONObjectReader

    init(_ bytes: [UInt8]) throws(ConfigurationError) {
        if bytes.count > OCIConfiguration.sizeLimit {
            throw ConfigurationError("it has \(bytes.count) bytes, and \(OCIConfiguration.sizeLimit) is the most")
        }
        document = try Self.wrapping { () throws(JSONShapeError) in try JSONObjectReader(parsing: bytes) }
        try Self.refuseOtherSpellings(in: document, of: ["mounts", "root", "linux", "process", "annotations"])
        if let key = Self.keyWithNUL(in: .object(document.members)) {
            throw ConfigurationError("the name \(JSONValue.string(key)) has a NUL character in it, at which some runtimes take it to end")
        }
    }

    func mounts() throws(ConfigurationError) -> [OCIConfiguration.Mount] {
        try list("mounts", in: document) { (mount) throws(ConfigurationError) in
            try Self.refuseOtherSpellings(in: mount, of: ["destination", "source", "type", "options"])
            guard let destination = try Self.path("destination", in: mount), !destination.isEmpty else {
                throw ConfigurationError(mount.error("has no destination"))
            }
            return .init(
                destination: destination, cleanedDestination: LexicalPath.absolute(destination),
                type: try Self.text("type", in: mount), source: try Self.path("source", in: mount),
                options: try Self.options(of: mount))
        }
    }

    private static func options(of mount: JSONObjectReader) throws(ConfigurationError) -> [String] {
        let options = try wrapping { () throws(JSONShapeError) in try mount.texts("options") }
        for (index, option) in options.enumerated() where option.utf8.contains(0) {
            throw ConfigurationError(mount.error("has a NUL character in it", at: "options[\(index)]"))
        }
        return options
    }

    /// To a runtime in C, a name ends there, and so a member could be one that it does not seem to be.
    private static func keyWithNUL(in value: JSONValue) -> String? {
        switch value {
        case .object(let object):
            for member in object.members {
                if member.key.utf8.contains(0) { return member.key }
                if let key = keyWithNUL(in: member.value) { return key }
            }
        case .array(let elements): for element in elements { if let key = keyWithNUL(in: element) { return key } }
        default: break
        }
        return nil
    }

    /// Bytes of a path with the NUL at its end. path_resolution(7).
    private static let pathLimit = 4096

    func namespaces() throws(ConfigurationError) -> [OCIConfiguration.Namespace] {
        try list("namespaces", in: object("linux")) { (namespace) throws(ConfigurationError) in
            guard let type = try Self.text("type", in: namespace) else { throw ConfigurationError(namespace.error("has no type")) }
            let joined = try Self.text("path", in: namespace)
            return .init(type: type, path: joined == "" ? nil : joined)
        }
    }

    /// Whom the container's first process runs as; nil if nothing is said of it.
    func user() throws(ConfigurationError) -> OCIConfiguration.User? {
        try Self.wrapping { () throws(JSONShapeError) in
            guard let user = try document.object("process").objectIfPresent("user") else { return nil }
            return .init(uid: try user.number("uid"), gid: try user.number("gid"), additionalGIDs: try user.numbers("additionalGids"))
        }
    }

    /// - Parameter key: `uidMappings` or `gidMappings`.
    func mappings(_ key: String) throws(ConfigurationError) -> [OCIConfiguration.IDMapping] {
        try list(key, in: object("linux")) { (mapping) throws(ConfigurationError) in
            try Self.wrapping { () throws(JSONShapeError) in
                .init(
                    containerID: try mapping.number("containerID"), hostID: try mapping.number("hostID"), size: try mapping.number("size"))
            }
        }
    }

    func text(_ key: String, in parent: String? = nil) throws(ConfigurationError) -> String? {
        try Self.text(key, in: parent.map { (parent) throws(ConfigurationError) in try object(parent) } ?? document)
    }

    func flag(_ key: String, in parent: String) throws(ConfigurationError) -> Bool {
        try Self.wrapping { () throws(JSONShapeError) in try document.object(parent).flag(key) }
    }

    /// Without members if it is missing.
    func object(_ key: String) throws(ConfigurationError) -> JSONObjectReader {
        try Self.wrapping { () throws(JSONShapeError) in try document.object(key) }
    }

    private func list<Element>(
        _ key: String, in object: JSONObjectReader, _ read: (JSONObjectReader) throws(ConfigurationError) -> Element
    ) throws(ConfigurationError) -> [Element] {
        let objects = try Self.wrapping { () throws(JSONShapeError) in
            try object.list(key) { (element) throws(JSONShapeError) in element }
        }
        return try objects.map(read)
    }

    private static func text(_ key: String, in object: JSONObjectReader) throws(ConfigurationError) -> String? {
        guard let text = try wrapping({ () throws(JSONShapeError) in try object.textIfPresent(key) }) else { return nil }
        if text.utf8.contains(0) { throw ConfigurationError(object.error("has a NUL character in it", at: key)) }
        return text
    }

    private static func path(_ key: String, in object: JSONObjectReader) throws(ConfigurationError) -> String? {
        guard let path = try text(key, in: object) else { return nil }
        if path.utf8.count >= pathLimit {
            throw ConfigurationError(object.error("has \(path.utf8.count) bytes, and \(pathLimit - 1) is the most of a path", at: key))
        }
        return path
    }

    private static func wrapping<Value>(_ read: () throws(JSONShapeError) -> Value) throws(ConfigurationError) -> Value {
        do throws(JSONShapeError) { return try read() } catch { throw ConfigurationError(error) }
    }

    /// Go's decoder, and so runc, takes `Mounts` for `mounts`; crun does not. A document that means different mounts to its readers
    /// could have some that no plugin is asked about.
    private static func refuseOtherSpellings(in object: JSONObjectReader, of keys: [String]) throws(ConfigurationError) {
        if let found = object.otherSpelling(of: keys) {
            throw ConfigurationError("\(found.place) must be spelled \(found.key), for runtimes differ in whether they read it")
        }
    }
}

extension ConfigurationError {
    fileprivate init(_ error: JSONShapeError) { self.init(error.message(about: "it")) }
}
