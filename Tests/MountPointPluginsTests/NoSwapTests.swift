// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import MountPointPlugins

@Suite("The plugin noswap")
struct NoSwapTests {
    private let host: InstanceHost

    init() throws { host = try InstanceHost() }

    @Test("Options, and what a tmpfs was asked for with")
    func options() throws {
        let plain = try NoSwapOptions("size=1m,mode=0700,uid=33,gid=34,nr_inodes=100")
        #expect([plain.size, plain.mode, plain.uid, plain.gid, plain.inodes] == ["1m", "0700", "33", "34", "100"])
        #expect(plain.attributes == ["nosuid", "nodev", "noexec"])
        #expect(try NoSwapOptions("exec").attributes == ["nosuid", "nodev"])
        var mount = MountPoint(type: .tmpfs, source: "", destination: "/t")
        mount.mode = "nosuid,nodev,size=4m,mode=755,tmpcopyup"
        let asked = try NoSwapOptions("mode=700", mount: mount)
        #expect(asked.size == "4m" && asked.mode == "700" && asked.attributes == ["nosuid", "nodev"])
    }

    @Test(
        "A word that is not known, or whose value is wrong, is an error",
        arguments: ["sise=1m", "size=", "size=0", "size=1x", "size=1m=", "mode=8", "mode=77777", "uid=-1", "uid=4294967295", "exec=1", "a"])
    func wrong(_ word: String) {
        #expect(
            throws: PluginError(
                "\(word) is not known, or its value is wrong; there are size=SIZE, mode=OCTAL, uid=UID, gid=GID, nr_inodes=NUMBER, exec, separated by commas"
            )
        ) { try NoSwapOptions(word) }
    }

    @Test("A star takes the tmpfs mounts, and no others")
    func star() async throws {
        let kind = try host.kind(NoSwapKind.self)
        let chosen = ChosenMount(mount: .bind("/x", "/m"), containerID: "c", options: "", choice: "", isNamed: false, folder: "/f")
        #expect(try kind.plan(chosen) == nil)
    }

    @Test("It is there with its size and owner, out of swap, and gone at the end", .needs(.root))
    func life() async throws {
        guard MemoryMount.knowsNoSwap else { return }
        let plugin = try host.plugin(of: NoSwapKind.self)
        let label: StringMap = ["mountpoint.noswap": "/m:size=1m,mode=0750,uid=33,gid=34"]
        let answer = try await plugin.attach(MountPointAttachRequest(id: "c1", mounts: [.bind("/x", "/m", labels: label)]))
        let folder = try #require(answer.first?.changes.effectiveSource)
        let entry = try #require(try MountTable.topmost(at: folder))
        #expect(entry.fileSystem == "tmpfs" && entry.superblockOptions.contains("noswap") && entry.superblockOptions.contains("size=1024k"))
        #expect(["nosuid", "nodev", "noexec"].allSatisfy(entry.options.contains))
        var status = stat()
        #expect(stat(folder, &status) == 0 && status.st_uid == 33 && status.st_gid == 34 && status.st_mode & 0o7777 == 0o750)
        #expect(!FileManager.default.createFile(atPath: folder + "/large", contents: Data(count: 2 << 20)))
        plugin.recover()
        #expect(try MountTable.topmost(at: folder) == nil, "no container runs, so it is undone")
        #expect(host.left(of: "noswap") == [])
        try await plugin.detach(MountPointDetachRequest(id: "c1"))
    }

    @Test("Data is overwritten before it is freed, in trees of any depth and with any names", .needs(.root))
    func wiping() throws {
        let folder = host.root.appending("wiped").string
        mkdir(folder, 0o700)
        try MemoryMount.make("tmpfs", at: folder, options: [("size", "8m")], isNoSwap: false, attributes: [])
        var place = folder
        for _ in 0..<300 {
            place += "/d"
            mkdir(place, 0o700)
        }
        _ = FileManager.default.createFile(atPath: folder + "/d/secret", contents: Data(repeating: 0x41, count: 200_000))
        symlink("/etc/passwd", folder + "/link")
        mkfifo(folder + "/fifo", 0o600)
        let hostile: [CChar] = folder.utf8.map { CChar(bitPattern: $0) } + [0x2f, 0x61, -1, 0x0a, 0x62, 0]
        close(Glibc.open(hostile, O_WRONLY | O_CREAT, 0o600))
        let open = Glibc.open(folder + "/d/secret", O_RDONLY)
        try wipeTree(at: FilePath(folder))
        #expect(try namesInFolder(FilePath(folder)) == [])
        var bytes = [UInt8](repeating: 1, count: 200_000)
        #expect(read(open, &bytes, bytes.count) == bytes.count && bytes.allSatisfy { $0 == 0 })
        close(open)
        try MemoryMount.remove(folder)
        #expect(FileManager.default.fileExists(atPath: "/etc/passwd"))
    }
}
