// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import MountPointChain
import Testing

@Suite struct AppliedStackTests {
    static let full = AppliedStack(
        [
            AppliedPlugin(
                name: "a", state: .attached, wantsMounted: true,
                mounts: [
                    AppliedMount(
                        destination: "/x", effectiveSource: "/srv/\"x",
                        emergencyDetach: [.warning("w"), .error("e"), .fatal("f"), .remove("/r"), .unmount("/u")]),
                    AppliedMount(destination: "/y", effectiveSource: "/srv/y"),
                ]),
            AppliedPlugin(name: "b", state: .detaching), AppliedPlugin(name: "c", state: .attaching),
            AppliedPlugin(
                name: "d", state: .owed, detachTimeout: 2.5, persistent: true,
                mounts: [AppliedMount(destination: "/x", effectiveSource: "/x", emergencyDetach: [.nothing])]),
        ], stopped: "because", ending: ContainerEnding(.recovered, exitStatus: 137))

    static let text =
        #"{"version":1,"stopped":"because","reason":"recovered","exitStatus":137,"plugins":[{"name":"a","state":"attached","wantsMounted":true,"mounts":["#
        + #"{"destination":"/x","effectiveSource":"/srv/\"x","emergencyDetach":[{"Warning":"w"},{"Error":"e"},{"Fatal":"f"},"#
        + #"{"Remove":"/r"},{"Unmount":"/u"}]},{"destination":"/y","effectiveSource":"/srv/y","emergencyDetach":[]}]},"#
        + #"{"name":"b","state":"detaching","wantsMounted":false,"mounts":[]},"#
        + #"{"name":"c","state":"attaching","wantsMounted":false,"mounts":[]},"#
        + #"{"name":"d","state":"owed","wantsMounted":false,"detachTimeout":2.5,"persistent":true,"mounts":["#
        + #"{"destination":"/x","effectiveSource":"/x","emergencyDetach":[{}]}]}]}"#

    @Test func goesThereAndBack() throws {
        #expect(String(decoding: Self.full.encoded(), as: UTF8.self) == Self.text)
        #expect(try AppliedStack(parsing: Array(Self.text.utf8).span) == Self.full)
        #expect(try AppliedStack(JSONObjectReader(JSONValue(parsing: Self.text))) == Self.full)
        #expect(String(decoding: AppliedStack().encoded(), as: UTF8.self) == #"{"version":1,"plugins":[]}"#)
        #expect(try AppliedStack(parsing: AppliedStack().encoded().span) == AppliedStack())
    }

    @Test func whatIsForPeopleGoesThereAndBackWhereItIsKnown() throws {
        let stack = AppliedStack([
            AppliedPlugin(
                name: "a", state: .attached, mounts: [AppliedMount(destination: "/x", effectiveSource: "/view", source: "/srv")],
                since: "2026-03-01T12:00:00Z")
        ])
        let text = String(decoding: stack.encoded(), as: UTF8.self)
        #expect(text.contains(#""since":"2026-03-01T12:00:00Z""#))
        #expect(text.contains(#""source":"/srv""#))
        #expect(try AppliedStack(parsing: Array(text.utf8).span) == stack)
    }

    @Test func noPartOfARecordIsARecord() {
        let bytes = Array(Self.text.utf8)
        for count in 0..<bytes.count {
            #expect(throws: StackStoreError.self) { try AppliedStack(parsing: Array(bytes[..<count]).span) }
        }
    }

    @Test(
        arguments: [
            ("[]", "the record of mount point plugins must be a JSON object, not an array"),
            ("x", "the record of mount point plugins is not valid JSON: line 1, column 1: a value must stand here"),
            (#"{"plugins":[]}"#, "the record of mount point plugins has no version"),
            (#"{"version":2,"plugins":[]}"#, "the record of mount point plugins: version must be 1, not 2"),
            (#"{"version":"1","plugins":[]}"#, "the record of mount point plugins: version must be a whole number, not a string"),
            (#"{"version":1}"#, "the record of mount point plugins has no plugins"),
            (#"{"version":1,"plugins":null}"#, "the record of mount point plugins has no plugins"),
            (#"{"version":1,"plugins":[],"stopped":true}"#, "the record of mount point plugins: stopped must be a string, not a boolean"),
            (#"{"version":1,"plugins":["a"]}"#, "the record of mount point plugins: plugins[0] must be an object, not a string"),
            (#"{"version":1,"plugins":[{"name":"a"}]}"#, "the record of mount point plugins: plugins[0] has no state"),
            (
                #"{"version":1,"plugins":[{"name":"a","state":"detached"}]}"#,
                #"the record of mount point plugins: plugins[0].state must not be "detached""#
            ),
            (
                #"{"version":1,"plugins":[{"name":1,"state":"attached"}]}"#,
                "the record of mount point plugins: plugins[0].name must be a string, not a number"
            ),
            (
                #"{"version":1,"plugins":[{"name":"a","state":"attached","wantsMounted":0}]}"#,
                "the record of mount point plugins: plugins[0].wantsMounted must be true or false, not a number"
            ),
            (
                #"{"version":1,"plugins":[{"name":"a","state":"attached","wantsMounted":true,"mounts":[{"destination":"/x"}]}]}"#,
                "the record of mount point plugins: plugins[0].mounts[0] has no effectiveSource"
            ),
        ])
    func refusesWhatIsDamaged(text: String, message: String) {
        let error = #expect(throws: StackStoreError(message)) { try AppliedStack(parsing: Array(text.utf8).span) }
        #expect(error?.cause is JSONShapeError)
    }

    @Test(arguments: ["null", "7", "[7]", #"[{"Remove":1}]"#])
    func refusesDamagedEmergencyActions(actions: String) {
        let text =
            #"{"version":1,"plugins":[{"name":"a","state":"attached","wantsMounted":true,"mounts":[{"destination":"/x","#
            + #""effectiveSource":"/s","emergencyDetach":"# + actions + "}]}]}"
        let error = #expect(throws: StackStoreError.self) { try AppliedStack(parsing: Array(text.utf8).span) }
        #expect(error?.message.contains("plugins[0].mounts[0]") == true && error?.message.contains("mergencyDetach") == true)
    }

    @Test func theLastPluginsSourceIsTheMounts() {
        let stack = AppliedStack([
            AppliedPlugin(
                name: "a", state: .attached,
                mounts: [AppliedMount(destination: "/x", effectiveSource: "/1"), AppliedMount(destination: "/y", effectiveSource: "/2")]),
            AppliedPlugin(name: "b", state: .attached, mounts: [AppliedMount(destination: "/x", effectiveSource: "/3")]),
        ])
        #expect(["/x", "/y", "/z"].map(stack.effectiveSource) == ["/3", "/2", nil])
    }
}
