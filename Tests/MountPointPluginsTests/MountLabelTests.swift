// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Testing

@testable import MountPointPlugins

@Suite("Labels that choose mounts")
struct MountLabelTests {
    private static let destinations = ["/a", "/a/b", "/a:b", "/x;y", "/data"]

    private func entries(_ text: String) throws(PluginError) -> [MountLabel.Entry] {
        try MountLabel(text, key: "mountpoint.k", destinations: Self.destinations).entries
    }

    @Test("A destination, and its options behind a colon")
    func one() throws {
        #expect(try entries("/a") == [.init(destination: "/a", options: "")])
        #expect(try entries("/a:x=1,y") == [.init(destination: "/a", options: "x=1,y")])
        #expect(try entries("*:x") == [.init(destination: nil, options: "x")])
    }

    @Test("Several, with blanks around them, and a semicolon at the end")
    func several() throws {
        #expect(
            try entries(" /a:x ; /a/b ;*:y;") == [
                .init(destination: "/a", options: "x"), .init(destination: "/a/b", options: ""), .init(destination: nil, options: "y"),
            ])
    }

    @Test("Destinations with a colon or a semicolon in them, and ones spelled in another way")
    func strange() throws {
        #expect(try entries("/a:b:c;/x;y:z") == [.init(destination: "/a:b", options: "c"), .init(destination: "/x;y", options: "z")])
        #expect(try entries("/a/../data/:o") == [.init(destination: "/data", options: "o")])
    }

    @Test(
        "What makes no sense is an error that says what there is",
        arguments: [
            ("/b", "label mountpoint.k=/b: /b is no mount of this container; there are /a, /a/b, /a:b, /data, /x;y"),
            ("/a;/a:x", "label mountpoint.k=/a;/a:x: /a is named twice"),
            ("", "label mountpoint.k=: must be DESTINATION[:OPTIONS], several by \";\", \"*\" for all"),
            ("size=1", "label mountpoint.k=size=1: must be DESTINATION[:OPTIONS], several by \";\", \"*\" for all"),
            ("*;*:x", "label mountpoint.k=*;*:x: * is named twice"),
        ])
    func wrong(_ row: (String, String)) {
        #expect(throws: PluginError(row.1)) { try entries(row.0) }
    }

    @Test("What names a mount comes before the star")
    func precedence() throws {
        let label = try MountLabel("*:all;/a:one", key: "k", destinations: Self.destinations)
        #expect(label.options(for: "/a") == "one")
        #expect(label.options(for: "/data") == "all")
        #expect(label.names("/a") && !label.names("/data"))
    }
}
