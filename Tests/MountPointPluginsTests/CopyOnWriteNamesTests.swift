// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import MountPointPlugins

/// Overlayfs keeps such a file in its index alone.
@Suite("copy-on-write, a file that was changed under a name that is gone, and has others", .needs(.root))
struct CopyOnWriteNamesTests {
    /// A file with three names, one of them below folders that the layer has nothing of, and one below a folder that is renamed.
    private func withNames(_ options: String, _ body: (String, InstanceHost, CopyOnWriteRun) async throws -> Void) async throws {
        try await withCopiedSource { source, host in
            let deep = "\(source)/deep/er"
            try FileManager.default.createDirectory(atPath: deep, withIntermediateDirectories: true)
            try #require(link("\(source)/one", deep + "/name") == 0 && link("\(source)/one", "\(source)/sub/name") == 0)
            chmod("\(source)/deep", 0o750)
            let planted = EntryStatus.Time.ofLastTick()
            while EntryStatus.Time.ofLastTick() <= planted { usleep(1000) }
            let run = try await CopyOnWriteRun(source, options, on: host)
            try run.write("one", "changed\n")
            unlink("\(run.shown)/one")
            rename("\(run.shown)/sub", "\(run.shown)/moved")
            try await body(source, host, run)
        }
    }

    private func links(_ path: String) -> Int {
        var status = stat()
        return lstat(path, &status) == 0 ? Int(status.st_nlink) : -1
    }

    @Test("is committed under the others") func commit() async throws {
        try await withNames("commit") { source, _, run in
            let seen = TreePicture.of(run.shown, folderTimes: true)
            try await run.end()
            #expect(TreePicture.of(source, folderTimes: true) == seen)
            #expect(text("\(source)/deep/er/name") == "changed\n" && links("\(source)/moved/name") == 2)
        }
    }

    @Test("is shown, exported, seen by the next container, and committed in the end") func keep() async throws {
        try await withNames("reuse=work") { source, host, run in
            let seen = TreePicture.of(run.shown, folderTimes: true)
            try host.run(run.request.id)
            try await run.end()
            #expect(
                try await host.run(["diff", "work"]).output == "M deep/er/name\nR sub/ -> moved/\nM moved/name\nD one\n",
                "each name that is left")
            let export = source + ".export"
            #expect(try await host.run(["export", "work", export]).status == 0)
            #expect(text("\(export)/deep/er/name") == "changed\n" && text("\(export)/moved/name") == "changed\n")
            try FileManager.default.removeItem(atPath: host.places.runtime.appending("containers").string)
            let next = try await CopyOnWriteRun(source, "reuse=work,commit", on: host, id: "b")
            #expect(TreePicture.of(next.shown, folderTimes: true) == seen, "with the same count of names")
            unlink("\(next.shown)/moved/name")
            try next.write("deep/er/name", "again\n")
            let last = TreePicture.of(next.shown)
            try await next.end()
            #expect(TreePicture.of(source) == last && text("\(source)/deep/er/name") == "again\n" && host.changes == [])
        }
    }

    @Test("is committed under all names that it has left, also if another path was committed first") func otherFirst() async throws {
        try await withCopiedSource { source, host in
            try #require(link("\(source)/one", "\(source)/sub/name") == 0)
            let run = try await CopyOnWriteRun(source, "keep", on: host)
            try run.write("one", "changed\n")
            try run.write("two", "changed, too\n")
            try await run.end()
            #expect(try await host.run(["commit", "web", "two"]).status == 0)
            #expect(try await host.run(["commit", "web"]).status == 0)
            #expect(text("\(source)/one") == "changed\n" && text("\(source)/sub/name") == "changed\n" && links("\(source)/one") == 2)
        }
    }

    @Test("is kept if its source has gone, and a folder that was removed since is a conflict") func conflicts() async throws {
        try await withNames("keep") { source, host, run in
            rename(source, source + ".away")
            try await run.end()
            #expect(host.changes.count == 1)
            rename(source + ".away", source)
            // Gives the names, and finds nothing to be in the way.
            #expect(try await host.run(["commit", "web", "nothing"]).status == 0)
            #expect(try await host.run(["diff", "web"]).output.contains("M deep/er/name\n"))
            try FileManager.default.removeItem(atPath: source + "/deep")
            let result = try await host.run(["commit", "web"])
            #expect(result.status != 0 && result.output.contains("deep: it has been removed"), "\(result)")
        }
    }

    @Test("gets the rest of its names if the plugin was killed while it gave them") func killed() async throws {
        try await withNames("keep") { source, host, run in
            let seen = TreePicture.of(run.shown, folderTimes: true)
            try await run.end()
            // As a kill leaves it: one of two names, and a folder that has not got its place.
            let layer = try #require(host.changes.first.map { host.places.state.appending("copy-on-write/changes/\($0)/layer").string })
            var times = stat()
            let moved = layer + "/upper/moved"
            try #require(lstat(moved, &times) == 0 && unlink(moved + "/name") == 0 && mkdir(layer + "/draft", 0o700) == 0)
            utimensat(AT_FDCWD, moved, [times.st_atim, times.st_mtim], 0)
            #expect(try await host.run(["commit", "web"]).status == 0)
            #expect(TreePicture.of(source, folderTimes: true) == seen)
        }
    }
}
