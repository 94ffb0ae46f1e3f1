// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import JSON
import LinuxSystem
import OCIRuntime
import SystemPackage
import TestSupport
import Testing

@testable import ContainerMounts

/// This process stands in for the container: its root folder is where the "mounts" are.
struct MountSourcesTests {
    private func mounts(_ destinations: [FilePath]) throws -> [OCIConfiguration.Mount] {
        let list = destinations.map { #"{"destination": "\#($0)", "type": "bind", "source": "/x"}"# }.joined(separator: ",")
        return try OCIConfiguration(parsing: Array(#"{"ociVersion": "1.0.2", "mounts": [\#(list)]}"#.utf8)).mounts
    }

    @Test func whatIsMountedMustBeWhatWasMeant() async throws {
        try await withScratchFolder { folder in
            let meant = folder.appending("meant")
            let other = folder.appending("other")
            for path in [meant, other] { try makeFolder(path, mode: 0o755) }
            var sources = MountSources()
            sources.holdIfThere(meant.string, of: 0)
            try sources.verify(try mounts([meant]), in: getpid())
            let error = #expect(throws: RuntimeError.self) { try sources.verify(try mounts([other]), in: getpid()) }
            #expect(error?.message.contains("\(meant) of the mount at \(other) has changed") == true)

            sources.take(try FileIdentity(at: other.string), at: other.string, of: 0)
            try sources.verify(try mounts([other]), in: getpid())
        }
    }

    @Test func aSourceThatWasNotThereMustNotAppear() async throws {
        try await withScratchFolder { folder in
            let late = folder.appending("late")
            var sources = MountSources()
            sources.holdIfThere(late.string, of: 0)
            try makeFolder(late, mode: 0o755)
            #expect(throws: RuntimeError.self) { try sources.verify(try mounts([late]), in: getpid()) }
        }
    }

    @Test func aLinkThatIsSwitchedShows() async throws {
        try await withScratchFolder { folder in
            for name in ["a", "b"] { try makeFolder(folder.appending(name), mode: 0o755) }
            let link = folder.appending("link").string
            symlink("a", link)
            var sources = MountSources()
            sources.holdIfThere(link, of: 0)
            try sources.verify(try mounts([folder.appending("a")]), in: getpid())
            unlink(link)
            symlink("b", link)
            #expect(throws: RuntimeError.self) { try sources.verify(try mounts([FilePath(link)]), in: getpid()) }
        }
    }

    @Test func aMountThatALaterOneCoversIsLeftOut() async throws {
        try await withScratchFolder { folder in
            let inner = folder.appending("inner")
            try makeFolder(inner, mode: 0o755)
            var sources = MountSources()
            sources.holdIfThere("/usr", of: 0)
            try sources.verify(try mounts([inner, folder]), in: getpid())
            #expect(throws: RuntimeError.self) { try sources.verify(try mounts([inner, inner.appending("below")]), in: getpid()) }
        }
    }

    @Test(arguments: [
        ("/", "/a", true), ("/a", "/a", true), ("/a", "/a/b", true), ("/a", "/ab", false), ("/a/b", "/a", false), ("/a", "/", false),
    ])
    func comparesWholeComponents(path: String, other: String, isAbove: Bool) {
        #expect(LexicalPath.isSame(path, orAbove: other) == isAbove)
    }
}
