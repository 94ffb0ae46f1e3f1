// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import Testing

@Suite struct MountPointResponsesTests {
    /// Testing has one, too.
    typealias Attachment = DockerPluginAPI.Attachment

    static func written(_ write: (inout JSONWriter) -> Void) -> String { MountPointRequestsTests.written(write) }

    @Test(
        arguments: [
            (#"{"Success":true}"#, MountPointAttachResponse()),
            (#"{"Success":false,"Err":"no\nway"}"#, MountPointAttachResponse(success: false, err: "no\nway")),
            (
                #"{"Success":true,"Attachments":[{"Attach":true,"EmergencyDetach":[{"Warning":"w"},{"Error":"e"},{"Fatal":"f"},"#
                    + #"{"Remove":"/r"},{"Unmount":"/u"}],"Changes":{"EffectiveSource":"/s","EffectiveConsistency":"cached","#
                    + #""ReadOnly":true,"Options":["nosuid","foo"],"Propagation":"rprivate"}},{"Attach":false,"EmergencyDetach":[{}]}]}"#,
                MountPointAttachResponse(attachments: [
                    Attachment(
                        attach: true, emergencyDetach: [.warning("w"), .error("e"), .fatal("f"), .remove("/r"), .unmount("/u")],
                        changes: MountPointChanges(
                            effectiveSource: "/s", effectiveConsistency: .cached, readOnly: true,
                            options: [.nosuid, .init(rawValue: "foo")], propagation: .rprivate)),
                    Attachment(attach: false, emergencyDetach: [.nothing]),
                ])
            ),
        ])
    func attachGoesThereAndBack(text: String, response: MountPointAttachResponse) throws {
        #expect(Self.written(response.write) == text)
        #expect(try MountPointAttachResponse(Array(text.utf8).span) == response)
    }

    @Test(
        arguments: [
            ("{}", MountPointAttachResponse(success: false)),
            (#"{"Success":true,"Attachments":null,"Err":null}"#, MountPointAttachResponse()),
            (
                // Go's library sends an empty Error with every action.
                #"{"Success":true,"Attachments":[{"Attach":true,"EmergencyDetach":[{"Error":"","Unmount":"/u"}],"Changes":{}},{}]}"#,
                MountPointAttachResponse(attachments: [
                    Attachment(attach: true, emergencyDetach: [.unmount("/u")]), Attachment(attach: false),
                ])
            ),
            (
                #"{"Success":true,"Attachments":[{"EmergencyDetach":[{}]},{"EmergencyDetach":[{"Warning":"w"},{"Error":""}]}]}"#,
                MountPointAttachResponse(attachments: [
                    Attachment(attach: false, emergencyDetach: [.nothing]),
                    Attachment(attach: false, emergencyDetach: [.warning("w"), .nothing]),
                ])
            ),
            (
                // Any letter case, also with the two letters beyond ASCII that fold to ASCII ones.
                #"{"success":true,"ATTACHMENTS":[{"attach":true,"emergencydetach":[{"unmount":"/u"}],"#
                    + "\"change\u{17F}\":{\"Effective\u{17F}ource\":\"/s\"}}]}",
                MountPointAttachResponse(attachments: [
                    Attachment(attach: true, emergencyDetach: [.unmount("/u")], changes: MountPointChanges(effectiveSource: "/s"))
                ])
            ),
            (#"{"success":false,"Success":true,"SUCCESS":false}"#, MountPointAttachResponse()),
            (#"{"success":false,"SUCCESS":true}"#, MountPointAttachResponse()),
            (
                #"{"Success":true,"Attachments":[{"EmergencyDetach":[{"Fatal":"f","Error":"e","Remove":"/r","Unmount":"/u","Warning":"w"}]}]}"#,
                MountPointAttachResponse(attachments: [
                    Attachment(attach: false, emergencyDetach: [.warning("w"), .unmount("/u"), .remove("/r"), .error("e"), .fatal("f")])
                ])
            ),
        ])
    func readsOtherSpellingsOfAttach(text: String, response: MountPointAttachResponse) throws {
        #expect(try MountPointAttachResponse(Array(text.utf8).span) == response)
    }

    @Test(
        arguments: [
            ("", "the answer has no body"), ("null", "the answer must be a JSON object, not null"),
            ("<html>", "the answer is not valid JSON: line 1, column 1: a value must stand here"),
            (#"{"Success":"true"}"#, "Success must be true or false, not a string"),
            (#"{"Success":true,"Err":{}}"#, "Err must be a string, not an object"),
            (#"{"Attachments":{"Attach":true}}"#, "Attachments must be an array, not an object"),
            (#"{"Attachments":[{},[]]}"#, "Attachments[1] must be an object, not an array"),
            (#"{"Attachments":[{"Attach":1}]}"#, "Attachments[0].Attach must be true or false, not a number"),
            (#"{"Attachments":[{"Changes":"/s"}]}"#, "Attachments[0].Changes must be an object, not a string"),
            (#"{"Attachments":[{"Changes":{"Options":"nosuid"}}]}"#, "Attachments[0].Changes.Options must be an array, not a string"),
            (#"{"Attachments":[{"Changes":{"Options":[1]}}]}"#, "Attachments[0].Changes.Options[0] must be a string, not a number"),
            (
                #"{"Attachments":[{"Changes":{"ReadOnly":"yes"}}]}"#,
                "Attachments[0].Changes.ReadOnly must be true or false, not a string"
            ),
            (
                #"{"Attachments":[{"EmergencyDetach":[{"Remove":["/r"]}]}]}"#,
                "Attachments[0].EmergencyDetach[0].Remove must be a string, not an array"
            ),
        ])
    func refusesTheRestOfAttach(text: String, message: String) {
        let error = #expect(throws: ResponseError.self) { try MountPointAttachResponse(Array(text.utf8).span) }
        #expect(error?.message == message)
    }

    @Test(
        arguments: [
            (#"{"Success":true}"#, MountPointDetachResponse()),
            (#"{"Success":false,"Recoverable":true,"Err":"e"}"#, MountPointDetachResponse(success: false, recoverable: true, err: "e")),
            (#"{"Success":false}"#, MountPointDetachResponse(success: false)),
        ])
    func detachGoesThereAndBack(text: String, response: MountPointDetachResponse) throws {
        #expect(Self.written(response.write) == text)
        #expect(try MountPointDetachResponse(Array(text.utf8).span) == response)
    }

    @Test func mountedGoesThereAndBack() throws {
        for (text, response) in [
            (#"{"Success":true}"#, MountPointMountedResponse()),
            (#"{"Success":false,"Err":"e"}"#, MountPointMountedResponse(success: false, err: "e")),
        ] {
            #expect(Self.written(response.write) == text)
            #expect(try MountPointMountedResponse(Array(text.utf8).span) == response)
        }
        #expect(throws: ResponseError("Recoverable must be true or false, not a number")) {
            try MountPointDetachResponse(Array(#"{"Recoverable":0}"#.utf8).span)
        }
        #expect(throws: ResponseError("Err must be a string, not a number")) {
            try MountPointMountedResponse(Array(#"{"Err":0}"#.utf8).span)
        }
    }

    @Test func noPartOfAnAnswerIsAnAnswer() throws {
        let attach = MountPointAttachResponse(
            attachments: [
                Attachment(
                    attach: true, emergencyDetach: [.warning("é\"\\"), .unmount("/u")],
                    changes: MountPointChanges(effectiveSource: "/s", effectiveConsistency: .cached))
            ], err: "\u{1}")
        let properties = MountPointPropertiesResponse(properties: MountPointPatternCodingTests.properties)
        for bytes in [Array(Self.written(attach.write).utf8), Array(Self.written(properties.write).utf8)] {
            for count in 0..<bytes.count {
                let part = Array(bytes[..<count])
                #expect(throws: ResponseError.self) { try MountPointAttachResponse(part.span) }
                #expect(throws: ResponseError.self) { try MountPointPropertiesResponse(part.span) }
                #expect(throws: ResponseError.self) { try MountPointDetachResponse(part.span) }
                #expect(throws: ResponseError.self) { try MountPointMountedResponse(part.span) }
            }
        }
    }

    /// Damage is either noticed or harmless: what is read can be written and read again.
    @Test func survivesDamage() throws {
        var random = SplitMix(state: 33_375)
        let bytes = Array(Self.written(MountPointPropertiesResponse(properties: MountPointPatternCodingTests.properties).write).utf8)
        var accepted = 0
        for _ in 0..<2_000 {
            var damaged = bytes
            let place = Int.random(in: 0..<damaged.count, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: damaged[place] = UInt8.random(in: 0x20..<0x7f, using: &random)
            case 1: damaged.remove(at: place)
            default: damaged.insert(bytes.randomElement(using: &random)!, at: place)
            }
            guard var response = try? MountPointPropertiesResponse(damaged.span) else { continue }
            response.properties.unknownMembers = []
            accepted += 1
            #expect(try MountPointPropertiesResponse(Array(Self.written(response.write).utf8).span) == response)
        }
        #expect(accepted > 100, "else the changes are too wild to test anything")
    }

    /// A generator with a fixed seed, so that a failure comes again.
    private struct SplitMix: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }
}
