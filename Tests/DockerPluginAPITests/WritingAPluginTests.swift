// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import JSON
import TestSupport
import Testing

/// Docs/writing-a-plugin.md has each message as JSON, with its type in a comment above it. The document must not drift from the types.
@Suite struct WritingAPluginTests {
    struct Block: Sendable, CustomTestStringConvertible {
        var type: String
        var line: Int
        var value: JSONValue
        var testDescription: String { "\(type) of line \(line)" }
    }

    static let blocks: [Block] = {
        let text = (try? String(contentsOfFile: Repository.root + "/Docs/writing-a-plugin.md", encoding: .utf8)) ?? ""
        var blocks: [Block] = []
        var type = ""
        var content: [String]?
        for (number, line) in zip(1..., text.components(separatedBy: "\n")) {
            if line.hasPrefix("<!-- json: ") {
                type = String(line.dropFirst("<!-- json: ".count).prefix { $0 != " " })
            } else if line == "```json" {
                content = []
            } else if line == "```", let lines = content {
                let value = try? JSONValue(parsing: lines.joined(separator: "\n"))
                blocks.append(Block(type: type, line: number, value: value ?? .null))
                (type, content) = ("", nil)
            } else {
                content?.append(line)
            }
        }
        return blocks
    }()

    @Test(arguments: blocks)
    func eachBlockIsWhatItsTypeReadsAndWrites(block: Block) throws {
        let written = try #require(try Self.readAndWrite(block.value, as: block.type), "no type is named above it, or one without a test")
        #expect(Self.difference(block.value, written) == nil)
    }

    @Test func eachMessageIsThere() {
        let types = Set(Self.blocks.map(\.type))
        #expect(
            types == [
                "Activation", "MountPointPropertiesResponse", "MountPointAttachRequest", "MountPointAttachResponse",
                "MountPointMountedRequest", "MountPointMountedResponse", "MountPointDetachRequest", "MountPointDetachResponse",
                "MountPointPattern",
            ])
    }

    @Test func eachMemberIsThere() throws {
        let request = MountPointAttachRequest(id: "0f", mounts: [MountPointRequestsTests.full])
        expect(try Self.json { request.write(to: &$0) }, isCoveredBy: "MountPointAttachRequest")
        let properties = MountPointPropertiesResponse(
            properties: MountPointProperties(
                patterns: [MountPointPatternCodingTests.full], mounted: true, types: [.tmpfs], attachTimeout: 5, detachTimeout: 0.5,
                persistent: true))
        let written = try Self.json { properties.write(to: &$0) }
        expect(try #require(written["Patterns"]?.arrayValue?.first), isCoveredBy: "MountPointPattern", byNameAlone: true)
        var rest = try #require(written.objectValue)
        rest["Patterns"] = nil
        expect(.object(rest), isCoveredBy: "MountPointPropertiesResponse")
    }

    // MARK: Comparing

    /// - Parameter byNameAlone: for a pattern, in whose lists the same members may be anywhere.
    private func expect(
        _ value: JSONValue, isCoveredBy type: String, byNameAlone: Bool = false, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        func names(_ value: JSONValue) -> Set<String> {
            let places = Self.places(value)
            return byNameAlone ? Set(places.compactMap { $0.split(separator: ".").last.map(String.init) }) : places
        }
        let documented = Self.blocks.filter { $0.type == type }.reduce(into: Set<String>()) { $0.formUnion(names($1.value)) }
        #expect(!documented.isEmpty)
        #expect(names(value).subtracting(documented).sorted() == [], "\(type)", sourceLocation: sourceLocation)
    }

    /// The names of members with those above them, without positions in lists. Labels and options have whatever keys.
    private static func places(_ value: JSONValue, below place: String = "") -> Set<String> {
        var places: Set<String> = []
        for element in value.arrayValue ?? [] { places.formUnion(self.places(element, below: place)) }
        for member in value.objectValue?.members ?? [] {
            let name = "\(place).\(member.key)"
            places.insert(name)
            let isMap = ["Labels", "Options", "DriverOptions"].contains(member.key)
            if !isMap || member.value.objectValue == nil { places.formUnion(self.places(member.value, below: name)) }
        }
        return places
    }

    /// Where the document says what the type does not write; an empty member is the same as none.
    private static func difference(_ documented: JSONValue, _ written: JSONValue, at place: String = "") -> String? {
        switch (documented, written) {
        case (.object(let left), .object(let right)):
            for member in left.members {
                guard let other = right[member.key] else {
                    if member.value == [:] || member.value == [] { continue }
                    return "\(place).\(member.key) is not known"
                }
                if let found = difference(member.value, other, at: "\(place).\(member.key)") { return found }
            }
            return nil
        case (.array(let left), .array(let right)):
            guard left.count == right.count else { return "\(place) has \(right.count) elements when it is written" }
            for (index, pair) in zip(left, right).enumerated() {
                if let found = difference(pair.0, pair.1, at: "\(place)[\(index)]") { return found }
            }
            return nil
        case (.number(let left), .number(let right)):
            return left.doubleValue == right.doubleValue ? nil : "\(place) is \(right.text) when it is written"
        default: return documented == written ? nil : "\(place) is \(written) when it is written"
        }
    }

    private static func json(_ write: (inout JSONWriter) -> Void) throws -> JSONValue {
        var writer = JSONWriter()
        write(&writer)
        return try JSONValue(parsing: writer.bytes)
    }

    /// - Returns: nil for a type that has no test.
    private static func readAndWrite(_ value: JSONValue, as type: String) throws -> JSONValue? {
        let bytes = value.encoded()
        switch type {
        case "Activation":
            let names = try Activation.readResponse(bytes.span).compactMap(PluginInterface.init)
            return try json { Activation.writeResponse(implementing: names, to: &$0) }
        case "MountPointPropertiesResponse":
            let response = try MountPointPropertiesResponse(bytes.span)
            #expect(response.properties.unknownMembers == [])
            return try json { response.write(to: &$0) }
        case "MountPointPattern":
            let document: JSONValue = ["Success": true, "Patterns": [value]]
            let whole = document.encoded()
            let response = try MountPointPropertiesResponse(whole.span)
            #expect(response.properties.unknownMembers == [])
            return try json { response.write(to: &$0) }["Patterns"]?.arrayValue?.first
        case "MountPointAttachRequest":
            let request = try MountPointAttachRequest(bytes.span)
            return try json { request.write(to: &$0) }
        case "MountPointAttachResponse":
            let response = try MountPointAttachResponse(bytes.span)
            return try json { response.write(to: &$0) }
        case "MountPointMountedRequest":
            let request = try MountPointMountedRequest(bytes.span)
            return try json { request.write(to: &$0) }
        case "MountPointMountedResponse":
            let response = try MountPointMountedResponse(bytes.span)
            return try json { response.write(to: &$0) }
        case "MountPointDetachRequest":
            let request = try MountPointDetachRequest(bytes.span)
            return try json { request.write(to: &$0) }
        case "MountPointDetachResponse":
            let response = try MountPointDetachResponse(bytes.span)
            return try json { response.write(to: &$0) }
        default: return nil
        }
    }
}
