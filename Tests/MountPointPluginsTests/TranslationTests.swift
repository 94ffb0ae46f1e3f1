// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import JSON
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import MountPointPlugins

/// What paths mean; nothing here mounts.
struct TranslationTests {
    private func translation(_ paths: String, _ host: InstanceHost? = nil) throws -> Translation {
        try Translation(JSONObjectReader(parsing: Array(#"{"paths":\#(paths)}"#.utf8)), places: host?.places ?? PluginPlaces())
    }

    @Test(arguments: [
        ("/a/b/c", "/a/b", ["c"]), ("/a/b", "/a/b", []), ("/a/bc", "/a", ["bc"]), ("/a", "/a", []), ("/x/y", "/", ["x", "y"]),
        ("/a/b//c/", "/a/b", ["c"]), ("/", "/", []),
    ])
    func theLongestPrefixOfWholeNamesDecides(path: String, prefix: String, rest: [String]) throws {
        let translation = try translation(#"[{"prefix":"/a","to":"/1"},{"prefix":"/","to":"/2"},{"prefix":"/a/b/","to":"/3"}]"#)
        let found = try #require(translation.rule(for: path))
        #expect(found.rule.prefix == prefix)
        #expect(found.rest == rest)
    }

    @Test func pathsAreBytesUnlessCaseIsToBeIgnored() throws {
        let exact = try translation(#"[{"prefix":"/\u00e9","to":"/1"},{"prefix":"/C","to":"/2"}]"#)
        #expect(exact.rule(for: "/e\u{301}/a") == nil)
        #expect(exact.rule(for: "/c/a") == nil)
        let folded = try translation(#"[{"prefix":"/C/Users","to":"/1","case":"insensitive"}]"#)
        #expect(folded.rule(for: "/c/uSERS/me")?.rest == ["me"])
    }

    @Test(arguments: [
        (#"C:\Users\me\src"#, "/c/Users/me/src"), ("c:/x", "/c/x"), ("D:", "/d"), (#"\\server\share\dir"#, "/server/share/dir"),
        ("//server/share", "/server/share"), ("/a//b/", "/a/b"),
    ])
    func pathsOfOtherSystemsAreSpelledAsDockerDoes(text: String, path: String) { #expect(ForeignPath.absolute(text) == path) }

    @Test(arguments: ["", "a/b", #"a\b"#, "C:x", "/a/../b", #"C:\a\..\b"#, "/a\0b"])
    func whatIsNoPathOrLeadsOutOfItselfIsNone(text: String) { #expect(ForeignPath.absolute(text) == nil) }

    @Test(arguments: [
        (#"[{"prefix":"a","to":"/b"}]"#, "prefix"), (#"[{"prefix":"/a","to":"b"}]"#, "to"), (#"[{"prefix":"/a","to":"container:"}]"#, "to"),
        (#"[{"prefix":"/a","to":"volume:../x"}]"#, "to"), (#"[{"prefix":"/a","to":"/b","case":"no"}]"#, "case"),
        (#"[{"prefix":"/a","to":"/b","missing":"yes"}]"#, "missing"), (#"[{"prefix":"/a","to":"/b"},{"prefix":"/a/","to":"/c"}]"#, "twice"),
        (#"[{"prefix":"/a","to":"container:x","missing":"create"}]"#, "missing"),
    ])
    func aWrongRuleIsNamed(paths: String, word: String) {
        let error = #expect(throws: JSONShapeError.self) { try translation(paths) }
        #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
    }

    // MARK: Below a target

    private func meaning(_ path: String, _ rule: String, _ host: InstanceHost) throws -> String {
        let translation = try translation("[\(rule)]", host)
        let found = try #require(translation.rule(for: path))
        return try translation.translated(path, by: found.rule, rest: found.rest, making: true).path
    }

    private func refusal(_ path: String, _ rule: String, _ host: InstanceHost) -> String {
        let error = #expect(throws: PluginError.self) { try meaning(path, rule, host) }
        return error?.message ?? ""
    }

    @Test func nothingLeadsOutOfATarget() throws {
        let host = try InstanceHost()
        let target = try host.folder("target")
        try FileManager.default.createDirectory(atPath: target + "/a/b", withIntermediateDirectories: true)
        for (name, place) in [("in", "a/b"), ("etc", "/etc"), ("up", "..")] { try #require(symlink(place, "\(target)/\(name)") == 0) }
        let rule = #"{"prefix":"/p","to":"\#(target)"}"#
        #expect(try meaning("/p/in", rule, host) == target + "/in")
        #expect(try meaning("/p", rule, host) == target)
        #expect(refusal("/p/etc/passwd", rule, host).contains("leads out of \(target) by a link"))
        #expect(refusal("/p/up/x", rule, host).contains("leads out of \(target) by a link"))
        #expect(refusal("/p/none", rule, host).contains("there is no \(target)/none"))
        #expect(refusal("/p/x", #"{"prefix":"/p","to":"\#(target)/gone"}"#, host).contains("which the settings name"))
    }

    @Test func caseIsIgnoredWhereThatIsClear() throws {
        let host = try InstanceHost()
        let target = try host.folder("target")
        for name in ["/Src/Main", "/Two", "/two"] {
            try FileManager.default.createDirectory(atPath: target + name, withIntermediateDirectories: true)
        }
        let rule = #"{"prefix":"/c","to":"\#(target)","case":"insensitive"}"#
        #expect(try meaning("/C/sRC/mAIN", rule, host) == target + "/Src/Main")
        #expect(refusal("/c/TWO", rule, host).contains("\(target) has Two and two, which differ in case only"))
    }

    @Test func whatIsMissingIsMadeIfTheRuleSaysSo() throws {
        let host = try InstanceHost()
        let target = try host.folder("target")
        let rule = #"{"prefix":"/p","to":"\#(target)","missing":"create"}"#
        #expect(try meaning("/p/x/y", rule, host) == target + "/x/y")
        try #require(symlink("/tmp", target + "/out") == 0)
        #expect(refusal("/p/out/made-by-a-test", rule, host).contains("by a link"))
        #expect(!FileManager.default.fileExists(atPath: "/tmp/made-by-a-test"))
    }

    @Test func aVolumeOfTheLocalDriverIsItsFolder() throws {
        let host = try InstanceHost()
        let data = host.places.docker.appending("volumes/web/_data").string
        try FileManager.default.createDirectory(atPath: data + "/html", withIntermediateDirectories: true)
        #expect(try meaning("/p/html", #"{"prefix":"/p","to":"volume:web"}"#, host) == data + "/html")
        try "{}".write(toFile: host.places.docker.appending("volumes/web/opts.json").string, atomically: false, encoding: .utf8)
        #expect(refusal("/p/html", #"{"prefix":"/p","to":"volume:web"}"#, host).contains("options of its own"))
        #expect(refusal("/p", #"{"prefix":"/p","to":"volume:none"}"#, host).contains("none of the local driver"))
    }
}
