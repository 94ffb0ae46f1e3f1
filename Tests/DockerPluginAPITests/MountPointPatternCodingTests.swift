// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import Testing

@Suite struct MountPointPatternCodingTests {
    static let string = StringPattern(
        not: true, empty: true, prefix: "a", pathPrefix: "/b", suffix: "c", pathContains: "/d", exactly: "e", contains: "f")
    static let stringText =
        #"{"Not":true,"Empty":true,"Prefix":"a","PathPrefix":"/b","Suffix":"c","PathContains":"/d","Exactly":"e","Contains":"f"}"#

    /// Everything that a pattern can say, each part another value.
    static var full: MountPointPattern {
        func exactly(_ text: String) -> [StringPattern] { [StringPattern(exactly: text)] }
        func labels(_ text: String) -> [StringMapPattern] { [StringMapPattern(exists: [.init(key: StringPattern(exactly: text))])] }
        func middleware(_ text: String) -> [AppliedMiddlewarePattern.Element] { [.init(name: exactly(text))] }
        var pattern = MountPointPattern()
        pattern.effectiveSource = [string]
        pattern.effectiveConsistency = .cached
        pattern.origin = [StringPattern(pathContains: "/o"), StringPattern(not: true, pathPrefix: "/p")]
        pattern.source = exactly("source")
        pattern.destination = exactly("destination")
        pattern.readOnly = false
        pattern.type = .bind
        pattern.mode = exactly("mode")
        pattern.propagation = .init(rawValue: "shared")
        pattern.createSourceIfMissing = true
        pattern.consistency = .unspecified
        pattern.volume.name = exactly("name")
        pattern.volume.driver = exactly("driver")
        pattern.volume.id = exactly("id")
        pattern.volume.labels = labels("labels")
        pattern.volume.driverOptions = labels("driverOptions")
        pattern.volume.scope = .global
        pattern.volume.options = [
            StringMapPattern(not: true, all: [.init(), .init(value: StringPattern(empty: true))])
        ]
        pattern.container.labels = labels("container")
        pattern.image.labels = labels("image")
        pattern.appliedMiddleware.exists = [
            .init(name: exactly("exists"), changes: .init(effectiveSource: exactly("/s"), effectiveConsistency: .default))
        ]
        pattern.appliedMiddleware.notExists = middleware("notExists")
        pattern.appliedMiddleware.all = middleware("all")
        pattern.appliedMiddleware.notAll = middleware("notAll")
        pattern.appliedMiddleware.anySequence = middleware("anySequence")
        pattern.appliedMiddleware.notAnySequence = middleware("notAnySequence")
        pattern.appliedMiddleware.topSequence = middleware("topSequence")
        pattern.appliedMiddleware.notTopSequence = middleware("notTopSequence")
        pattern.appliedMiddleware.bottomSequence = middleware("bottomSequence")
        pattern.appliedMiddleware.notBottomSequence = middleware("notBottomSequence")
        pattern.appliedMiddleware.relativeOrder = middleware("relativeOrder")
        pattern.appliedMiddleware.notRelativeOrder = middleware("notRelativeOrder")
        return pattern
    }

    static let properties = MountPointProperties(
        patterns: [full, MountPointPattern()], mounted: true, types: [.tmpfs], attachTimeout: 5, detachTimeout: 0.5, persistent: true)

    static var readOnlyVolume: MountPointPattern {
        var pattern = MountPointPattern()
        pattern.readOnly = true
        pattern.volume.name = [StringPattern(exactly: "v")]
        return pattern
    }

    static func named(_ text: String) -> String { #"[{"Name":[{"Exactly":""# + text + #""}]}]"# }
    static func labelled(_ text: String) -> String { #"[{"Exists":[{"Key":{"Exactly":""# + text + #""}}]}]"# }

    static func read(_ text: String) throws -> MountPointPropertiesResponse { try MountPointPropertiesResponse(Array(text.utf8).span) }
    static func written(_ response: MountPointPropertiesResponse) -> String { MountPointRequestsTests.written(response.write) }

    @Test func everyMemberHasItsName() throws {
        let middleware =
            #""Exists":[{"Name":[{"Exactly":"exists"}],"Changes":{"EffectiveSource":[{"Exactly":"/s"}],"EffectiveConsistency":"default"}}]"#
            + [
                "notExists", "all", "notAll", "anySequence", "notAnySequence", "topSequence", "notTopSequence", "bottomSequence",
                "notBottomSequence", "relativeOrder", "notRelativeOrder",
            ].map { #",""# + $0.prefix(1).uppercased() + $0.dropFirst() + #"":"# + Self.named($0) }.joined()
        let pattern =
            #"{"EffectiveSource":["# + Self.stringText + #"],"EffectiveConsistency":"cached","Volume":{"Name":[{"Exactly":"name"}],"#
            + #""Driver":[{"Exactly":"driver"}],"ID":[{"Exactly":"id"}],"Labels":"# + Self.labelled("labels") + #","DriverOptions":"#
            + Self.labelled("driverOptions") + #","Scope":"global","Options":[{"Not":true,"All":[{},{"Value":{"Empty":true}}]}]},"#
            + #""Container":{"Labels":"# + Self.labelled("container") + #"},"Image":{"Labels":"# + Self.labelled("image")
            + #"},"Source":[{"Exactly":"source"}],"Destination":[{"Exactly":"destination"}],"ReadOnly":false,"Type":"bind","#
            + #""Mode":[{"Exactly":"mode"}],"Propagation":"shared","CreateSourceIfMissing":true,"AppliedMiddleware":{"# + middleware
            + #"},"Consistency":"","Origin":[{"PathContains":"/o"},{"Not":true,"PathPrefix":"/p"}]}"#
        let text =
            #"{"Success":true,"Patterns":["# + pattern
            + #",{}],"Mounted":true,"Types":["tmpfs"],"AttachTimeout":5,"DetachTimeout":0.5,"Persistent":true}"#
        #expect(Self.written(MountPointPropertiesResponse(properties: Self.properties)) == text)
        #expect(try Self.read(text) == MountPointPropertiesResponse(properties: Self.properties))
    }

    @Test(
        arguments: [
            (#"{"Success":true,"Patterns":null}"#, MountPointPropertiesResponse(properties: .init(patterns: []))),
            (#"{"Success":true}"#, MountPointPropertiesResponse(properties: .init(patterns: []))),
            (#"{"Err":"not now"}"#, MountPointPropertiesResponse(success: false, properties: .init(patterns: []), err: "not now")),
            (
                #"{"Success":true,"Patterns":[{"Source":null,"Type":null,"ReadOnly":null,"Volume":{"Labels":null},"Container":{},"#
                    + #""AppliedMiddleware":{"Exists":null},"Future":{}}]}"#,
                MountPointPropertiesResponse(properties: .init(patterns: [MountPointPattern()], unknownMembers: ["Patterns[0].Future"]))
            ),
            (
                #"{"Success":true,"Types":null,"AttachTimeout":0,"DetachTimeout":null,"Persistent":false}"#,
                MountPointPropertiesResponse(properties: .init(patterns: []))
            ),
            (
                #"{"SUCCESS":true,"patterns":[{"readonly":true,"VOLUME":{"name":[{"exactly":"v"}]}}],"MOUNTED":true,"types":["tmpfs"]}"#,
                MountPointPropertiesResponse(properties: .init(patterns: [readOnlyVolume], mounted: true, types: [.tmpfs]))
            ),
        ])
    func readsWhatGoSends(text: String, response: MountPointPropertiesResponse) throws {
        #expect(try Self.read(text) == response)
    }

    /// A misspelt pattern asks for more than was meant, and nothing else would tell.
    @Test func namesMembersThatItDoesNotKnow() throws {
        let properties = try Self.read(
            #"{"Success":true,"Foo":1,"Patterns":[{"Soruce":[{"Prefix":"/srv"}]},{"Source":[{"Prefx":"/srv","Not":true}],"Type":"bind"},"#
                + #"{"Volume":{"Label":[]},"AppliedMiddleware":{"Exist":[],"All":[{"Nam":[]}]}},{"destination":[{"PREFIX":"/x"}]}]}"#
        ).properties
        #expect(
            properties.unknownMembers == [
                "Foo", "Patterns[0].Soruce", "Patterns[1].Source[0].Prefx", "Patterns[2].AppliedMiddleware.Exist",
                "Patterns[2].AppliedMiddleware.All[0].Nam", "Patterns[2].Volume.Label",
            ])
        #expect(properties.unknownMembers(ofPattern: 1) == ["Patterns[1].Source[0].Prefx"])
        #expect(properties.unknownMembers(ofPattern: 3) == [])
        #expect(properties.patterns.map(\.asksForEveryMount) == [true, false, false, false])
        #expect(properties.patterns[1].text == #"{"Source":[{"Not":true}],"Type":"bind"}"#)
        var empty = MountPointPattern()
        empty.source = [StringPattern(not: true), StringPattern()]
        empty.image.labels = [StringMapPattern(not: true)]
        #expect(empty.asksForEveryMount && !Self.full.asksForEveryMount)
    }

    @Test func keepsWordsThatItDoesNotKnow() throws {
        let text = #"{"Success":true,"Patterns":[{"EffectiveConsistency":"foo","Type":"npipe","Propagation":"x"}]}"#
        let response = try Self.read(text)
        #expect(response.properties.patterns[0].type?.rawValue == "npipe")
        #expect(Self.written(response) == text)
    }

    @Test func takesTheVolumesMembersFromThePatternItself() throws {
        let flat =
            #"{"Name":[{"Exactly":"n"}],"Driver":[{"Exactly":"local"}],"ID":[{"Empty":true}],"Labels":[{"Not":true}],"#
            + #""DriverOptions":[{"All":[{}]}],"Scope":"local","Options":[{"Exists":[{"Key":{"Exactly":"o"}}]}]"#
        let nested = try Self.read(#"{"Success":true,"Patterns":[{"Volume":"# + flat + "}}]}").properties
        let text = #"{"Success":true,"Patterns":["# + flat + "}]}"
        let response = try Self.read(text)
        #expect(response.properties.patterns == nested.patterns)
        #expect(response.properties.patterns[0].volume.options.count == 1)
        #expect(response.properties.hasFlatVolume && !nested.hasFlatVolume)
        #expect(Self.written(response) == text)
    }

    @Test func wantsBothIfVolumesMembersStandInBothPlaces() throws {
        let response = try Self.read(
            #"{"Patterns":[{"Volume":{"Name":[{"Prefix":"a"}],"Scope":"local"},"Name":[{"Suffix":"b"}],"Scope":"local"}]}"#)
        #expect(response.properties.patterns[0].volume.name == [StringPattern(prefix: "a"), StringPattern(suffix: "b")])
        #expect(response.properties.patterns[0].volume.scope == .local)
        #expect(throws: ResponseError("Patterns[0].Scope differs from Volume.Scope")) {
            try Self.read(#"{"Patterns":[{"Volume":{"Scope":"local"},"Scope":"global"}]}"#)
        }
    }

    @Test(
        arguments: [
            (#"{"Patterns":{}}"#, "Patterns must be an array, not an object"),
            (#"{"Patterns":[{},null]}"#, "Patterns[1] must be an object, not null"),
            (#"{"Mounted":"yes"}"#, "Mounted must be true or false, not a string"),
            (#"{"Types":"tmpfs"}"#, "Types must be an array, not a string"),
            (#"{"AttachTimeout":"5s"}"#, "AttachTimeout must be a number of seconds, not a string"),
            (#"{"DetachTimeout":-1}"#, "DetachTimeout must be a number of seconds, not -1"),
            (#"{"Persistent":1}"#, "Persistent must be true or false, not a number"),
            (
                #"{"Patterns":[{},{},{"Volume":{"Name":[{"Prefix":1}]}}]}"#,
                "Patterns[2].Volume.Name[0].Prefix must be a string, not a number"
            ),
            (#"{"Patterns":[{"Source":"/a"}]}"#, "Patterns[0].Source must be an array, not a string"),
            (#"{"Patterns":[{"Source":["/a"]}]}"#, "Patterns[0].Source[0] must be an object, not a string"),
            (#"{"Patterns":[{"Source":[{"Not":0}]}]}"#, "Patterns[0].Source[0].Not must be true or false, not a number"),
            (#"{"Patterns":[{"ReadOnly":"ro"}]}"#, "Patterns[0].ReadOnly must be true or false, not a string"),
            (#"{"Patterns":[{"Type":["bind"]}]}"#, "Patterns[0].Type must be a string, not an array"),
            (#"{"Patterns":[{"Volume":[]}]}"#, "Patterns[0].Volume must be an object, not an array"),
            (#"{"Patterns":[{"Labels":{}}]}"#, "Patterns[0].Labels must be an array, not an object"),
            (
                #"{"Patterns":[{"Image":{"Labels":[{"All":[{"Key":"k"}]}]}}]}"#,
                "Patterns[0].Image.Labels[0].All[0].Key must be an object, not a string"
            ),
            (
                #"{"Patterns":[{"AppliedMiddleware":[]}]}"#, "Patterns[0].AppliedMiddleware must be an object, not an array"
            ),
            (
                #"{"Patterns":[{"AppliedMiddleware":{"NotTopSequence":[{"Name":[{"Exactly":false}]}]}}]}"#,
                "Patterns[0].AppliedMiddleware.NotTopSequence[0].Name[0].Exactly must be a string, not a boolean"
            ),
        ])
    func namesThePlaceOfWhatIsWrong(text: String, message: String) {
        let error = #expect(throws: ResponseError.self) { try Self.read(text) }
        #expect(error?.message == message)
    }
}
