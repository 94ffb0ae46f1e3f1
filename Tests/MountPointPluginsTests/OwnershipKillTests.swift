// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import MountPointPlugins

@Suite("ownership by transfer, killed or disturbed", .needs(.root))
struct OwnershipKillTests {
    private static let calls = "write,fdatasync,rename,unlink,mkdir,rmdir,fchownat,chmod,setxattr,syncfs"

    /// Made anew by each try: the kernel drops bits that then are compared.
    private func withTree(_ body: (OwnedTree, InstanceHost) async throws -> Void) async throws {
        try await withScratchFolder { folder in
            let tree = OwnedTree(path: folder.appending("source").string)
            mkdir(tree.path, 0o755)
            try tree.fill()
            try await body(tree, InstanceHost())
        }
    }

    /// In memory, where a sync costs nothing.
    private func withMemoryTree(_ body: (OwnedTree, InstanceHost) async throws -> Void) async throws {
        try await withScratchFolder { folder in
            try systemCall("mount", on: folder.string) { mount("tmpfs", folder.string, "tmpfs", 0, "mode=0755") }
            let tree = OwnedTree(path: folder.appending("source").string)
            mkdir(tree.path, 0o755)
            try tree.fill()
            let host = try InstanceHost()
            let root = host.root.string
            try systemCall("mount", on: root) { mount("tmpfs", root, "tmpfs", 0, "mode=0755") }
            defer { umount2(root, CInt(MNT_DETACH)) }
            try await body(tree, host)
        }
    }

    /// A new process takes up what the killed one has left.
    private func recover(_ host: InstanceHost) throws {
        let plugin = try host.plugin(of: OwnershipKind.self)
        plugin.recover()
    }

    @Test("The plugin is killed at each call by which it gives; the next one gives all back") func killedWhileGiving() async throws {
        try await withTree { tree, host in
            let before = try OwnerSnapshot(of: tree.path)
            var place = 1
            while true {
                let request = ownershipRequest(tree.path, "mode=transfer")
                let end = try await InterruptedProgram.run(["ownership"], on: host, calls: Self.calls, at: place) { process in
                    // Its file is there before anybody listens.
                    try await eventually("it is served, or killed") { !process.isRunning || host.isServed("ownership") }
                    _ = try? await host.call("ownership", .attach) { request.write(to: &$0) }
                    try await InterruptedProgram.end(process)
                }
                let wasKilled = end.wasInterrupted
                if !wasKilled { #expect(tree.owner("a/b/file") == [33, 33]) }
                try recover(host)
                let after = try OwnerSnapshot(of: tree.path)
                try #require(after == before, "killed at call \(place): \(after.difference(from: before))")
                try #require(host.left(of: "ownership") == [], "killed at call \(place)")
                unlink(host.places.sockets.appending("ownership.sock").string)
                if !wasKilled { break }
                place += 1
            }
            #expect(place > 20)
        }
    }

    @Test(
        "A tree that one process began to give and another went on with: set-uid comes back unless somebody wrote to the file, and forged its time",
        arguments: [true, false])
    func goneOnWith(isForged: Bool) async throws {
        try await withTree { tree, host in
            let (first, second) = (ownershipRequest(tree.path, "mode=transfer"), ownershipRequest(tree.path, "mode=transfer", id: "second"))
            for request in [first, second] { try host.run(request.id) }
            let file = "\(tree.path)/set-uid"
            var place = 2
            while true {
                try "program 1".write(toFile: file, atomically: false, encoding: .utf8)
                chmod(file, 0o4755)
                let end = try await InterruptedProgram.run(["ownership"], on: host, calls: "fchownat", at: place) { process in
                    try await eventually("it is served, or killed") { !process.isRunning || host.isServed("ownership") }
                    _ = try? await host.call("ownership", .attach) { first.write(to: &$0) }
                    try await InterruptedProgram.end(process)
                }
                let plugin = try host.plugin(of: OwnershipKind.self)
                _ = try await plugin.attach(second)
                #expect(tree.owner("set-uid") == [33, 33] && tree.mode("set-uid") == 0o755)
                if isForged {
                    var status = stat()
                    stat(file, &status)
                    try "program 2".write(toFile: file, atomically: false, encoding: .utf8)
                    utimensat(AT_FDCWD, file, [status.st_atim, status.st_mtim], 0)
                }
                for request in [first, second] { try await plugin.detach(MountPointDetachRequest(id: request.id)) }
                #expect(tree.owner("set-uid") == [1000, 1000], "killed at call \(place)")
                #expect(tree.mode("set-uid") == (isForged ? 0o755 : 0o4755), "killed at call \(place)")
                unlink(host.places.sockets.appending("ownership.sock").string)
                if !end.wasInterrupted { break }
                place += 2
            }
            #expect(place > 6)
        }
    }

    @Test("It is killed at each call by which a tree goes back; the next one goes on") func killedWhileGivingBack() async throws {
        try await withTree { tree, host in
            let before = try OwnerSnapshot(of: tree.path)
            var place = 1
            while true {
                let plugin = try host.plugin(of: OwnershipKind.self)
                _ = try await plugin.attach(ownershipRequest(tree.path, "mode=transfer"))
                tree.file("made", 33)
                let wasKilled = try await InterruptedProgram.run(
                    ["ownership", "give-back", "--all"], on: host, calls: Self.calls, at: place
                )
                .wasInterrupted
                if wasKilled { try recover(host) }
                try #require(tree.owner("made") == [1000, 1000], "killed at call \(place)")
                unlink("\(tree.path)/made")
                let after = try OwnerSnapshot(of: tree.path)
                try #require(after == before, "killed at call \(place): \(after.difference(from: before))")
                try #require(host.left(of: "ownership") == [], "killed at call \(place)")
                if !wasKilled { break }
                place += 1
            }
            #expect(place > 20)
        }
    }

    @Test(
        "A tree of many files is changed by several threads, and survives a kill between any of their calls",
        arguments: [1, 40, 131, 262, 393, 524])
    func killedInThreads(_ place: Int) async throws {
        try await withMemoryTree { tree, host in
            tree.folder("many")
            for number in 0..<600 { tree.file("many/\(number)", mode: number % 10 == 0 ? 0o4755 : 0o644) }
            let before = try OwnerSnapshot(of: tree.path)
            let request = ownershipRequest(tree.path, "mode=transfer")
            let giving = try await InterruptedProgram.run(["ownership"], on: host, calls: "fchownat", at: place) { process in
                try await eventually("it is served, or killed") { !process.isRunning || host.isServed("ownership") }
                _ = try? await host.call("ownership", .attach) { request.write(to: &$0) }
                try await InterruptedProgram.end(process)
            }
            #expect(giving.wasInterrupted)
            let plugin = try host.plugin(of: OwnershipKind.self)
            plugin.recover()
            let given = try OwnerSnapshot(of: tree.path)
            #expect(given == before, "\(given.difference(from: before))")
            #expect(host.left(of: "ownership") == [])
            _ = try await plugin.attach(request)
            #expect(tree.owner("many/599") == [33, 33] && tree.owner("many/0") == [33, 33])
            let returning = try await InterruptedProgram.run(["ownership", "give-back", "--all"], on: host, calls: "fchownat", at: place)
            #expect(returning.wasInterrupted)
            try recover(host)
            let after = try OwnerSnapshot(of: tree.path)
            #expect(after == before, "\(after.difference(from: before))")
            #expect(host.left(of: "ownership") == [])
        }
    }

    @Test("Killed at both ends one after the other, it still ends as it began", arguments: [3, 9, 15, 21, 27])
    func killedTwice(_ place: Int) async throws {
        try await withTree { tree, host in
            let before = try OwnerSnapshot(of: tree.path)
            _ = try await host.plugin(of: OwnershipKind.self).attach(ownershipRequest(tree.path, "mode=transfer"))
            for other in [place, place / 2 + 1, 2] {
                _ = try await InterruptedProgram.run(["ownership", "give-back", "--all"], on: host, calls: Self.calls, at: other)
            }
            try recover(host)
            #expect(try OwnerSnapshot(of: tree.path) == before)
            #expect(host.left(of: "ownership") == [])
        }
    }

    @Test("Names that become links while the tree is walked lead nowhere outside", .timeLimit(.minutes(5))) func swapped() async throws {
        try await withMemoryTree { tree, host in
            let outside = OwnedTree(path: tree.path + ".outside")
            mkdir(outside.path, 0o755)
            chown(outside.path, 1000, 1000)
            outside.folder("inner")
            outside.file("inner/file")
            outside.file("file")
            let before = try OwnerSnapshot(of: outside.path)
            tree.folder("swapped")
            tree.folder("swapped/inner")
            tree.file("swapped/inner/file")
            tree.file("single")
            tree.link("folder-link", to: outside.path)
            tree.link("file-link", to: outside.path + "/file")
            let end = Flag()
            let path = tree.path
            let swapping = Task {
                try await blocking {
                    let folder = try OpenFolder(at: FilePath(path))
                    let names = ["swapped", "folder-link", "single", "file-link", "away"].compactMap { EntryName($0) }
                    while !end.isSet {
                        for (one, other) in [(names[0], names[1]), (names[2], names[3])] {
                            try folder.rename(one, to: names[4], in: folder)
                            try folder.rename(other, to: one, in: folder)
                            try folder.rename(names[4], to: other, in: folder)
                        }
                    }
                }
            }
            let plugin = try host.plugin(of: OwnershipKind.self)
            for _ in 0..<100 {
                let request = ownershipRequest(tree.path, "mode=transfer")
                _ = try await plugin.attach(request)
                try await plugin.detach(MountPointDetachRequest(id: request.id))
            }
            end.set()
            try await swapping.value
            #expect(try OwnerSnapshot(of: outside.path) == before)
        }
    }

    @Test("Files that are made, removed and renamed meanwhile do no harm", .timeLimit(.minutes(5))) func disturbed() async throws {
        try await withMemoryTree { tree, host in
            for number in 0..<50 { tree.folder("f\(number)") }
            let end = Flag()
            let path = tree.path
            let disturbing = Task {
                await withTaskGroup { group in
                    group.addTask {
                        try? await blocking {
                            let inner = OwnedTree(path: path)
                            var number = 0
                            while !end.isSet {
                                number = (number + 1) % 500
                                inner.file("f\(number % 50)/x\(number)", 33)
                                rename("\(path)/f\(number % 50)/x\(number)", "\(path)/f\((number + 7) % 50)/x\(number)")
                                rename("\(path)/f\(number % 50)", "\(path)/a/moved")
                                rename("\(path)/a/moved", "\(path)/f\(number % 50)")
                                unlink("\(path)/f\((number + 3) % 50)/x\(number - 4)")
                            }
                        }
                    }
                }
            }
            let plugin = try host.plugin(of: OwnershipKind.self)
            for _ in 0..<30 {
                let request = ownershipRequest(tree.path, "mode=transfer")
                _ = try await plugin.attach(request)
                try await plugin.detach(MountPointDetachRequest(id: request.id))
            }
            end.set()
            await disturbing.value
            // A last round when all is quiet.
            let request = ownershipRequest(tree.path, "mode=transfer")
            _ = try await plugin.attach(request)
            try await plugin.detach(MountPointDetachRequest(id: request.id))
            #expect(host.left(of: "ownership") == [])
            #expect(tree.owner("a/b/file") == [1000, 1000])
        }
    }
}

/// Something that one thread tells another.
private final class Flag: @unchecked Sendable {
    private let lock = NSLock()
    private var value = false

    var isSet: Bool { lock.withLock { value } }
    func set() { lock.withLock { value = true } }
}
