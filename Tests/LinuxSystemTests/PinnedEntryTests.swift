// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@Suite("Entries that are held", .needs(.root))
struct PinnedEntryTests {
    @Test("What is changed is what was held, whatever has its name by now") func replaced() async throws {
        try await withScratchFolder { path in
            let folder = try OpenFolder(at: path)
            for name in ["one", "other"] { close(creat(path.appending(name).string, 0o755)) }
            let name = try #require(EntryName("one"))
            let pinned = try PinnedEntry(name, in: folder)
            rename(path.appending("one").string, path.appending("moved").string)
            symlink("other", path.appending("one").string)
            try pinned.setOwner(user: 33, group: 34)
            try pinned.setMode(to: 0o4711)
            try pinned.setAttribute("security.capability", to: [1, 0, 0, 2] + [UInt8](repeating: 0, count: 16))
            let moved = try folder.status(of: #require(EntryName("moved")))
            #expect(moved.user == 33 && moved.group == 34 && moved.mode == 0o4711)
            #expect(try pinned.status() == moved)
            #expect(try folder.attribute("security.capability", of: EntryName("moved"))?.count == 20)
            #expect(try folder.status(of: #require(EntryName("other"))).user == 0)
        }
    }

    @Test("A link is held itself") func link() async throws {
        try await withScratchFolder { path in
            close(creat(path.appending("file").string, 0o644))
            symlink("file", path.appending("link").string)
            let folder = try OpenFolder(at: path)
            try PinnedEntry(EntryName("link"), in: folder).setOwner(user: 33, group: 33)
            #expect(try folder.status(of: #require(EntryName("link"))).user == 33)
            #expect(try folder.status(of: #require(EntryName("file"))).user == 0)
        }
    }

    @Test("What is mounted below is not reached") func mounted() async throws {
        try await withScratchFolder { path in
            mkdir(path.appending("mount").string, 0o755)
            mkdir(path.appending("mount/inner").string, 0o755)
            let folder = try OpenFolder(at: path)
            let names = try ["mount", "inner"].map { try #require(EntryName($0)) }
            #expect(try openFolder(names, below: folder).status().kind == .folder)
            try systemCall("mount", on: path.string) { mount(path.string, path.appending("mount").string, nil, UInt(MS_BIND), nil) }
            for body in [{ _ = try PinnedEntry(names[0], in: folder) }, { _ = try openFolder(names, below: folder) }] {
                #expect {
                    try body()
                } throws: {
                    ($0 as? SystemError)?.errno == .improperLink
                }
            }
        }
    }

    @Test("A folder is opened that is deeper than a path can be long") func deep() async throws {
        try await withScratchFolder { path in
            let name = try #require(EntryName(String(repeating: "n", count: 255)))
            var current = try OpenFolder(at: path)
            for _ in 0..<40 {
                try current.makeFolder(name, mode: 0o755)
                current = try OpenFolder(name, in: current)
            }
            let top = try OpenFolder(at: path)
            #expect(try openFolder(Array(repeating: name, count: 40), below: top).status() == current.status())
            #expect(try openFolder([], below: top).status() == top.status())
            try removeTree(name, in: top)
        }
    }

    @Test("A file that only grows") func appended() async throws {
        try await withScratchFolder { path in
            let file = try AppendedFile(path.appending("file"))
            try file.append([1, 2, 3])
            try file.append([4])
            try file.sync()
            #expect(try file.read(2, at: 1) == [2, 3] && file.read(10, at: 2) == [3, 4] && file.read(1, at: 4) == [])
            try file.truncate(to: 2)
            try file.append([9])
            #expect(try AppendedFile(path.appending("file")).read(9, at: 0) == [1, 2, 9])
        }
    }
}
