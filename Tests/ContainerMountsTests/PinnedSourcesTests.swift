// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import LinuxSystem
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import ContainerMounts

struct PinnedSourcesTests {
    @Test func showsWhereASourceIs() async throws {
        try await withScratchFolder { folder in
            try makeFolder(folder.appending("a"), mode: 0o755)
            symlink("a", folder.appending("link").string)
            let sources = PinnedSources()
            #expect(try sources.pin("\(folder)/link/../link/", of: 3) == "\(folder)/a")
            #expect(try sources.pin("\(folder)/link/missing", of: 4) == "\(folder)/a/missing")
            #expect(sources.sources[3]?.file != nil && sources.sources[4]?.failure?.errno == .noSuchFileOrDirectory)
        }
    }

    @Test func whatHasNoPathKeepsItsName() throws {
        #expect(try PinnedSources().pin("/proc/self/ns/net", of: 0).hasSuffix("/ns/net"))
    }

    /// Blind exchange of two folders while one is looked up: the text and what is held are always of the same one.
    @Test func textAndFileAreOfOneLookUp() async throws {
        try await withScratchFolder { folder in
            let (open, guarded) = (folder.appending("open"), folder.appending("guarded"))
            for path in [open, guarded] { try makeFolder(path, mode: 0o755) }
            try replaceFile(guarded.appending("secret"), with: [])
            let flipping = Flipping(folder.appending("flip").string, between: open.string, and: guarded.string)
            var found: Set<String> = []
            for _ in 0..<20_000 {
                let source = try PinnedSources.Source(at: flipping.path)
                let file = try #require(source.file)
                found.insert(source.text)
                #expect(try file.path() == source.text)
            }
            flipping.end()
            #expect(found == [open.string, guarded.string])
        }
    }

    // MARK: After a plugin

    @Test func whatAPluginReplacesIsAnErrorThatNamesIt() async throws {
        try await withScratchFolder { folder in
            let file = folder.appending("file")
            try replaceFile(file, with: Array("before".utf8))
            let sources = PinnedSources()
            _ = try sources.pin(file.string, of: 0)
            try sources.lookAgain(0, at: "/m", after: "plugin:first")
            try replaceFile(file, with: Array("after".utf8))
            let error = #expect(throws: RuntimeError.self) { try sources.lookAgain(0, at: "/m", after: "plugin:first") }
            #expect(error?.message.contains("\(file) of the mount at /m was moved or replaced while plugin:first attached it") == true)
            #expect(error?.message.contains("give another one as EffectiveSource") == true)
            #expect(error?.code == .hostRefused && error?.cause is SystemError)
        }
    }

    @Test func whatWasMovedBeforeIsNoFaultOfAPlugin() async throws {
        try await withScratchFolder { folder in
            try makeFolder(folder.appending("a"), mode: 0o755)
            let sources = PinnedSources()
            _ = try sources.pin("\(folder)/a", of: 0)
            rename("\(folder)/a", "\(folder)/b")
            sources.lookForStrays()
            try sources.lookAgain(0, at: "/m", after: "plugin:first")
            #expect(try sources.sources[0]?.file?.path() == "\(folder)/b")
        }
    }

    @Test func whatAPluginMakesIsTaken() async throws {
        try await withScratchFolder { folder in
            let sources = PinnedSources()
            _ = try sources.pin("\(folder)/late", of: 0)
            _ = try sources.pin("\(folder)/linked", of: 1)
            try makeFolder(folder.appending("late"), mode: 0o755)
            symlink("/usr", "\(folder)/linked")
            for mount in [0, 1] { try sources.lookAgain(mount, at: "/m", after: "plugin:first") }
            #expect(sources.sources[0]?.file != nil)
            #expect(sources.sources[1]?.file == nil, "nobody has looked at what a link leads to")
        }
    }

    @Test(.needs(.root)) func whatAPluginMountsIsTaken() async throws {
        try await withScratchFolder { folder in
            let meant = folder.appending("meant")
            try makeFolder(meant, mode: 0o755)
            let sources = PinnedSources()
            _ = try sources.pin(meant.string, of: 0)
            try mountMemory(on: meant)
            try mountMemory(on: meant)
            try sources.lookAgain(0, at: "/m", after: "plugin:first")
            #expect(try sources.sources[0]?.file?.mountID() == MountTable().topmost(at: meant.string)?.mountID)
        }
    }

    /// Who has the folder above in a container can rename what is a mount point outside.
    @Test(.needs(.root)) func anotherMountThatIsRenamedToTheSourceIsNotTaken() async throws {
        try await withScratchFolder { folder in
            try mountMemory(on: folder)
            let (meant, guarded) = (folder.appending("meant"), folder.appending("guarded"))
            for path in [meant, guarded] {
                try makeFolder(path, mode: 0o755)
                try mountMemory(on: path)
            }
            let sources = PinnedSources()
            _ = try sources.pin(meant.string, of: 0)
            let before = try sources.sources[0]?.file?.mountID()
            try await inThread {
                let copy = try MountNamespaceCopy()
                for path in [meant, guarded] { umount2(path.string, 0) }
                #expect(rename(meant.string, meant.string + "2") == 0 && rename(guarded.string, meant.string) == 0)
                withExtendedLifetime(copy) {}
            }
            #expect(try MountTable().topmost(at: meant.string) != nil)
            #expect(throws: RuntimeError.self) { try sources.lookAgain(0, at: "/m", after: "plugin:first") }
            #expect(try sources.sources[0]?.file?.mountID() == before)
        }
    }

    @Test func theSourceThatAPluginGaveIsPinned() async throws {
        try await withScratchFolder { folder in
            for name in ["good", "evil"] { try makeFolder(folder.appending(name), mode: 0o755) }
            let link = folder.appending("link").string
            symlink("good", link)
            let sources = PinnedSources()
            _ = try sources.pin("/usr", of: 0)
            sources.replace(0, with: try PinnedSources.Source(at: link))
            unlink(link)
            symlink("evil", link)
            try sources.lookAgain(0, at: "/m", after: "plugin:second")
            #expect(sources.sources[0]?.isGiven == true && sources.sources[0]?.text == "\(folder)/good")
            #expect(try sources.sources[0]?.file?.path() == "\(folder)/good")
            sources.release()
            #expect(throws: SystemError.self) { try sources.sources[0]?.file?.path() }
        }
    }
}

/// A link that leads to one and to the other in turn, as fast as can be.
final class Flipping: Sendable {
    let path: String
    private let isWanted = Mutex(true)

    init(_ path: String, between one: String, and other: String) {
        self.path = path
        symlink(one, path)
        Thread { [self] in
            while isWanted.withLock({ $0 }) {
                for target in [other, one] {
                    symlink(target, path + ".new")
                    rename(path + ".new", path)
                }
            }
        }.start()
    }

    func end() { isWanted.withLock { $0 = false } }
}

/// In a thread of its own, which may go to other namespaces: it does not come back.
func inThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread { continuation.resume(with: Result(catching: body)) }.start()
    }
}

func mountMemory(on folder: FilePath) throws {
    try systemCall("mount", on: folder.string) { mount("tmpfs", folder.string, "tmpfs", 0, nil) }
}
