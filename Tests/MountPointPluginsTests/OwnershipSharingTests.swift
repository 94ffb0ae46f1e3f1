// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import MountPointPlugins

@Suite("ownership by transfer, of trees that several containers have", .needs(.root))
struct OwnershipSharingTests {
    private let host: InstanceHost
    private let plugin: InstancePlugin

    init() throws {
        host = try InstanceHost()
        plugin = try host.plugin(of: OwnershipKind.self)
    }

    private func attach(_ source: String, _ id: String, user: UInt32 = 33, _ options: String = "mode=transfer") async throws {
        _ = try await plugin.attach(ownershipRequest(source, options, user: user, id: id, name: id))
    }

    /// - Returns: why a container is denied that wants a tree mapped and given.
    private func attachBoth(_ source: String) async throws -> String {
        var request = ownershipRequest(source, "mode=map;/other:match-user,mode=transfer", id: "both", name: "both")
        request.mounts.append(request.mounts[0])
        request.mounts[1].destination = "/other"
        do {
            _ = try await plugin.attach(request)
            return ""
        } catch {
            return "\(error)"
        }
    }

    private func detach(_ id: String) async throws { try await plugin.detach(MountPointDetachRequest(id: id)) }

    @Test("Containers of one user share it, and it goes back with the last of them", arguments: [["one", "two"], ["two", "one"]])
    func shared(_ order: [String]) async throws {
        try await OwnedTree.with { tree in
            let before = try OwnerSnapshot(of: tree.path)
            try await attach(tree.path, "one")
            let during = try OwnerSnapshot(of: tree.path)
            try await attach(tree.path, "two", order[0] == "one" ? "mode=auto" : "mode=transfer")
            try await detach(order[0])
            #expect(try OwnerSnapshot(of: tree.path) == during)
            try await detach(order[1])
            #expect(try OwnerSnapshot(of: tree.path) == before)
            #expect(host.left(of: "ownership") == [])
        }
    }

    @Test("Another owner is denied, by transfer, by map and at the end; the tree stays with the first", arguments: OwnershipMode.allCases)
    func denied(_ mode: OwnershipMode) async throws {
        try await OwnedTree.with { tree in
            try await attach(tree.path, "one")
            let during = try OwnerSnapshot(of: tree.path)
            for source in [tree.path, "\(tree.path)/a", (tree.path as NSString).deletingLastPathComponent] {
                await #expect {
                    try await attach(source, "two", user: 44, "match-user:44,mode=\(mode.rawValue)")
                } throws: {
                    "\($0)".contains("belongs to 33:33 while container one runs")
                }
            }
            #expect(try OwnerSnapshot(of: tree.path) == during)
            try await detach("one")
            #expect(host.left(of: "ownership") == [])
            try await attach(tree.path, "two", user: 44)
            #expect(tree.owner("a/b/file") == [44, 44])
            try await detach("two")
        }
    }

    @Test("A tree that is mapped for a container is not given to another, which is said, nor is a part of it or what it is a part of")
    func mapped() async throws {
        try await OwnedTree.with { tree in
            let before = try OwnerSnapshot(of: tree.path)
            try await attach(tree.path, "one", "mode=map")
            for source in [tree.path, "\(tree.path)/a", (tree.path as NSString).deletingLastPathComponent] {
                await #expect {
                    try await attach(source, "two")
                } throws: {
                    "\($0)".contains("is id-mapped for container one")
                }
                #expect(host.left(of: "ownership") == ["one.0", "one.json"], "the denied container has left nothing")
            }
            try await attach(tree.path, "three", "mode=map")
            try await attach(tree.path, "four", "mode=give-back")
            #expect(try OwnerSnapshot(of: tree.path) == before)
            for id in ["one", "three", "four"] { try await detach(id) }
            try await attach(tree.path, "two")
            #expect(tree.owner("a/b/file") == [33, 33])
            try await detach("two")
            #expect(try OwnerSnapshot(of: tree.path) == before && host.left(of: "ownership") == [])
        }
    }

    @Test("Of two containers that start at once, one with a map and one with a transfer, one at most has the tree") func mappedAtOnce()
        async throws
    {
        try await OwnedTree.with { tree in
            let before = try OwnerSnapshot(of: tree.path)
            var served = 0
            for round in 0..<40 {
                async let one: Void = attach(tree.path, "map\(round)", "mode=map")
                async let two: Void = attach(tree.path, "transfer\(round)")
                let (isMapped, isGiven) = ((try? await one) != nil, (try? await two) != nil)
                #expect(!isMapped || !isGiven)
                if isMapped || isGiven { served += 1 }
                try await detach("map\(round)")
                try await detach("transfer\(round)")
                #expect(try OwnerSnapshot(of: tree.path) == before)
            }
            #expect(served > 0)
            let plan = try await attachBoth(tree.path)
            #expect(plan.contains("is id-mapped for the same container"))
            #expect(try OwnerSnapshot(of: tree.path) == before)
            #expect(host.left(of: "ownership") == [])
        }
    }

    @Test(
        "A part of a shared tree is shared, and stays given as long as one has it", arguments: [["inner", "outer"], ["outer", "inner"]])
    func inner(_ order: [String]) async throws {
        for start in [["inner", "outer"], ["outer", "inner"]] {
            try await OwnedTree.with { tree in
                // The container's user had something in both before.
                tree.file("a/theirs", 33)
                let before = try OwnerSnapshot(of: tree.path)
                let sources = ["inner": "\(tree.path)/a", "outer": tree.path]
                for name in start { try await attach(sources[name] ?? "", name) }
                tree.file("a/made-\(start[0])", 33)
                #expect(tree.owner("a/b/file") == [33, 33] && tree.owner("set-uid") == [33, 33])
                try await detach(order[0])
                #expect(tree.owner("a/b/file") == [33, 33], "\(start), \(order)")
                try await detach(order[1])
                #expect(tree.owner("a/made-\(start[0])") == [1000, 1000])
                unlink("\(tree.path)/a/made-\(start[0])")
                #expect(try OwnerSnapshot(of: tree.path) == before, "\(start), \(order)")
                #expect(host.left(of: "ownership") == [])
            }
        }
    }

    @Test("Trees on several mounts of one file system are known as the same") func bound() async throws {
        try await OwnedTree.with { tree in
            let other = tree.path + ".bound"
            mkdir(other, 0o755)
            try systemCall("mount", on: other) { mount("\(tree.path)/a", other, nil, UInt(MS_BIND), nil) }
            try await attach(tree.path, "one")
            await #expect(throws: PluginError.self) { try await attach(other, "two", user: 44, "match-user:44,mode=transfer") }
            try await attach(other, "three")
            try await detach("one")
            #expect(tree.owner("a/b/file") == [33, 33])
            try await detach("three")
            #expect(tree.owner("a/b/file") == [1000, 1000] && host.left(of: "ownership") == [])
        }
    }

    @Test("Many containers at once, each with all of a tree") func many() async throws {
        try await OwnedTree.with { tree in
            let before = try OwnerSnapshot(of: tree.path)
            try await withThrowingTaskGroup { group in
                for number in 0..<8 {
                    group.addTask {
                        for round in 0..<5 {
                            try await attach(tree.path, "c\(number)-\(round)")
                            #expect(tree.owner("a/b/file") == [33, 33])
                            try await detach("c\(number)-\(round)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try OwnerSnapshot(of: tree.path) == before)
            #expect(host.left(of: "ownership") == [])
        }
    }

    @Test("A container that has gone while it waited gets nothing") func gone() async throws {
        try await OwnedTree.with { tree in
            let before = try OwnerSnapshot(of: tree.path)
            let kind = try host.kind(OwnershipKind.self)
            let request = ownershipRequest(tree.path, "mode=transfer", id: "one")
            let chosen = ChosenMount(
                mount: request.mounts[0], containerID: "one", options: "mode=transfer", choice: "",
                folder: host.places.state.appending("ownership/one.0").string)
            let plan = try #require(try kind.plan(chosen))
            // The frame has removed the container's file, as it does at the end.
            #expect(throws: PluginError("the container has gone meanwhile")) { try kind.carryOut(KeptMount(chosen, plan)) }
            #expect(try OwnerSnapshot(of: tree.path) == before)
        }
    }

    @Test("A transfer is forgotten only if it is the one that was meant") func forgetting() async throws {
        try await OwnedTree.with { tree in
            try await attach(tree.path, "one")
            let transfers = Transfers(in: host.places.state.appending("ownership"))
            let (number, known) = try #require(try transfers.store.all().first)
            var other = known
            other.since.seconds += 1
            try transfers.forget(number, ifItIs: other)
            #expect(try transfers.store.read(number) == known)
            other = known
            other.holders = []
            try transfers.forget(number, ifItIs: other)
            #expect(try transfers.store.read(number) == nil)
        }
    }

    @Test("A tree that no container's file leads to is given back when the plugin starts") func abandoned() async throws {
        try await OwnedTree.with { tree in
            let before = try OwnerSnapshot(of: tree.path)
            try await attach(tree.path, "one")
            unlink(host.places.state.appending("ownership/one.json").string)
            #expect(try OwnerSnapshot(of: tree.path) != before)
            try host.plugin(of: OwnershipKind.self).recover()
            #expect(try OwnerSnapshot(of: tree.path) == before)
            #expect(host.left(of: "ownership") == [])
        }
    }
}
