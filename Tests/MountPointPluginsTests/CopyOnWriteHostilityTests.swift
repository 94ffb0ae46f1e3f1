// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import MountPointPlugins

@Suite("copy-on-write, what containers and others put in the way", .needs(.root))
struct CopyOnWriteHostilityTests {
    @Test("A container cannot take the place of the folder in which a commit puts things aside") func stagingIsTaken() async throws {
        try await withCopiedSource { source, host in
            let run = try await CopyOnWriteRun(source, "keep", on: host)
            let name = try #require(host.changes.first)
            let taken = "\(run.shown)/.copy-on-write.\(name)"
            mkdir(taken, 0o755)
            mkdir("\(taken)/moved-0", 0o755)
            rename("\(run.shown)/sub", "\(run.shown)/moved")
            let seen = TreePicture.of(run.shown)
            try await run.end()
            #expect(try await host.run(["commit", name]).status == 0)
            #expect(TreePicture.of(source) == seen && host.changes == [])
        }
    }

    @Test("What a container has made immutable or append-only is in nobody's way at its end", arguments: ["discard", "commit"])
    func immutable(options: String) async throws {
        try await withCopiedSource { source, host in
            let run = try await CopyOnWriteRun(source, options, on: host)
            try run.write("one", "new\n")
            mkdir("\(run.shown)/made", 0o755)
            try run.write("made/file", "new\n")
            for (flag, names) in [("+i", ["one", "made/file", "made"]), ("+a", ["two", "sub"])] {
                let done = try await command(["chattr", flag] + names.map { "\(run.shown)/\($0)" })
                #expect(done.status == 0, "\(done)")
            }
            #expect(throws: (any Error).self) { try run.write("one", "again\n") }
            try await run.end()
            #expect(host.changes == [] && MountTable.isFree(below: host.root.string))
            let isCommitted = options == "commit"
            #expect(text("\(source)/one") == (isCommitted ? "new\n" : "old one\n"))
            #expect(text("\(source)/made/file") == (isCommitted ? "new\n" : nil))
            // The flags were of what the container saw.
            try "by hand\n".write(toFile: "\(source)/one", atomically: false, encoding: .utf8)
        }
    }

    @Test("Marks that a container makes itself mean nothing to a commit") func ownMarks() async throws {
        try await withCopiedSource { source, host in
            let run = try await CopyOnWriteRun(source, "commit", on: host)
            mkdir("\(run.shown)/fresh", 0o755)
            rename("\(run.shown)/sub", "\(run.shown)/moved")
            mkdir("\(run.shown)/fresh/inside", 0o755)
            // Not held open at the end, or the mount is busy.
            do {
                let folder = try OpenFolder(at: FilePath("\(run.shown)/fresh"))
                try folder.setAttribute(LayerSurvey.stagedKey, to: Array("0".utf8))
                try folder.setAttribute("trusted.mountpoint.times", to: Array("1 1 1 1".utf8))
            }
            try await run.end()
            #expect(text("\(source)/moved/three") == "old sub/three\n")
            var status = stat()
            #expect(lstat("\(source)/fresh/inside", &status) == 0 && lstat("\(source)/fresh", &status) == 0 && status.st_mtim.tv_sec > 1)
            #expect(try OpenFolder(at: FilePath("\(source)/fresh")).attributeKeys() == [])
        }
    }

    @Test("A commit of some paths that could not go on is ended before one of all begins") func partThenAll() async throws {
        try await withScratchFolder { folder in
            let source = folder.appending("source").string
            mkdir(source, 0o755)
            try systemCall("mount", on: source) { mount("tmpfs", source, "tmpfs", 0, "size=256k") }
            for name in ["a", "b"] { mkdir("\(source)/\(name)", 0o755) }
            try "kept\n".write(toFile: "\(source)/b/file", atomically: false, encoding: .utf8)
            waitForTick()
            let host = try InstanceHost()
            let run = try await CopyOnWriteRun(source, "keep", on: host)
            try run.write("a/long", String(repeating: "x", count: 400_000))
            rename("\(run.shown)/b", "\(run.shown)/c")
            let seen = TreePicture.of(run.shown)
            try await run.end()
            #expect(try await host.run(["commit", "web", "a"]).output.contains("ENOSPC"))
            try systemCall("mount", on: source) { mount("", source, "", UInt(MS_REMOUNT), "size=4m") }
            #expect(try await host.run(["commit", "web"]).status == 0)
            #expect(text("\(source)/c/file") == "kept\n" && TreePicture.of(source) == seen && host.changes == [])
        }
    }

    @Test("One of several containers that come at once gets the changes, and no other touches them") func atOnce() async throws {
        try await withCopiedSource { source, host in
            let plugin = try host.plugin(of: CopyOnWriteKind.self)
            let requests = "abcdefgh".map { MountPointAttachRequest(copyOnWrite: source, options: "reuse=work", id: $0) }
            for request in requests { try host.run(request.id) }
            let attached: [(String, String)] = await withTaskGroup(of: (String, String)?.self) { group in
                for request in requests {
                    group.addTask {
                        let shown = try? await plugin.attach(request).first?.changes.effectiveSource
                        return shown.map { (request.id, $0) }
                    }
                }
                var all: [(String, String)] = []
                for await one in group { if let one { all.append(one) } }
                return all
            }
            let (id, shown) = try #require(attached.first)
            #expect(attached.count == 1 && host.changes == ["work"])
            try "mine\n".write(toFile: "\(shown)/one", atomically: false, encoding: .utf8)
            for other in requests where other.id != id { try await plugin.detach(MountPointDetachRequest(id: other.id, reason: .ended)) }
            #expect(text("\(shown)/one") == "mine\n")
            // Those that were refused have not ended it.
            #expect(try await host.run(["list"]).output.hasSuffix("  attached\n"))
            try await plugin.detach(MountPointDetachRequest(id: id, reason: .ended))
            #expect(try await host.run(["diff", "work"]).output == "M one\n")
        }
    }

    @Test("Changes that a container takes up are not committed by somebody else, and those that are being committed not taken up")
    func committedMeanwhile() async throws {
        try await withCopiedSource { source, host in
            let run = try await CopyOnWriteRun(source, "reuse=work", on: host)
            let file = ContainerFiles(in: host.places.state.appending("copy-on-write"))
            let mount = try #require(try file.read(run.request.id)?.mounts.first)
            try run.write("one", "ours\n")
            try await run.end()
            let folder = host.places.state.appending("copy-on-write/changes/work")
            let instance = try PluginInstance(of: "copy-on-write", named: nil, places: host.places)
            let sets = ChangeSets(of: instance)
            var seen = try #require(try ChangeSet.read(folder))
            let next = try await CopyOnWriteRun(source, "reuse=work", on: host, id: "b")
            try host.run(next.request.id)
            let refused = #expect(throws: CommitError.self) { try sets.commit(&seen, .all, conflict: .fail) }
            #expect("\(refused, default: "")" == "a container has the changes work by now; stop it first")
            #expect(text("\(next.shown)/one") == "ours\n" && text("\(source)/one") == "old one\n")
            try await next.end()
            var begun = try #require(try ChangeSet.read(folder))
            begun.record.state = .committing
            try begun.write()
            let error = #expect(throws: SystemError.self) {
                _ = try sets.begin(folder, mount, CopyOnWriteSource(source), CopyOnWriteOptions("reuse=work"))
            }
            #expect("\(error, default: "")".contains("they are being committed"))
            #expect(try ChangeSet.read(folder)?.record.state == .committing)
        }
    }

    @Test("Texts that differ in very many lines make a patch all the same, and soon") func longPatch() throws {
        let old = (0..<40_000).map { "old \($0)\n" }.joined()
        let new = (0..<40_000).map { "new \($0)\n" }.joined()
        let patch = try #require(TextPatch(from: Array("same\n\(old)".utf8), to: Array("same\n\(new)".utf8)))
        #expect(patch.lines.first == Array("@@ -1,40001 +1,40001 @@\n".utf8) && patch.lines.count == 80_002)
        #expect(TextPatch(from: [0], to: []) == nil)
    }
}
