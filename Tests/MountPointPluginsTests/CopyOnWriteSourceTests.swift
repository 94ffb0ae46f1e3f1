// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import MountPointPlugins

@Suite("copy-on-write, sources", .needs(.root))
struct CopyOnWriteSourceTests {
    @Test("A kind of mount that it can do nothing for is a denial that says so") func denials() async throws {
        try await withCopiedSource { source, host in
            let plugin = try host.plugin(of: CopyOnWriteKind.self)
            func refusal(_ options: String, _ source: String, _ configure: @escaping (inout MountPoint) -> Void = { _ in }) async -> String
            {
                let request = MountPointAttachRequest(copyOnWrite: source, options: options, configure: configure)
                do {
                    _ = try await plugin.attach(request)
                    try? await plugin.detach(MountPointDetachRequest(id: request.id, reason: .ended))
                    return "attached"
                } catch {
                    return "\(error)"
                }
            }
            #expect(await refusal("keep", source) { $0.readOnly = true }.contains("read-only"))
            #expect(await refusal("keep", source) { $0.propagation = MountPoint.Propagation(rawValue: "rshared") }.contains("rshared"))
            #expect(await refusal("kepp", source).contains("kepp is not known"))
            #expect(await refusal("keep,commit", source).contains("exclude each other"))
            #expect(await refusal("reuse=../x", source).contains("a name is of"))
            mkfifo("\(source)/fifo", 0o600)
            #expect(await refusal("keep", "\(source)/fifo").contains("neither a folder nor a regular file"))
            // Two overlays on one another are as many as the kernel has.
            let first = try await CopyOnWriteRun(source, "discard", on: host, id: "1")
            let second = try await CopyOnWriteRun(first.shown, "memory=1m", on: host, id: "2")
            #expect(await refusal("memory=1m", second.shown).contains("overlays deep"))
            try await second.end()
            try await first.end()
            #expect(host.changes == [] && MountTable.isFree(below: host.root.string))
        }
    }

    @Test("A single file is changed, and replaced at the end") func singleFile() async throws {
        try await withCopiedSource { source, host in
            let run = try await CopyOnWriteRun("\(source)/one", "commit", on: host)
            #expect(run.shown.hasSuffix("/one"))
            try "new\n".write(toFile: run.shown, atomically: false, encoding: .utf8)
            #expect(text("\(source)/one") == "old one\n")
            let before = TreePicture.of(source).filter { !$0.hasPrefix("./one") }
            try await run.end()
            #expect(text("\(source)/one") == "new\n" && TreePicture.of(source).filter { !$0.hasPrefix("./one") } == before)
        }
    }

    @Test("Mounts below the source are seen and cannot be written; sockets below it answer") func innerMounts() async throws {
        try await withCopiedSource { source, host in
            mkdir("\(source)/inner", 0o755)
            try systemCall("mount", on: source) { mount("tmpfs", "\(source)/inner", "tmpfs", 0, "") }
            try "inner\n".write(toFile: "\(source)/inner/file", atomically: false, encoding: .utf8)
            let listener = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
            defer { close(listener) }
            #expect(Self.withAddress("\(source)/sub/socket") { bind(listener, $0, $1) } == 0 && listen(listener, 1) == 0)
            let run = try await CopyOnWriteRun(source, "commit", on: host)
            #expect(text("\(run.shown)/inner/file") == "inner\n")
            #expect(throws: (any Error).self) { try run.write("inner/file", "no") }
            let client = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
            defer { close(client) }
            // An address has 107 bytes at most.
            let folder = open("\(run.shown)/sub", O_RDONLY | O_CLOEXEC | O_DIRECTORY)
            #expect(Self.withAddress("/proc/self/fd/\(folder)/socket") { connect(client, $0, $1) } == 0)
            close(folder)
            try run.write("one", "new\n")
            try await run.end()
            #expect(text("\(source)/one") == "new\n" && text("\(source)/inner/file") == "inner\n")
            #expect(MountTable.isFree(below: host.root.string))
        }
    }

    @Test("A link that a container has put on the way to an inner mount leads to nothing outside") func innerMountBehindLink() async throws
    {
        try await withCopiedSource { source, host in
            mkdir("\(source)/sub/inner", 0o755)
            try systemCall("mount", on: source) { mount("tmpfs", "\(source)/sub/inner", "tmpfs", 0, "") }
            try await withScratchFolder { outside in
                mkdir(outside.appending("inner").string, 0o755)
                let first = try await CopyOnWriteRun(source, "reuse=work", on: host)
                rename("\(first.shown)/sub", "\(first.shown)/away")
                #expect(symlink(outside.string, "\(first.shown)/sub") == 0)
                try await first.end()
                let second = try await CopyOnWriteRun(source, "reuse=work", on: host)
                #expect(MountTable.isFree(below: outside.string))
                try await second.end()
            }
            #expect(MountTable.isFree(below: host.root.string) && !MountTable.isFree(below: source))
        }
    }

    private static func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt) -> CInt {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }

    @Test("Owners behind an id-mapped mount are those of the source again") func mappedSource() async throws {
        try await withCopiedSource { source, host in
            let ownership = try host.plugin(of: OwnershipKind.self)
            for name in ["", "/one", "/two", "/sub", "/sub/three"] { chown(source + name, 1000, 1000) }
            waitForTick()
            let mount = MountPoint.bind(source, "/work", labels: ["mountpoint.ownership": "/work"]) {
                $0.container.user = ContainerDescription.User(uid: 0, gid: 0)
            }
            let id = String(repeating: "a", count: 64)
            let mapped = try #require(try await ownership.attach(MountPointAttachRequest(id: id, mounts: [mount])).first).changes
                .effectiveSource
            let run = try await CopyOnWriteRun(mapped, "commit", on: host)
            try run.write("one", "new\n")
            try run.write("made", "new\n")
            try await run.end()
            try await ownership.detach(MountPointDetachRequest(id: id, reason: .ended))
            var status = stat()
            for name in ["one", "made"] {
                #expect(lstat("\(source)/\(name)", &status) == 0 && status.st_uid == 1000 && status.st_gid == 1000)
            }
            #expect(text("\(source)/one") == "new\n")
        }
    }
}
