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
        arguments: [
            "sise=1m", "size=", "size=0", "size=1x", "size=1m=", "mode=8", "mode=77777", "uid=-1", "uid=4294967295", "exec=1", "a",
            "scope=", "scope=both",
        ])
    func wrong(_ word: String) {
        #expect(
            throws: PluginError(
                "\(word) is not known, or its value is wrong; there are size=SIZE, mode=OCTAL, uid=UID, gid=GID, nr_inodes=NUMBER, exec, scope=volume, scope=container, separated by commas"
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
        close(Glibc.open(hostile, O_WRONLY | O_CLOEXEC | O_CREAT, 0o600))
        let open = Glibc.open(folder + "/d/secret", O_RDONLY | O_CLOEXEC)
        try wipeTree(at: FilePath(folder))
        #expect(try namesInFolder(FilePath(folder)) == [])
        var bytes = [UInt8](repeating: 1, count: 200_000)
        #expect(read(open, &bytes, bytes.count) == bytes.count && bytes.allSatisfy { $0 == 0 })
        close(open)
        try MemoryMount.remove(folder)
        #expect(FileManager.default.fileExists(atPath: "/etc/passwd"))
    }

    @Test("What cannot be wiped stays, each detach says so, and the rest is wiped; when it can be, it is", .needs(.root))
    func stuck() async throws {
        guard MemoryMount.knowsNoSwap else { return }
        let plugin = try host.plugin(of: NoSwapKind.self)
        let label: StringMap = ["mountpoint.noswap": "/m"]
        let answer = try await plugin.attach(MountPointAttachRequest(id: "c1", mounts: [.bind("/x", "/m", labels: label)]))
        let folder = try #require(answer.first?.changes.effectiveSource)
        let files = ["\(folder)/in/key", "\(folder)/key", "\(folder)/z/key"]
        for file in files {
            try FileManager.default.createDirectory(atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try "key".write(toFile: file, atomically: false, encoding: .utf8)
        }
        try systemCall("mount", on: files[0]) { mount(files[0], files[0], nil, UInt(MS_BIND), nil) }
        try systemCall("mount", on: "z") { mount("tmpfs", "\(folder)/z", "tmpfs", 0, nil) }
        for _ in 0..<2 {
            await #expect {
                try await plugin.detach(MountPointDetachRequest(id: "c1"))
            } throws: { error in
                let text = (error as? DetachError)?.message ?? ""
                return text.hasPrefix("/m: its memory cannot be taken away: ")
                    && text.hasSuffix("it was not wiped and stays; to have it freed as it is, unmount \(folder)")
                    && text.contains(folder + "/")
            }
            #expect(!FileManager.default.fileExists(atPath: files[1]) && host.left(of: "noswap") == ["c1.0", "c1.json"])
        }
        plugin.recover()
        #expect(try MountTable.topmost(at: folder) != nil)
        umount2("\(folder)/z", 0)
        umount2(files[0], 0)
        try await plugin.detach(MountPointDetachRequest(id: "c1"))
        #expect(host.left(of: "noswap") == [])
    }

    @Test("Files that are immutable, or may only be appended to, are wiped and removed like others", .needs(.root))
    func immutable() async throws {
        let folder = host.root.appending("immutable").string
        mkdir(folder, 0o700)
        try MemoryMount.make("tmpfs", at: folder, options: [("size", "1m")], isNoSwap: false, attributes: [])
        mkdir(folder + "/in", 0o700)
        let secret = folder + "/in/secret"
        try "key".write(toFile: secret, atomically: false, encoding: .utf8)
        let result = try await command(["sh", "-c", "chattr +i \(secret) && chattr +a \(folder)/in && chattr +i \(folder)"])
        // Linux 6.6.
        guard result.status == 0 else { return try MemoryMount.remove(folder) }
        let open = Glibc.open(secret, O_RDONLY | O_CLOEXEC)
        defer { close(open) }
        try wipeTree(at: FilePath(folder))
        #expect(try namesInFolder(FilePath(folder)) == [])
        var bytes: [UInt8] = [1, 1, 1]
        #expect(read(open, &bytes, 3) == 3 && bytes == [0, 0, 0])
        try MemoryMount.remove(folder)
    }

    @Test("A kernel without noswap: a denial, or ramfs for a container with a memory limit", .needs(.root))
    func fallback() async throws {
        // In a user namespace of its own, a kernel refuses noswap and allows ramfs.
        let script = #"""
            set -e
            cd "$1"; export MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY=$1 MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY=$1 MOUNTPOINT_PLUGIN_STATE_DIRECTORY=$1/lib
            export MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY=$1/run MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY=$1/docker
            serve() { echo "$1" >noswap.json; : >log; "$program" noswap >log 2>&1 & until grep -q 'serves noswap' log; do sleep 0.05; done; }
            ask() { curl -s --unix-socket noswap.sock -X POST "http://plugin/MountPointPlugin.MountPoint$1" -d "$2"; echo; }
            container='"ID": "c1", "Mounts": [{"Type": "bind", "Source": "/x", "Destination": "/m", "EffectiveSource": "/x",
              "Container": {"Labels": {"mountpoint.noswap": "/m:mode=0700,exec"}}}]'
            program=$2
            serve '{}'; ask Attach "{$container}"; kill $!; wait $! || true
            serve '{"fallback": "ramfs"}'; ask Attach "{$container}"
            mkdir -p docker/containers/c1; echo '{"Memory": 16777216}' >docker/containers/c1/hostconfig.json
            ask Attach "{$container}" | grep -o 'EffectiveSource":"[^"]*' | sed 's,.*/,,'
            awk '$5 ~ /c1[.]0$/ && ($9 == "ramfs" || $8 == "ramfs") { print $6, $NF }' /proc/self/mountinfo
            echo key >lib/noswap/c1.0/key; ask Detach '{"ID": "c1"}'; ls -A lib/noswap; kill $!; wait $! || true
            """#
        let program = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path + "/mountpoint-plugin"
        let result = try await command(
            ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c", script, "bash", host.root.string, program])
        let lines = result.output.split(separator: "\n").map(String.init)
        try #require(result.status == 0 && lines.count == 5, "\(result)")
        #expect(lines[0].contains("/m: this kernel has no tmpfs that stays out of swap (Linux 6.4); set "), "\(result)")
        #expect(lines[1].contains("/m: ramfs has no size of its own, so the container needs a memory limit (--memory)"), "\(result)")
        #expect(lines[2] == "c1.0" && lines[3].hasPrefix("rw,nosuid,nodev,relatime ") && lines[3].hasSuffix("rw,mode=700"), "\(result)")
        #expect(lines[4].contains(#""Success":true"#), "\(result)")
    }
}
