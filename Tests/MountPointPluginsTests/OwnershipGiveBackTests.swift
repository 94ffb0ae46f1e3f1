// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import MountPointPlugins

@Suite("ownership: what is given back at the end, and by hand", .needs(.root))
struct OwnershipGiveBackTests {
    private let host: InstanceHost
    private let plugin: InstancePlugin

    init() throws {
        host = try InstanceHost()
        plugin = try host.plugin(of: OwnershipKind.self)
    }

    private func giveBack(_ container: String?, forgets: Bool = false) throws -> OwnershipGiveBack.Outcome {
        let instance = try PluginInstance(of: "ownership", places: host.places)
        return try OwnershipGiveBack(container: container, forgets: forgets).run(instance)
    }

    @Test("give-back changes nothing at the start, and at the end only what was made or changed") func giveBackMode() async throws {
        try await OwnedTree.with { tree in
            let before = try OwnerSnapshot(of: tree.path)
            let request = ownershipRequest(tree.path, "mode=give-back")
            let attachment = try #require(try await plugin.attach(request).first)
            #expect(attachment.changes == MountPointChanges() && attachment.attach)
            #expect(try OwnerSnapshot(of: tree.path) == before)
            tree.folder("made", 33)
            tree.file("made/file", 33, mode: 0o4755)
            tree.file("made/others", 1234)
            tree.link("made/link", to: "/etc/passwd", 33)
            try await plugin.detach(MountPointDetachRequest(id: request.id))
            for name in ["made", "made/file", "made/link"] { #expect(tree.owner(name) == [1000, 1000], "\(name)") }
            #expect(tree.mode("made/file") == 0o755 && tree.owner("made/others") == [1234, 1234])
            #expect(tree.owner("containers") == [33, 33])
            var passwd = stat()
            #expect(stat("/etc/passwd", &passwd) == 0 && passwd.st_uid == 0)
            #expect(try OwnerSnapshot(of: tree.path).owners.filter { !$0.key.hasPrefix("/made") } == before.owners)
            #expect(host.left(of: "ownership") == [])
        }
    }

    @Test("give-back changes nothing of a tree that nobody touched, not even a time") func untouched() async throws {
        try await OwnedTree.with { tree in
            var before = stat()
            lstat("\(tree.path)/containers", &before)
            let request = ownershipRequest(tree.path, "mode=give-back")
            _ = try await plugin.attach(request)
            try await plugin.detach(MountPointDetachRequest(id: request.id))
            var after = stat()
            lstat("\(tree.path)/containers", &after)
            #expect(after.st_ctim.tv_sec == before.st_ctim.tv_sec && after.st_ctim.tv_nsec == before.st_ctim.tv_nsec)
        }
    }

    @Test("Two containers of one user that give back: it goes with the last") func giveBackShared() async throws {
        try await OwnedTree.with { tree in
            for id in ["one", "two"] { _ = try await plugin.attach(ownershipRequest(tree.path, "mode=give-back", id: id)) }
            tree.file("made", 33)
            try await plugin.detach(MountPointDetachRequest(id: "one"))
            #expect(tree.owner("made") == [33, 33])
            try await plugin.detach(MountPointDetachRequest(id: "two"))
            #expect(tree.owner("made") == [1000, 1000] && host.left(of: "ownership") == [])
        }
    }

    @Test("A new process gives back what containers had that are gone, as after a reboot, and leaves what runs") func recovery()
        async throws
    {
        try await OwnedTree.with { tree in
            let other = OwnedTree(path: tree.path + ".other")
            mkdir(other.path, 0o755)
            try other.fill()
            let before = try OwnerSnapshot(of: tree.path)
            _ = try await plugin.attach(ownershipRequest(tree.path, "mode=transfer", id: "gone"))
            _ = try await plugin.attach(ownershipRequest(other.path, "mode=transfer", id: "runs"))
            try host.run("runs")
            try host.plugin(of: OwnershipKind.self).recover()
            #expect(try OwnerSnapshot(of: tree.path) == before)
            #expect(other.owner("a") == [33, 33])
            try await plugin.detach(MountPointDetachRequest(id: "runs"))
            #expect(other.owner("a") == [1000, 1000])
        }
    }

    @Test("By hand: what runs is refused, what is gone is given back and shown") func byHand() async throws {
        try await OwnedTree.with { tree in
            let before = try OwnerSnapshot(of: tree.path)
            #expect(try giveBack(nil).text == "nothing has to be given back\n")
            #expect(throws: PluginError.self) { try giveBack("web") }
            let request = ownershipRequest(tree.path, "mode=transfer")
            let attachment = try #require(try await plugin.attach(request).first)
            #expect(
                attachment.emergencyDetach == [
                    .error("\(tree.path) still belongs to 33:33; run mountpoint-plugin ownership give-back aaaaaaaaaaaa")
                ])
            tree.file("made", 33)
            try host.run(request.id)
            #expect(try giveBack("web").problems == ["container web (aaaaaaaaaaaa) runs; its files go back when it ends"])
            #expect(try giveBack(nil) == OwnershipGiveBack.Outcome(text: "nothing has to be given back\n"))
            #expect(tree.owner("a") == [33, 33])
            try FileManager.default.removeItem(atPath: host.places.runtime.appending("containers/default/\(request.id)").string)
            let outcome = try giveBack("aaaa")
            #expect(
                outcome
                    == OwnershipGiveBack.Outcome(
                        text: "container web (aaaaaaaaaaaa):\n\(tree.path): 12 given back, 1 that the container made or changed\n"))
            unlink("\(tree.path)/made")
            #expect(try OwnerSnapshot(of: tree.path) == before)
            #expect(host.left(of: "ownership") == [])
        }
    }

    @Test("A tree that is not there any more is an error, until it is back or forgotten", arguments: [true, false])
    func moved(_ comesBack: Bool) async throws {
        try await OwnedTree.with { tree in
            let before = try OwnerSnapshot(of: tree.path)
            let request = ownershipRequest(tree.path, "mode=transfer")
            _ = try await plugin.attach(request)
            rename(tree.path, tree.path + ".moved")
            mkdir(tree.path, 0o755)
            await #expect {
                try await plugin.detach(MountPointDetachRequest(id: request.id))
            } throws: {
                ($0 as? DetachError)?.isRecoverable == true && "\($0)".contains("something else is in its place")
            }
            #expect(try giveBack(nil).problems.count == 1)
            if comesBack {
                rmdir(tree.path)
                rename(tree.path + ".moved", tree.path)
                try await plugin.detach(MountPointDetachRequest(id: request.id))
                #expect(try OwnerSnapshot(of: tree.path) == before)
            } else {
                #expect(try giveBack("web", forgets: true).problems == [])
            }
            #expect(host.left(of: "ownership") == [])
        }
    }
}
