// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import OCIRuntime
import Testing

@Suite struct OCIConfigurationTests {
    private func configuration(_ text: String) throws(ConfigurationError) -> OCIConfiguration {
        try OCIConfiguration(parsing: Array(text.utf8))
    }

    @Test func readsWhatDecidesAboutMounts() throws {
        let read = try configuration(
            #"""
            {"ociVersion":"1.0.2","process":{"terminal":true,"args":["sh"],"user":{"uid":1000,"gid":4294967295,"additionalGids":[4,20]}},"root":{"path":"/var/lib/docker/overlay2/x/merged"},
             "hostname":"box","mounts":[
              {"destination":"/proc","type":"proc","source":"proc","options":["nosuid","noexec","nodev"]},
              {"destination":"/data/./x/","type":"bind","source":"/srv/data","options":["rbind","ro","rprivate"]}],
             "annotations":{"key":"value","odd":1},
             "linux":{"cgroupsPath":"/docker/abc","uidMappings":[{"containerID":0,"hostID":100000,"size":65536}],
              "gidMappings":[{"containerID":0,"hostID":200000,"size":1}],
              "namespaces":[{"type":"mount"},{"type":"network","path":"/proc/7/ns/net"},{"type":"pid","path":""}]}}
            """#)
        #expect(read.mounts.map(\.isBind) == [false, true])
        #expect(read.mounts[1].destination == "/data/./x/")
        #expect(read.mounts[1].cleanedDestination == "/data/x")
        #expect(read.mounts[1].source == "/srv/data")
        #expect(read.mounts[1].options == ["rbind", "ro", "rprivate"])
        #expect(read.rootPath == "/var/lib/docker/overlay2/x/merged")
        #expect(read.hasTerminal)
        #expect(read.hostname == "box")
        #expect(read.cgroupsPath == "/docker/abc")
        #expect(read.hasUserMappings)
        #expect(read.user?.uid == 1000 && read.user?.gid == 4_294_967_295 && read.user?.additionalGIDs == [4, 20])
        #expect(read.uidMappings.map { [$0.containerID, $0.hostID, $0.size] } == [[0, 100_000, 65_536]])
        #expect(read.gidMappings.map { [$0.containerID, $0.hostID, $0.size] } == [[0, 200_000, 1]])
        #expect(read.namespace("mount") != nil)
        #expect(read.namespace("mount")?.path == nil)
        #expect(read.namespace("network")?.path == "/proc/7/ns/net")
        #expect(read.namespace("pid")?.path == nil)
        #expect(read.namespace("user") == nil)
        #expect(read.annotation("key") == "value")
        #expect(read.annotation("odd") == nil)
    }

    @Test(arguments: [
        "{}",
        #"{"mounts":null,"root":null,"process":null,"linux":null,"annotations":null,"hostname":null}"#,
        #"{"mounts":[],"linux":{"namespaces":null,"uidMappings":[]},"process":{"terminal":null}}"#,
    ])
    func doesWithoutWhatIsMissing(text: String) throws {
        let read = try configuration(text)
        #expect(read.mounts.isEmpty && read.namespaces.isEmpty && !read.hasTerminal && !read.hasUserMappings)
        #expect(read.user == nil && read.uidMappings.isEmpty)
        #expect(read.rootPath == nil && read.cgroupsPath == nil && read.hostname == nil)
    }

    @Test(arguments: [
        (#"{"destination":"d","type":"bind"}"#, true), (#"{"destination":"d","type":"none","options":["rbind"]}"#, true),
        (#"{"destination":"d","options":["ro","bind"]}"#, true), (#"{"destination":"d","type":"tmpfs","options":["bind"]}"#, true),
        (#"{"destination":"d","type":"tmpfs","options":null}"#, false),
        (#"{"destination":"d","type":"none","options":["private"]}"#, false),
        (#"{"destination":"d"}"#, false),
    ])
    func knowsABindMount(mount: String, isBind: Bool) throws {
        let read = try configuration(#"{"mounts":[\#(mount)]}"#)
        #expect(read.mounts[0].isBind == isBind)
        #expect(read.mounts[0].cleanedDestination == "/d")
    }

    @Test func changesASourceAndNothingElse() throws {
        let text = #"""
            {"z":1.0,"mounts":[{"source":"/a","x":[1e3,null],"destination":"/b","type":"bind"},{"destination":"/c","options":["bind"]}],"a":{"n":18446744073709551615}}
            """#
        var read = try configuration(text)
        #expect(String(decoding: read.encoded(), as: UTF8.self) == text)
        read.setSource(ofMount: 0, to: "/new \"place\"")
        read.setSource(ofMount: 1, to: "/other")
        #expect(read.mounts.map(\.source) == ["/new \"place\"", "/other"])
        #expect(
            String(decoding: read.encoded(), as: UTF8.self)
                == text.replacing(#""/a""#, with: #""/new \"place\"""#)
                .replacing(#""options":["bind"]"#, with: #""options":["bind"],"source":"/other""#))
        #expect(try OCIConfiguration(parsing: read.encoded()).mounts == read.mounts)
    }

    @Test func changesOptionsAndTypes() throws {
        var read = try configuration(
            #"{"mounts":[{"destination":"/a","type":"tmpfs","source":"tmpfs","options":["size=1m"],"x":1},{"destination":"/b"}]}"#)
        #expect(read.mounts.map(\.isTmpfs) == [true, false])
        read.setOptions(ofMount: 1, to: ["ro"])
        #expect(read.mounts[1].options == ["ro"])
        read.makeBind(ofMount: 0, source: "/s", options: ["rbind", "nodev"])
        #expect(read.mounts[0].isBind && !read.mounts[0].isTmpfs)
        #expect(
            String(decoding: read.encoded(), as: UTF8.self)
                == #"{"mounts":[{"destination":"/a","type":"bind","source":"/s","options":["rbind","nodev"],"x":1},"#
                + #"{"destination":"/b","options":["ro"]}]}"#)
        #expect(try OCIConfiguration(parsing: read.encoded()).mounts == read.mounts)
    }

    @Test(arguments: [
        ("", "it is not valid JSON: line 1, column 1: the document ends too early"),
        (#"{"mounts":[{"destination":"#, "it is not valid JSON: line 1, column 27: the document ends too early"),
        ("[]", "it must be a JSON object, not an array"),
        (#"{"mounts":{}}"#, "mounts must be an array, not an object"),
        (#"{"mounts":[{"destination":"/a"},7]}"#, "mounts[1] must be an object, not a number"),
        (#"{"mounts":[{"destination":3}]}"#, "mounts[0].destination must be a string, not a number"),
        (#"{"mounts":[{"type":"bind"}]}"#, "mounts[0] has no destination"),
        (#"{"mounts":[{"destination":""}]}"#, "mounts[0] has no destination"),
        (#"{"mounts":[{"destination":"/a\u0000b"}]}"#, "mounts[0].destination has a NUL character in it"),
        (#"{"mounts":[{"destination":"/a","options":["ro","bind\u0000x"]}]}"#, "mounts[0].options[1] has a NUL character in it"),
        (
            #"{"mounts\u0000":[],"mounts":[]}"#,
            #"the name "mounts\u0000" has a NUL character in it, at which some runtimes take it to end"#
        ),
        (
            #"{"mounts":[{"destination":"/a","options\u0000":["rbind"]}]}"#,
            #"the name "options\u0000" has a NUL character in it, at which some runtimes take it to end"#
        ),
        (
            #"{"mounts":[{"destination":"/a","source":"/"# + String(repeating: "a/", count: 2048) + #""}]}"#,
            "mounts[0].source has 4097 bytes, and 4095 is the most of a path"
        ),
        (#"{"mounts":[{"destination":"/a","source":true}]}"#, "mounts[0].source must be a string, not a boolean"),
        (#"{"mounts":[{"destination":"/a","options":"bind"}]}"#, "mounts[0].options must be an array, not a string"),
        (#"{"mounts":[{"destination":"/a","options":["bind",1]}]}"#, "mounts[0].options[1] must be a string, not a number"),
        (#"{"root":"/"}"#, "root must be an object, not a string"),
        (#"{"root":{"path":[]}}"#, "root.path must be a string, not an array"),
        (#"{"process":{"terminal":"yes"}}"#, "process.terminal must be true or false, not a string"),
        (#"{"process":{"user":7}}"#, "process.user must be an object, not a number"),
        (#"{"process":{"user":{"uid":-1}}}"#, "process.user.uid must be a whole number from 0 to 4294967295, not -1"),
        (
            #"{"process":{"user":{"additionalGids":[1,"2"]}}}"#,
            "process.user.additionalGids[1] must be a whole number from 0 to 4294967295, not a string"
        ),
        (
            #"{"linux":{"gidMappings":[{"size":4294967296}]}}"#,
            "linux.gidMappings[0].size must be a whole number from 0 to 4294967295, not 4294967296"
        ),
        (#"{"linux":{"namespaces":[{"path":"/x"}]}}"#, "linux.namespaces[0] has no type"),
        (#"{"annotations":[]}"#, "annotations must be an object, not an array"),
        (#"{"Mounts":[]}"#, "Mounts must be spelled mounts, for runtimes differ in whether they read it"),
        (#"{"mount\#u{17F}":[]}"#, "mount\u{17F} must be spelled mounts, for runtimes differ in whether they read it"),
        (
            #"{"mounts":[{"destination":"/a","SOURCE":"/b"}]}"#,
            "mounts[0].SOURCE must be spelled source, for runtimes differ in whether they read it"
        ),
    ])
    func refusesWhatIsNotAConfiguration(text: String, message: String) {
        let error = #expect(throws: ConfigurationError.self) { try configuration(text) }
        #expect(error?.description == message)
    }

    @Test func refusesAHugeOneUnread() {
        let error = #expect(throws: ConfigurationError.self) {
            try OCIConfiguration(parsing: [UInt8](repeating: UInt8(ascii: " "), count: OCIConfiguration.sizeLimit + 1))
        }
        #expect(error?.description == "it has 16777217 bytes, and 16777216 is the most")
    }

    @Test func survivesBeingCutOffAnywhere() throws {
        let text = Array(
            #"{"mounts":[{"destination":"/a","options":["bind"],"source":"/é"}],"linux":{"namespaces":[{"type":"pid"}]}}"#.utf8)
        for count in 0..<text.count {
            #expect(throws: ConfigurationError.self) { try OCIConfiguration(parsing: Array(text[..<count])) }
        }
    }
}
