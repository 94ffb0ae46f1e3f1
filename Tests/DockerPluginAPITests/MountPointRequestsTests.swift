// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import Testing

@Suite struct MountPointRequestsTests {
    static var full: MountPoint {
        var mount = MountPoint(
            type: .volume, source: "/var/lib/docker/volumes/v/_data", destination: "/data", readOnly: true, mode: "ro,z",
            propagation: .init(rawValue: "rslave"), createSourceIfMissing: true, consistency: .cached,
            volume: .init(
                name: "v", driver: "local", id: "i", labels: ["l": "1"], driverOptions: ["d": "2"], scope: .local,
                options: ["o": "bind", "device": "/srv"]),
            container: .init(
                labels: ["c": "3"], name: "box", user: .init(uid: 1000, gid: 0, additionalGIDs: [4, 4_294_967_295]),
                uidMappings: [.init(containerID: 0, hostID: 100_000, size: 65_536)],
                gidMappings: [.init(containerID: 0, hostID: 200_000, size: 1)], cgroup: "/docker/0f", root: "/srv/root"),
            image: .init(labels: ["i": "4"], name: "alpine:3", id: "sha256:12"))
        mount.effectiveSource = "/srv/copy"
        mount.origin = ["/srv/copy", "/mnt/a\nb"]
        mount.effectiveConsistency = .delegated
        mount.appliedMiddleware = [
            AppliedMiddleware(
                name: "plugin:first",
                changes: MountPointChanges(
                    effectiveSource: "/srv/copy", effectiveConsistency: .delegated, readOnly: true, options: [.nosuid, .nodev],
                    propagation: .rslave)),
            AppliedMiddleware(name: "plugin:second"),
        ]
        return mount
    }

    static let fullText = #"""
        {"EffectiveSource":"/srv/copy","EffectiveConsistency":"delegated",
        "Volume":{"Name":"v","Driver":"local","ID":"i","Labels":{"l":"1"},"DriverOptions":{"d":"2"},"Scope":"local",
        "Options":{"o":"bind","device":"/srv"}},
        "Container":{"Labels":{"c":"3"},"Name":"box","User":{"UID":1000,"GID":0,"AdditionalGIDs":[4,4294967295]},
        "UIDMappings":[{"ContainerID":0,"HostID":100000,"Size":65536}],"GIDMappings":[{"ContainerID":0,"HostID":200000,"Size":1}],
        "Cgroup":"/docker/0f","Root":"/srv/root"},"Image":{"Labels":{"i":"4"},"Name":"alpine:3","ID":"sha256:12"},
        "Source":"/var/lib/docker/volumes/v/_data","Destination":"/data","ReadOnly":true,"Type":"volume","Mode":"ro,z",
        "Propagation":"rslave","CreateSourceIfMissing":true,
        "AppliedMiddleware":[{"Name":"plugin:first","Changes":{"EffectiveSource":"/srv/copy","EffectiveConsistency":"delegated",
        "ReadOnly":true,"Options":["nosuid","nodev"],"Propagation":"rslave"}},{"Name":"plugin:second","Changes":{}}],"Consistency":"cached",
        "Origin":["/srv/copy","/mnt/a\nb"]}
        """#.replacing("\n", with: "")

    static func written(_ write: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        write(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test func spellsAMountAsPluginsReadIt() throws {
        let request = MountPointAttachRequest(id: "0f", mounts: [Self.full])
        let text = Self.written(request.write)
        #expect(text == #"{"ID":"0f","Mounts":["# + Self.fullText + "]}")
        #expect(try MountPointAttachRequest(Array(text.utf8).span) == request)
    }

    /// A plugin that indexes them, in Python say, must not fail for lack of them.
    @Test func sendsEmptyObjectsAsGoDoes() throws {
        let request = MountPointAttachRequest(id: "0f", mounts: [MountPoint(type: .bind, source: "/a", destination: "/b")])
        let text = Self.written(request.write)
        #expect(
            text == #"{"ID":"0f","Mounts":[{"EffectiveSource":"/a","EffectiveConsistency":"default","Volume":{},"Container":{},"Image":{},"#
                + #""Source":"/a","Destination":"/b","Type":"bind","AppliedMiddleware":[],"Origin":[]}]}"#)
        #expect(try MountPointAttachRequest(Array(text.utf8).span) == request)
        #expect(Self.written(MountPointAttachRequest(id: "0f", mounts: []).write) == #"{"ID":"0f","Mounts":[]}"#)
    }

    @Test func repeatsTheVolumeInTheMountForPluginsOfTheFirstDraft() throws {
        let mount = MountPoint(
            type: .volume, source: "/v", destination: "/b", volume: .init(name: "v", driver: "local", options: ["device": "/srv"]))
        let text = Self.written(MountPointAttachRequest(id: "0f", mounts: [mount], hasFlatVolume: true).write)
        #expect(
            text == #"{"ID":"0f","Mounts":[{"EffectiveSource":"/v","EffectiveConsistency":"default","#
                + #""Volume":{"Name":"v","Driver":"local","Options":{"device":"/srv"}},"Name":"v","Driver":"local","#
                + #""Options":{"device":"/srv"},"Container":{},"Image":{},"Source":"/v","Destination":"/b","Type":"volume","#
                + #""AppliedMiddleware":[],"Origin":[]}]}"#)
        #expect(try MountPointAttachRequest(Array(text.utf8).span).mounts == [mount])
    }

    @Test func readsWhatGoSends() throws {
        let text = #"""
            {"ID":"0f","Mounts":[{"EffectiveSource":"/a","EffectiveConsistency":"","Volume":{},"Container":{"Labels":null},"Image":{},
            "Source":"/a","Destination":"/b","ReadOnly":false,"Type":"bind","AppliedMiddleware":null,"Future":[{}]},
            {"Type":"npipe","Volume":null}]}
            """#
        let mounts = try MountPointAttachRequest(Array(text.utf8).span).mounts
        var bind = MountPoint(type: .bind, source: "/a", destination: "/b")
        bind.effectiveConsistency = .unspecified
        var pipe = MountPoint(type: .init(rawValue: "npipe"), source: "", destination: "")
        pipe.effectiveConsistency = .unspecified
        #expect(mounts == [bind, pipe])
        #expect(try MountPointAttachRequest(Array(#"{"ID":"0f","Mounts":null}"#.utf8).span).mounts == [])
    }

    @Test(
        arguments: [
            ("", "the request has no body"), ("7", "the request must be a JSON object, not a number"),
            ("{", "the request is not valid JSON: line 1, column 2: the document ends too early"),
            ("{}", "ID must be there and not be empty"), (#"{"ID":null}"#, "ID must be there and not be empty"),
            (#"{"ID":["0f"]}"#, "ID must be a string, not an array"),
            (#"{"ID":"0f","Mounts":{}}"#, "Mounts must be an array, not an object"),
            (#"{"ID":"0f","Mounts":[null]}"#, "Mounts[0] must be an object, not null"),
            (#"{"ID":"0f","Mounts":[{},{"ReadOnly":"yes"}]}"#, "Mounts[1].ReadOnly must be true or false, not a string"),
            (#"{"ID":"0f","Mounts":[{"Origin":"/a"}]}"#, "Mounts[0].Origin must be an array, not a string"),
            (#"{"ID":"0f","Mounts":[{"Origin":["/a",1]}]}"#, "Mounts[0].Origin[1] must be a string, not a number"),
            (#"{"ID":"0f","Mounts":[{"Type":1}]}"#, "Mounts[0].Type must be a string, not a number"),
            (
                #"{"ID":"0f","Mounts":[{"Container":{"User":{"UID":-1}}}]}"#,
                "Mounts[0].Container.User.UID must be a whole number from 0 to 4294967295, not -1"
            ),
            (#"{"ID":"0f","Mounts":[{"Volume":"v"}]}"#, "Mounts[0].Volume must be an object, not a string"),
            (#"{"ID":"0f","Mounts":[{"Volume":{"Options":[]}}]}"#, "Mounts[0].Volume.Options must be an object, not an array"),
            (
                #"{"ID":"0f","Mounts":[{"Image":{"Labels":{"a\nb":1}}}]}"#,
                #"Mounts[0].Image.Labels["a\nb"] must be a string, not a number"#
            ),
            (
                #"{"ID":"0f","Mounts":[{"AppliedMiddleware":[{"Changes":{"EffectiveSource":0}}]}]}"#,
                "Mounts[0].AppliedMiddleware[0].Changes.EffectiveSource must be a string, not a number"
            ),
        ])
    func refusesTheRest(body: String, message: String) {
        let error = #expect(throws: RequestError.self) { try MountPointAttachRequest(Array(body.utf8).span) }
        #expect(error?.message == message)
    }

    @Test func noPartOfARequestIsARequest() throws {
        let bytes = Array((#"{"ID":"0f","Mounts":["# + Self.fullText + "]}").utf8)
        for count in 0..<bytes.count {
            #expect(throws: RequestError.self) { try MountPointAttachRequest(Array(bytes[..<count]).span) }
        }
    }

    @Test func goesThereAndBack() throws {
        for (request, text) in [
            (MountPointDetachRequest(id: "0f"), #"{"ID":"0f","Mounts":[]}"#),
            (
                MountPointDetachRequest(
                    id: "0f", exitStatus: 0, reason: .ended, mounts: [.init(destination: "/b", effectiveSource: "/a")]),
                #"{"ID":"0f","ExitStatus":0,"Reason":"ended","Mounts":[{"Destination":"/b","EffectiveSource":"/a"}]}"#
            ),
            (MountPointDetachRequest(id: "0f", reason: .notStarted), #"{"ID":"0f","Reason":"not-started","Mounts":[]}"#),
            (
                MountPointDetachRequest(id: "0f", exitStatus: 137, reason: .recovered),
                #"{"ID":"0f","ExitStatus":137,"Reason":"recovered","Mounts":[]}"#
            ),
            (MountPointDetachRequest(id: "0f", reason: .boot), #"{"ID":"0f","Reason":"boot","Mounts":[]}"#),
        ] {
            #expect(Self.written(request.write) == text)
            #expect(try MountPointDetachRequest(Array(text.utf8).span) == request)
        }
        #expect(try MountPointDetachRequest(Array(#"{"ID":"0f"}"#.utf8).span) == MountPointDetachRequest(id: "0f"))
        #expect(throws: RequestError("ID must be there and not be empty")) { try MountPointDetachRequest(Array(#"{"ID":""}"#.utf8).span) }

        let request = MountPointMountedRequest(id: "0f", pid: 42, mounts: [.init(destination: "/b", effectiveSource: "/a")])
        let mounted = Self.written(request.write)
        #expect(mounted == #"{"ID":"0f","Pid":42,"Mounts":[{"Destination":"/b","EffectiveSource":"/a"}]}"#)
        #expect(try MountPointMountedRequest(Array(mounted.utf8).span) == request)
    }

    @Test(arguments: [
        (#"{"ID":"0f"}"#, " above 0"), (#"{"ID":"0f","Pid":0}"#, " above 0"), (#"{"ID":"0f","Pid":-1}"#, " above 0"),
        (#"{"ID":"0f","Pid":1.5}"#, ", not 1.5"),
        (#"{"ID":"0f","Pid":"1"}"#, ", not a string"),
    ])
    func aMountedRequestNeedsAProcess(body: String, words: String) {
        #expect(throws: RequestError("Pid must be a whole number\(words)")) { try MountPointMountedRequest(Array(body.utf8).span) }
    }

    @Test func namesTheCallsAsTheProtocolDoes() {
        #expect(
            MountPointMethod.allCases.map(\.rawValue) == [
                "/MountPointPlugin.MountPointProperties", "/MountPointPlugin.MountPointAttach", "/MountPointPlugin.MountPointDetach",
                "/MountPointPlugin.MountPointMounted",
            ])
    }

    /// They are encoded once: ten mounts of one container take little longer than one.
    @Test func manyLabelsAreWrittenForEachMount() throws {
        var container = ContainerDescription()
        for number in 0..<20_000 { container.labels.append(key: "org.example.\(number)", value: "\u{e9}\"\(number)") }
        let mounts = (0..<10).map { MountPoint(type: .bind, source: "/s", destination: "/\($0)", container: container) }
        let text = Self.written(MountPointAttachRequest(id: "0f", mounts: mounts).write)
        let read = try MountPointAttachRequest(Array(text.utf8).span)
        #expect(read.mounts.map(\.destination) == mounts.map(\.destination))
        #expect(read.mounts.allSatisfy { $0.container == container })
    }

    @Test func mountsOfDifferentContainersAreNotMixedUp() throws {
        let mounts = ["a", "b", "b", "a"].map { name in
            MountPoint(
                type: .bind, source: "/s", destination: "/d", container: .init(name: name), image: .init(labels: ["l": name]))
        }
        let text = Self.written(MountPointAttachRequest(id: "0f", mounts: mounts).write)
        #expect(try MountPointAttachRequest(Array(text.utf8).span).mounts == mounts)
    }
}
