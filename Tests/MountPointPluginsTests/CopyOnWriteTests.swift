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

@Suite("copy-on-write", .needs(.root))
struct CopyOnWriteTests {
    @Test("What is discarded leaves the source as it was, to the time of the last access", arguments: ["discard", "memory=8m", ""])
    func discard(options: String) async throws {
        try await withCopiedSource { source, host in
            let before = TreePicture.of(source, folderTimes: true)
            var status = stat()
            lstat("\(source)/one", &status)
            let access = status.st_atim.tv_nsec
            let run = try await CopyOnWriteRun(source, options, on: host)
            #expect(text("\(run.shown)/one") == "old one\n")
            TreeWorkload(seed: 5).run(at: run.shown)
            try run.write("two", "new")
            chmod("\(run.shown)/sub", 0)
            rename("\(run.shown)/sub", "\(run.shown)/other")
            try await run.end()
            #expect(TreePicture.of(source, folderTimes: true) == before)
            lstat("\(source)/one", &status)
            #expect(status.st_atim.tv_nsec == access)
            #expect(host.left(of: "copy-on-write") == ["changes"] && host.changes == [])
            try await run.end()
        }
    }

    @Test("What is kept is shown and exported") func keep() async throws {
        try await withCopiedSource { source, host in
            let run = try await CopyOnWriteRun(source, "keep", on: host)
            try run.write("one", "new one\n")
            unlink("\(run.shown)/two")
            rename("\(run.shown)/sub", "\(run.shown)/moved")
            try run.write("moved/four", "four\n")
            chmod("\(run.shown)/moved/three", 0o400)
            try await run.end()
            #expect(text("\(source)/one") == "old one\n" && text("\(source)/two") == "old two\n")

            #expect(try await host.run(["list"]).output.hasPrefix("aaaaaaaaaaaa-f35ebbe5.0  \(source)  web  "))
            let diff = try await host.run(["diff", "web"])
            #expect(diff.output == "R sub/ -> moved/\nA moved/four\nP moved/three\nM one\nD two\n")
            let json = try await host.run(["diff", "aaaaaaaaaaaa-f35ebbe5.0", "--json", "two"])
            #expect(
                json.output
                    == "{\"version\":1,\"name\":\"aaaaaaaaaaaa-f35ebbe5.0\",\"changes\":[{\"change\":\"removed\",\"path\":\"two\",\"kind\":\"file\"}]}\n"
            )
            let patch = try await host.run(["diff", "web", "--patch", "one", "two"])
            #expect(
                patch.output == """
                    diff --git a/one b/one
                    --- a/one
                    +++ b/one
                    @@ -1 +1 @@
                    -old one
                    +new one
                    diff --git a/two b/two
                    deleted file mode 100644
                    --- a/two
                    +++ /dev/null
                    @@ -1 +0,0 @@
                    -old two

                    """)

            let target = host.root.appending("exported").string
            #expect(try await host.run(["export", "web", target]).status == 0)
            #expect(text("\(target)/moved/three") == "old sub/three\n" && text("\(target)/moved/four") == "four\n")
            #expect(text("\(target)/one") == "new one\n" && text("\(target)/two") == nil)
        }
    }

    @Test("What is kept is committed in part, and what belongs together not apart") func commitInPart() async throws {
        try await withCopiedSource { source, host in
            let run = try await CopyOnWriteRun(source, "keep", on: host)
            try run.write("one", "new one\n")
            unlink("\(run.shown)/two")
            rename("\(run.shown)/sub", "\(run.shown)/moved")
            try run.write("moved/four", "four\n")
            chmod("\(run.shown)/moved/three", 0o400)
            try await run.end()
            #expect(try await host.run(["commit", "web", "moved/four"]).output.contains("name the folder itself"))
            #expect(try await host.run(["commit", "web", "../one"]).output.contains("give paths below the source"))
            #expect(try await host.run(["commit", "web", "one"]).status == 0)
            #expect(text("\(source)/one") == "new one\n" && text("\(source)/two") == "old two\n" && text("\(source)/sub/three") != nil)
            #expect(try await host.run(["diff", "web"]).output == "R sub/ -> moved/\nA moved/four\nP moved/three\nD two\n")
            #expect(try await host.run(["commit", "web", "moved"]).status == 0)
            #expect(text("\(source)/moved/three") == "old sub/three\n" && text("\(source)/sub/three") == nil)
            #expect(try await host.run(["discard", "web"]).status == 0)
            #expect(text("\(source)/two") == "old two\n" && host.changes == [])
            #expect(try await host.run(["list"]).output == "there are no changes\n")
        }
    }

    @Test("Containers take up changes of a name, one at a time, and the last commits them") func reuse() async throws {
        try await withCopiedSource { source, host in
            let first = try await CopyOnWriteRun(source, "reuse=work", on: host)
            try first.write("one", "first\n")
            try host.run(first.request.id)
            await #expect(throws: PluginError.self) { _ = try await CopyOnWriteRun(source, "reuse=work", on: host, id: "b") }
            #expect(text("\(first.shown)/one") == "first\n")
            try await first.end()
            try FileManager.default.removeItem(atPath: host.places.runtime.appending("containers").string)
            #expect(host.changes == ["work"])
            let second = try await CopyOnWriteRun(source, "reuse=work,commit", on: host, id: "b")
            #expect(text("\(second.shown)/one") == "first\n")
            try second.write("two", "second\n")
            try await second.end()
            #expect(text("\(source)/one") == "first\n" && text("\(source)/two") == "second\n" && host.changes == [])
        }
    }

    @Test("The changes that a container has kept are there when it starts again") func restart() async throws {
        try await withCopiedSource { source, host in
            let first = try await CopyOnWriteRun(source, "keep", on: host)
            try first.write("one", "kept\n")
            try await first.end()
            let again = try await CopyOnWriteRun(source, "keep", on: host)
            #expect(text("\(again.shown)/one") == "kept\n" && text("\(source)/one") == "old one\n")
            try await again.end(.notStarted)
            #expect(host.changes == ["aaaaaaaaaaaa-f35ebbe5.0"])
        }
    }

    @Test("Of changes one of which cannot be read, the others are shown and can be had") func damaged() async throws {
        try await withCopiedSource { source, host in
            for id: Character in ["a", "b"] {
                let run = try await CopyOnWriteRun(source, "keep", on: host, id: id)
                try run.write("one", "new\n")
                try await run.end()
            }
            let (whole, damaged) = (host.changes[0], host.changes[1])
            let record = host.places.state.appending("copy-on-write/changes/\(damaged)/set.json").string
            #expect(text(record) != nil)
            try "{".write(toFile: record, atomically: false, encoding: .utf8)
            let lines = try await host.run(["list"]).output.split(separator: "\n")
            #expect(lines.count == 2 && lines[0].hasPrefix("\(whole)  \(source)") && lines[1].hasPrefix("\(damaged)  damaged: "))
            let rows = try await JSONValue(parsing: host.run(["list", "--json"]).output).arrayValue
            #expect(rows?.map { $0["name"] } == [.string(whole), .string(damaged)] && rows?[1]["state"] == "damaged")
            let diff = try await host.run(["diff", damaged])
            #expect(diff.status != 0 && diff.output.contains(record), "\(diff)")
            #expect(try await host.run(["commit", whole]).status == 0)
            #expect(text("\(source)/one") == "new\n")
            // The name of one is the beginning of another's.
            for name in ["work", "work-2"] {
                let run = try await CopyOnWriteRun(source, "keep,reuse=\(name)", on: host, id: name == "work" ? "c" : "d")
                try run.write("two", "new\n")
                try await run.end()
            }
            try "{".write(toFile: record.replacing(damaged, with: "work"), atomically: false, encoding: .utf8)
            #expect(try await host.run(["discard", "work"]).status != 0)
            #expect(host.changes.contains("work-2") && text("\(source)/two") == "old two\n")
        }
    }

    @Test("Nothing that was changed is nothing to keep", arguments: ["keep", "commit"]) func empty(options: String) async throws {
        try await withCopiedSource { source, host in
            let run = try await CopyOnWriteRun(source, options, on: host)
            _ = text("\(run.shown)/one")
            try await run.end()
            #expect(host.changes == [])
        }
    }

    @Test("What others have changed meanwhile is a conflict", arguments: ConflictRule.allCases) func conflict(rule: ConflictRule)
        async throws
    {
        try await withCopiedSource { source, host in
            let run = try await CopyOnWriteRun(source, "commit,conflict=\(rule.rawValue)", on: host)
            try run.write("one", "ours\n")
            try run.write("fresh", "ours\n")
            unlink("\(run.shown)/two")
            try run.write("sub/three", "ours\n")
            try "theirs\n".write(toFile: "\(source)/one", atomically: true, encoding: .utf8)
            try "theirs\n".write(toFile: "\(source)/two", atomically: false, encoding: .utf8)
            if rule == .fail {
                let error = await #expect(throws: DetachError.self) { try await run.end() }
                #expect(error?.message.contains("others have changed the source meanwhile: one: it has been changed, and 1 more") == true)
                #expect(error?.message.contains("mountpoint-plugin copy-on-write commit aaaaaaaaaaaa-f35ebbe5.0") == true)
                #expect(
                    text("\(source)/one") == "theirs\n" && text("\(source)/fresh") == nil
                        && text("\(source)/sub/three") == "old sub/three\n")
                // The host may ask again, and has its answer.
                try await run.end()
                #expect(try await host.run(["commit", "web"]).status == 1)
                #expect(try await host.run(["commit", "web", "sub"]).status == 0)
                #expect(text("\(source)/sub/three") == "ours\n" && text("\(source)/one") == "theirs\n")
                #expect(try await host.run(["commit", "web", "--conflict=ours"]).status == 0)
                #expect(text("\(source)/one") == "ours\n" && text("\(source)/two") == nil)
            } else {
                try await run.end()
                #expect(text("\(source)/one") == (rule == .ours ? "ours\n" : "theirs\n"))
                #expect(text("\(source)/two") == (rule == .ours ? nil : "theirs\n"))
                #expect(text("\(source)/one.aaaaaaaaaaaa-f35ebbe5.0") == (rule == .both ? "ours\n" : nil))
                #expect(text("\(source)/fresh") == "ours\n" && text("\(source)/sub/three") == "ours\n")
            }
            #expect(host.changes == [])
        }
    }

    @Test("What others do beside the changes is no conflict") func bystanders() async throws {
        try await withCopiedSource { source, host in
            let run = try await CopyOnWriteRun(source, "commit", on: host)
            try run.write("one", "ours\n")
            rename("\(run.shown)/sub", "\(run.shown)/moved")
            try "theirs\n".write(toFile: "\(source)/two", atomically: false, encoding: .utf8)
            try "theirs\n".write(toFile: "\(source)/sub/late", atomically: false, encoding: .utf8)
            try await run.end()
            #expect(text("\(source)/two") == "theirs\n" && text("\(source)/one") == "ours\n" && text("\(source)/moved/late") == "theirs\n")
        }
    }

    @Test("A commit that finds no space changes no file by half, and goes on when there is some") func noSpace() async throws {
        try await withScratchFolder { folder in
            let source = folder.appending("source").string
            mkdir(source, 0o755)
            try systemCall("mount", on: source) { mount("tmpfs", source, "tmpfs", 0, "size=256k") }
            try "old\n".write(toFile: "\(source)/b", atomically: false, encoding: .utf8)
            waitForTick()
            let host = try InstanceHost()
            let run = try await CopyOnWriteRun(source, "commit", on: host)
            let long = String(repeating: "x", count: 400_000)
            try run.write("a", "first\n")
            try run.write("b", long)
            let error = await #expect(throws: DetachError.self) { try await run.end() }
            #expect(error?.message.contains("ENOSPC") == true)
            #expect(text("\(source)/b") == "old\n")
            #expect(try await host.run(["discard", "web"]).output.contains("a commit of aaaaaaaaaaaa-f35ebbe5.0 has begun"))
            #expect(try await host.run(["list"]).output.contains("stopped"))
            try systemCall("mount", on: source) { mount("", source, "", UInt(MS_REMOUNT), "size=4m") }
            #expect(try await host.run(["commit", "web"]).status == 0)
            #expect(text("\(source)/b") == long && text("\(source)/a") == "first\n")
            #expect(try FileManager.default.contentsOfDirectory(atPath: source).sorted() == ["a", "b"] && host.changes == [])
        }
    }

    @Test("A limit of memory is one for the container") func memory() async throws {
        try await withCopiedSource { source, host in
            let run = try await CopyOnWriteRun(source, "memory=1m,keep", on: host)
            #expect(throws: (any Error).self) { try run.write("big", String(repeating: "x", count: 3 << 20)) }
            unlink("\(run.shown)/big")
            try run.write("one", "small\n")
            try await run.end()
            #expect(try await host.run(["diff", "web"]).output.contains("M one"))
            #expect(try await host.run(["commit", "web", "one"]).status == 0)
            #expect(text("\(source)/one") == "small\n")
            #expect(host.changes == [] && MountTable.isFree(below: host.root.string))
        }
    }

    @Test(
        "After a reboot changes are kept for somebody to look at, and what was to be dropped is dropped",
        arguments: ["keep", "commit", "discard"])
    func reboot(options: String) async throws {
        try await withCopiedSource { source, host in
            let run = try await CopyOnWriteRun(source, options, on: host)
            try run.write("one", "new\n")
            // What a reboot does to mounts.
            for mount in try MountTable().mounts(below: host.root.string).reversed() { umount2(mount.mountPoint, 0) }
            let file = host.places.state.appending("copy-on-write/\(run.request.id).json").string
            let state = try #require(text(file)).replacing(/"boot":"[^"]*"/, with: "\"boot\":\"before\"")
            try state.write(toFile: file, atomically: false, encoding: .utf8)
            let plugin = try host.plugin(of: CopyOnWriteKind.self)
            plugin.recover()
            #expect(text("\(source)/one") == "old one\n")
            #expect(host.changes == (options == "discard" ? [] : ["aaaaaaaaaaaa-f35ebbe5.0"]))
            if options == "commit" { #expect(try await host.run(["list"]).output.contains("the host went down")) }
            #expect(host.left(of: "copy-on-write") == ["changes"])
        }
    }

    @Test("A plugin that was killed takes up what runs, and the end is as it would have been") func killedPlugin() async throws {
        try await withCopiedSource { source, host in
            let run = try await CopyOnWriteRun(source, "commit", on: host)
            try run.write("one", "new\n")
            try host.run(run.request.id)
            let next = try host.plugin(of: CopyOnWriteKind.self)
            next.recover()
            #expect(text("\(run.shown)/one") == "new\n")
            try await next.detach(MountPointDetachRequest(id: run.request.id, reason: .ended))
            #expect(text("\(source)/one") == "new\n" && host.changes == [])
        }
    }
}
