// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import MountPointPlugins

@Suite("noswap: a volume that containers share", .needs(.root), .enabled(if: MemoryMount.knowsNoSwap, "needs Linux 6.4"))
struct NoSwapSharingTests {
    private let host: InstanceHost
    private let plugin: InstancePlugin

    init() throws {
        host = try InstanceHost()
        plugin = try host.plugin(of: NoSwapKind.self)
    }

    private func volume(
        _ options: String = "", name: String = "web", source: String = "/var/lib/docker/volumes/web/_data", at place: String = "/v"
    )
        -> MountPoint
    {
        .bind(source, place) {
            $0.type = .volume
            $0.volume.name = name
            $0.volume.labels = ["mountpoint.noswap": options]
        }
    }

    /// Attaches a container, and gives where its mount is.
    private func attach(_ id: String, _ mounts: MountPoint..., with plugin: InstancePlugin? = nil) async throws -> String {
        let answer = try await (plugin ?? self.plugin).attach(MountPointAttachRequest(id: id, mounts: mounts))
        return try #require(answer.first?.changes.effectiveSource)
    }

    private func detach(_ id: String) async throws { try await plugin.detach(MountPointDetachRequest(id: id)) }

    private func put(_ text: String, _ file: String) throws { try text.write(toFile: file, atomically: false, encoding: .utf8) }

    private func text(_ file: String) -> String? { try? String(contentsOfFile: file, encoding: .utf8) }

    private func options(_ place: String) throws -> [String] {
        let entry = try #require(try MountTable.topmost(at: place))
        return entry.options + entry.superblockOptions
    }

    @Test("What one writes the other reads, as long as one of them is there; the last wipes it", arguments: [["a", "b"], ["b", "a"]])
    func life(_ order: [String]) async throws {
        let (first, second) = (try await attach("a", volume("size=1m")), try await attach("b", volume("size=1m")))
        try put("key", first + "/key")
        #expect(text(second + "/key") == "key")
        #expect(try options(second).filter { ["noswap", "size=1024k", "nosuid", "nodev", "noexec"].contains($0) }.count == 5)
        let open = Glibc.open(first + "/key", O_RDONLY | O_CLOEXEC)
        defer { close(open) }
        try await detach(order[0])
        var bytes: [UInt8] = [1, 1, 1]
        #expect(pread(open, &bytes, 3, 0) == 3 && bytes == Array("key".utf8))
        let third = try await attach("c", volume())
        #expect(text(third + "/key") == "key")
        try await detach("c")
        try await detach(order[1])
        #expect(pread(open, &bytes, 3, 0) == 3 && bytes == [0, 0, 0])
        #expect(host.left(of: "noswap") == [])
        let again = try await attach("d", volume())
        #expect(try FileManager.default.contentsOfDirectory(atPath: again) == [])
        try await detach("d")
    }

    @Test("Each container has its own: of binds, of another volume, of another engine's volume of that name, and with scope=container")
    func notShared() async throws {
        let first = try await attach("a", volume())
        try put("key", first + "/key")
        let others = [
            volume(name: "other", source: "/o"), volume(source: "/var/lib/containers/storage/volumes/web/_data"), volume("scope=container"),
            .bind("/var/lib/docker/volumes/web/_data", "/v", labels: ["mountpoint.noswap": "/v"]),
        ]
        for (index, mount) in others.enumerated() {
            let place = try await attach("b\(index)", mount)
            #expect(text(place + "/key") == nil, "\(mount)")
            try await detach("b\(index)")
            #expect(text(first + "/key") == "key")
        }
        try await detach("a")
        let bind = MountPoint.bind("/x", "/m", labels: ["mountpoint.noswap": "/m:scope=volume"])
        await #expect(throws: PluginError("/m: scope=volume is for volumes, and this is none")) { try await attach("c", bind) }
        #expect(host.left(of: "noswap") == [])
    }

    @Test("Two mounts of one volume in one container are one, too; exec is each mount's own")
    func twice() async throws {
        let first = try await attach("a", volume(), volume("exec", at: "/w"))
        let second = String(first.dropLast()) + "1"
        try put("key", first + "/key")
        #expect(text(second + "/key") == "key")
        #expect(try options(first).contains("noexec") && !options(second).contains("noexec"))
        try await detach("a")
        #expect(host.left(of: "noswap") == [])
        #expect(try MountTable().mounts(below: host.places.state.string) == [])
    }

    @Test(
        "Who asks for something else than there is gets none, and who says the same in other words does",
        arguments: [
            ("size=2m", "size=1024k"), ("uid=1", "uid=33"), ("gid=1", "gid=0"), ("mode=0755", "mode=700"), ("nr_inodes=7", "nr_inodes=100"),
            ("size=1025k,uid=0033", "size=1024k"), ("size=1023k,mode=0700,uid=33,nr_inodes=100", ""), ("size=1%", ""),
        ])
    func differs(_ row: (String, String)) async throws {
        let first = try await attach("a", volume("size=1m,uid=33,mode=700,nr_inodes=100"))
        if row.1.isEmpty {
            _ = try await attach("b", volume(row.0))
            try await detach("b")
        } else {
            let text = "/v: other containers have this volume in memory already, with \(row.1); stop them, say the same, or scope=container"
            await #expect(throws: PluginError(text)) { try await attach("b", volume(row.0)) }
        }
        #expect(host.left(of: "noswap") == ["a.0", "a.json"])
        #expect(try MountTable.topmost(at: first) != nil)
        try await detach("a")
    }

    @Test("Killed at any moment, the plugin counts right afterwards")
    func killed() async throws {
        let first = try await attach("a", volume())
        try put("key", first + "/key")
        for id in ["a", "b", "c"] { try host.run(id) }
        // Killed when the file of b was written, and nothing made.
        let files = ContainerFiles(in: host.places.state.appending("noswap"))
        var begun = try #require(try files.read("a"))
        begun.id = "b"
        begun.mounts[0].folder = files.place(of: "b", mount: 0)
        try files.write(begun)
        let second = try host.plugin(of: NoSwapKind.self)
        second.recover()
        let place = try await attach("c", volume(), with: second)
        #expect(text(place + "/key") == "key")
        // Killed when a's mount was away, and its file not.
        try MemoryMount.remove(first)
        let open = Glibc.open(place + "/key", O_RDONLY | O_CLOEXEC)
        defer { close(open) }
        try FileManager.default.removeItem(atPath: host.places.runtime.appending("containers/default/c").string)
        let third = try host.plugin(of: NoSwapKind.self)
        third.recover()
        var bytes: [UInt8] = [1, 1, 1]
        #expect(pread(open, &bytes, 3, 0) == 3 && bytes == [0, 0, 0], "c was the last, although a and b have files")
        for id in ["a", "b"] { try await third.detach(MountPointDetachRequest(id: id)) }
        #expect(host.left(of: "noswap") == [])
    }

    @Test("Emergency actions of one container take nothing from the other")
    func emergency() async throws {
        let answer = try await plugin.attach(MountPointAttachRequest(id: "a", mounts: [volume()]))
        let second = try await attach("b", volume())
        try put("key", second + "/key")
        let actions = try #require(answer.first).emergencyDetach
        for action in actions {
            switch action {
            case .unmount(let path): #expect(umount2(path, 0) == 0)
            case .remove(let path): #expect(rmdir(path) == 0)
            default: break
            }
        }
        #expect(actions.count == 3 && text(second + "/key") == "key")
        try await detach("a")
        #expect(text(second + "/key") == "key")
        try await detach("b")
        #expect(host.left(of: "noswap") == [])
    }

    @Test("Many at once, in any order: the last wipes, and nothing is left")
    func many() async throws {
        let (plugin, mount) = (plugin, volume())
        for _ in 0..<4 {
            await withTaskGroup(of: Void.self) { group in
                for index in 0..<24 {
                    group.addTask {
                        for round in 0..<3 {
                            let id = "\(index)-\(round)"
                            do {
                                _ = try await plugin.attach(MountPointAttachRequest(id: id, mounts: [mount]))
                                try await plugin.detach(MountPointDetachRequest(id: id))
                            } catch {
                                Issue.record(error)
                            }
                        }
                    }
                }
            }
            #expect(host.left(of: "noswap") == [])
            #expect(try MountTable().mounts(below: host.places.state.string) == [])
        }
    }
}
