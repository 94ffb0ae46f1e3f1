// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import LinuxSystem

@Suite("An open folder")
struct OpenFolderTests {
    private func name(_ text: String) throws -> EntryName { try #require(EntryName(text)) }

    @Test("names of any bytes are found, looked at, changed and removed")
    func names() async throws {
        try await withScratchFolder { path in
            let folder = try OpenFolder(at: path)
            let odd = try #require(EntryName(bytes: [0xff, 0x0a, 0x20, 0x5c]))
            let long = try name(String(repeating: "n", count: 255))
            try folder.makeFolder(odd, mode: 0o2751)
            try folder.makeLink(long, to: [0xfe, 0x2f])
            #expect(Set(try folder.names()) == [odd, long])
            let status = try folder.status(of: odd)
            #expect(status.kind == .folder && status.mode == 0o2751)
            #expect(try folder.target(ofLink: long) == [0xfe, 0x2f])
            try folder.rename(long, to: try name("short"), in: try OpenFolder(odd, in: folder))
            #expect(try OpenFolder(odd, in: folder).status(of: try name("short")).kind == .link)
            try removeTree(odd, in: folder)
            #expect(try folder.names().isEmpty)
        }
    }

    @Test("no name leads out of the folder", arguments: ["", ".", "..", "a/b", "a\0"])
    func refused(text: String) { #expect(EntryName(text) == nil) }

    @Test("a symbolic link is not followed, neither as a folder nor by a change")
    func links() async throws {
        try await withScratchFolder { path in
            let folder = try OpenFolder(at: path)
            let (target, link) = (try name("target"), try name("link"))
            try folder.makeFolder(target, mode: 0o700)
            try folder.makeLink(link, to: Array("target".utf8))
            #expect(throws: SystemError.self) { _ = try OpenFolder(link, in: folder) }
            try? folder.setMode(of: link, to: 0o777)
            let time = EntryStatus.Time(seconds: 1_000_000_000, nanoseconds: 5)
            try folder.setTimes(of: link, access: time, modification: time)
            #expect(try folder.status(of: target).mode == 0o700)
            #expect(try folder.status(of: target).modification != time)
            #expect(try folder.status(of: link).modification == time)
            try removeTree(link, in: folder)
            #expect(try folder.names() == [target])
        }
    }

    @Test("extended attributes of files, links and the folder itself", .needs(.root))
    func attributes() async throws {
        try await withScratchFolder { path in
            let folder = try OpenFolder(at: path)
            let link = try name("link")
            try folder.makeLink(link, to: [0x78])
            let long = [UInt8](repeating: 7, count: 1500)
            for entry in [nil, link] {
                #expect(try folder.attribute("trusted.note", of: entry) == nil)
                try folder.setAttribute("trusted.note", of: entry, to: long)
                #expect(try folder.attribute("trusted.note", of: entry) == long)
                #expect(try folder.attributeKeys(of: entry) == ["trusted.note"])
                try folder.removeAttribute("trusted.note", of: entry)
                try folder.removeAttribute("trusted.note", of: entry)
                #expect(try folder.attributeKeys(of: entry).isEmpty)
            }
        }
    }

    @Test("a tree deeper than there may be descriptors is removed")
    func deepTree() async throws {
        try await withScratchFolder { path in
            let folder = try OpenFolder(at: path)
            let (top, level) = (try name("top"), try name(".lifted.0"))
            try folder.makeFolder(top, mode: 0o700)
            var current = try OpenFolder(top, in: folder)
            for _ in 0..<3000 {
                try current.makeFolder(level, mode: 0o700)
                current = try OpenFolder(level, in: current)
            }
            try removeTree(top, in: folder)
            #expect(try folder.names().isEmpty)
        }
    }

    @Test("what is mounted in a tree is not removed", .needs(.root))
    func mountBelow() async throws {
        try await withScratchFolder { path in
            let folder = try OpenFolder(at: path)
            let (top, inner) = (try name("top"), try name("inner"))
            try folder.makeFolder(top, mode: 0o700)
            try OpenFolder(top, in: folder).makeFolder(inner, mode: 0o700)
            let place = path.appending("top/inner").string
            #expect(mount("none", place, "tmpfs", 0, nil) == 0)
            defer { umount2(place, CInt(MNT_DETACH)) }
            try OpenFolder(at: FilePath(place)).makeLink(try name("kept"), to: [0x78])
            #expect(throws: SystemError.self) { try removeTree(top, in: folder) }
            #expect(try OpenFolder(at: FilePath(place)).names().count == 1)
        }
    }
}
