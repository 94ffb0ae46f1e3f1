// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON

extension FuzzInput {
    /// Any JSON document.
    static let json = FuzzInput(name: "json") { bytes in
        guard let value = try accepted({ try JSONValue(parsing: bytes) }) else { return }
        let compact = value.encoded()
        for style in [JSONStyle.compact, .pretty] {
            let back = try again("JSON", { try JSONValue(parsing: value.encoded(style)) })
            try require(back == value, "the document is another one after writing and reading")
            try require(back.encoded() == compact, "the same document is written in two ways")
        }
        try require(compact.count <= 6 * bytes.count, "\(bytes.count) bytes become \(compact.count)")
    }

    /// What engines and plugins say to one another: requests and answers of both interfaces.
    static let messages = FuzzInput(name: "messages") { bytes in
        for method in VolumeMethod.allCases { try volumeRequest(method, bytes) }
        try roundTrip("attach request", bytes, { try MountPointAttachRequest($0.span) }, { $0.write(to: &$1) })
        try roundTrip("detach request", bytes, { try MountPointDetachRequest($0.span) }, { $0.write(to: &$1) })
        try roundTrip("mounted request", bytes, { try MountPointMountedRequest($0.span) }, { $0.write(to: &$1) })
        try roundTrip("attach answer", bytes, { try MountPointAttachResponse($0.span) }, { $0.write(to: &$1) })
        try roundTrip("detach answer", bytes, { try MountPointDetachResponse($0.span) }, { $0.write(to: &$1) })
        try roundTrip("mounted answer", bytes, { try MountPointMountedResponse($0.span) }, { $0.write(to: &$1) })
        let properties = { (bytes: [UInt8]) in
            var answer = try MountPointPropertiesResponse(bytes.span)
            // What is not understood is not written.
            answer.properties.unknownMembers = []
            return answer
        }
        try roundTrip("properties", bytes, properties, { $0.write(to: &$1) })
        _ = try accepted { try Activation.readResponse(bytes.span) }
    }

    private static func volumeRequest(_ method: VolumeMethod, _ bytes: [UInt8]) throws {
        guard let request = try accepted({ try VolumeRequest(method, body: bytes.span) }) else { return }
        let document: JSONValue
        switch request {
        case .list, .capabilities: return
        case .get(let name), .path(let name), .remove(let name): document = ["Name": .string(name)]
        case .mount(let name, let id), .unmount(let name, let id):
            try require((1...VolumeRequest.longestID).contains(id.utf8.count), "an ID of \(id.utf8.count) bytes is taken")
            document = ["Name": .string(name), "ID": .string(id)]
        case .create(let name, let options):
            document = ["Name": .string(name), "Opts": .object(JSONObject(options.map { ($0.key, .string($0.value)) }))]
        }
        try require(document["Name"]?.stringValue?.isEmpty == false, "an empty name is taken")
        let back = try again(method.rawValue, { try VolumeRequest(method, body: document.encoded().span) })
        try require(back == request, "\(method.rawValue): another request after writing and reading")
    }

    private static func roundTrip<Message: Equatable>(
        _ what: String, _ bytes: [UInt8], _ parse: ([UInt8]) throws -> Message, _ write: (Message, inout JSONWriter) -> Void
    ) throws {
        guard let message = try accepted({ try parse(bytes) }) else { return }
        var writer = JSONWriter()
        write(message, &writer)
        let back = try again(what, { try parse(writer.bytes) })
        try require(back == message, "\(what): another message after writing and reading")
    }
}

extension JSONObject {
    fileprivate init(_ members: [(String, JSONValue)]) {
        self.init()
        for (key, value) in members { self[key] = value }
    }
}
