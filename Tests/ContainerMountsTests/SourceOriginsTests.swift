// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import ContainerMounts

/// With real mounts: what the table says is held against what the kernel finds at each path.
@Suite struct SourceOriginsTests {
    private func origin(_ path: String) throws -> [String] {
        let file = try? PinnedFile(at: path)
        return try #require(try SourceOrigins.find([.init(path: (try? file?.path()) ?? path, file: file)]).first)
    }

    private func bind(_ source: String, _ target: String) throws {
        try #require(mount(source, target, "", UInt(MS_BIND), nil) == 0, "\(Errno(rawValue: errno))")
    }

    private func folders(_ paths: String...) throws {
        for path in paths { try makeFolders(FilePath(path)) }
    }

    /// All paths of an origin but an overlay's layers lead to the same.
    private func expectSame(_ origin: [String]) throws {
        for path in origin {
            #expect(try FileIdentity(at: path).isSame(as: FileIdentity(at: origin[0])), "\(path)")
        }
    }

    @Test(.needs(.root)) func aBindHasTheNameThatItCameFrom() async throws {
        try await withScratchFolder { folder in
            let (secret, place, second) = ("\(folder)/srv/a secret\n", "\(folder)/v", "\(folder)/w")
            try folders(secret + "/in", place, second)
            try bind(secret, place)
            let names = try origin(place + "/in")
            #expect(names.first == place + "/in" && names.contains(secret + "/in"))
            try expectSame(names)
            try bind(place + "/in", second)
            let all = try origin(second)
            #expect(Set(all).isSuperset(of: [second, place + "/in", secret + "/in"]))
            try expectSame(all)
            #expect(try origin(secret + "/in").contains(second))
        }
    }

    @Test(.needs(.root)) func aPathThatIsNotTextHasNames() async throws {
        try await withScratchFolder { folder in
            let name = (Array("\(folder)/x".utf8) + [0xFF, 0]).map(CChar.init(bitPattern:))
            try #require(mkdir(name, 0o755) == 0 && symlink(name, "\(folder)/link") == 0)
            try folders("\(folder)/place")
            try bind("\(folder)/link", "\(folder)/place")
            #expect(try origin("\(folder)/link") == ["\(folder)/x\u{FFFD}", "\(folder)/place"])
        }
    }

    @Test(.needs(.root)) func aBindOfOneFile() async throws {
        try await withScratchFolder { folder in
            try folders("\(folder)/srv", "\(folder)/v")
            for file in ["\(folder)/srv/key", "\(folder)/v/key"] { try replaceFile(FilePath(file), with: [], durable: false) }
            try bind("\(folder)/srv/key", "\(folder)/v/key")
            let names = try origin("\(folder)/v/key")
            #expect(names.contains("\(folder)/srv/key"))
            try expectSame(names)
        }
    }

    @Test(.needs(.root)) func aNameThatIsCoveredIsLeftOut() async throws {
        try await withScratchFolder { folder in
            let (secret, place) = ("\(folder)/srv/secret", "\(folder)/v")
            try folders(secret, place)
            try bind(secret, place)
            try #require(mount("cover", "\(folder)/srv", "tmpfs", 0, nil) == 0)
            try folders(secret)
            let names = try origin(place)
            #expect(!names.contains(secret))
            try expectSame(names)
        }
    }

    /// Its layers, found through a link and through a bind.
    @Test(.needs(.root)) func anOverlay() async throws {
        try await withScratchFolder { folder in
            try #require(mount("t", folder.string, "tmpfs", 0, nil) == 0)
            try folders("\(folder)/srv/secret/in", "\(folder)/srv/a:b", "\(folder)/bind", "\(folder)/m", "\(folder)/u", "\(folder)/w")
            try bind("\(folder)/srv/secret", "\(folder)/bind")
            try #require(symlink("srv/secret", "\(folder)/link") == 0)
            let options = "lowerdir=\(folder)/srv/a\\:b:\(folder)/link,upperdir=\(folder)/u,workdir=\(folder)/w"
            try #require(mount("o", "\(folder)/m", "overlay", 0, options) == 0, "\(Errno(rawValue: errno))")
            let names = try origin("\(folder)/m/in")
            #expect(
                names == [
                    "\(folder)/m/in", "\(folder)/bind/in", "\(folder)/srv/a:b/in", "\(folder)/srv/secret/in", "\(folder)/u/in",
                ])
            umount2("\(folder)/m", CInt(MNT_DETACH))
            try #require(mount("o", "\(folder)/m", "overlay", 0, "lowerdir=\(folder)/bind:\(folder)/u") == 0)
            #expect(try origin("\(folder)/m/in").contains("\(folder)/srv/secret/in"))
        }
    }

    /// What is held is asked about, though its path leads elsewhere by now.
    @Test(.needs(.root)) func aMountThatWasRenamedAwayIsStillKnown() async throws {
        try await withScratchFolder { folder in
            try folders("\(folder)/srv/secret", "\(folder)/outer/nested")
            try bind("\(folder)/srv/secret", "\(folder)/outer/nested")
            let file = try PinnedFile(at: "\(folder)/outer/nested")
            try #require(rename("\(folder)/outer", "\(folder)/away") == 0)
            try folders("\(folder)/outer/nested")
            let names = try #require(try SourceOrigins.find([.init(path: "\(folder)/outer/nested", file: file)]).first)
            #expect(names.first == "\(folder)/outer/nested")
            #expect(Set(names).isSuperset(of: ["\(folder)/away/nested", "\(folder)/srv/secret"]))
        }
    }

    @Test(.needs(.root)) func whatIsMissingHasNamesToo() async throws {
        try await withScratchFolder { folder in
            try folders("\(folder)/srv/secret", "\(folder)/v")
            try bind("\(folder)/srv/secret", "\(folder)/v")
            #expect(try origin("\(folder)/v/none/x").contains("\(folder)/srv/secret/none/x"))
        }
    }

    @Test func aPathThatIsALinkIsANameToo() async throws {
        try await withScratchFolder { folder in
            try folders("\(folder)/srv/secret")
            try #require(symlink("srv", "\(folder)/link") == 0)
            let path = "\(folder)/link/secret"
            let names = try #require(try SourceOrigins.find([.init(path: path, file: PinnedFile(at: path))]).first)
            #expect(names.first == path)
            #expect(names.contains(resolvingSymbolicLinks(folder).appending("srv/secret").string))
        }
    }

    @Test func whatIsMissingBelowALinkIsWhereTheLinkLeads() async throws {
        try await withScratchFolder { folder in
            try folders("\(folder)/srv/secret")
            try #require(symlink("srv/secret", "\(folder)/link") == 0)
            let path = "\(folder)/link/none"
            let names = try #require(try SourceOrigins.find([.init(path: path, file: nil)]).first)
            #expect(names.first == path)
            #expect(names.contains(resolvingSymbolicLinks(folder).appending("srv/secret/none").string))
        }
    }

    /// By the links of processes, all of the host can be reached.
    @Test(arguments: [
        ("/proc", true), ("/proc/self", true), ("/proc/1", true), ("/proc/1/task", true), ("/proc/sys", false), ("/sys", false),
    ])
    func theFilesOfProcessesShowEverything(path: String, isEverything: Bool) throws {
        #expect(try origin(path).contains("/") == isEverything)
    }

    /// What cannot be told may be what a guard guards.
    @Test(.needs(.root), arguments: ["relative", "through /proc", "gone"])
    func anOverlayWhoseLayersAreNotKnownMayShowAnything(layer: String) async throws {
        try await withScratchFolder { folder in
            try mountMemory(on: folder)
            try folders("\(folder)/secret", "\(folder)/other", "\(folder)/m")
            let before = FileManager.default.currentDirectoryPath
            let lower =
                switch layer {
                case "relative": "secret"
                case "through /proc": "/proc/self/root\(folder)/secret"
                default: "\(folder)/secret"
                }
            chdir(folder.string)
            let status = mount("o", "\(folder)/m", "overlay", 0, "lowerdir=\(lower):\(folder)/other")
            chdir(before)
            try #require(status == 0, "\(Errno(rawValue: errno))")
            if layer == "gone" { try #require(rename("\(folder)/secret", "\(folder)/away") == 0) }
            #expect(try origin("\(folder)/m").contains("/"))
        }
    }

    @Test func ofNoSourceThereIsNone() throws {
        #expect(try SourceOrigins.find([.init(path: "", file: nil)]) == [[]])
        #expect(try SourceOrigins.find([]).isEmpty)
    }

    @Test func manySourcesKeepTheirOrder() throws {
        #expect(
            try SourceOrigins.find(["/usr", "/none", "/proc/self/ns/mnt"].map { .init(path: $0, file: try? PinnedFile(at: $0)) }).map(
                \.first)
                == ["/usr", "/none", "/proc/self/ns/mnt"])
    }
}
