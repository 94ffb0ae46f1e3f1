// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

struct SocketStateTests {
    /// A socket bound to the path; listening if a backlog is given.
    private func bound(_ path: FilePath, backlog: CInt?) throws -> CInt {
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.string.utf8)) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        try #require(result == 0)
        if let backlog { try #require(listen(descriptor, backlog) == 0) }
        return descriptor
    }

    @Test func tellsWhetherSomebodyListens() async throws {
        try await withScratchFolder { folder in
            let path = folder.appending("s")
            #expect(SocketState(of: path) == .missing)
            let descriptor = try bound(path, backlog: 8)
            #expect(SocketState(of: path) == .listening)
            close(descriptor)
            #expect(SocketState(of: path) == .dead)
        }
    }

    /// A daemon that is behind with accepting still lives.
    @Test func aFullBacklogIsNotDeath() async throws {
        try await withScratchFolder { folder in
            let path = folder.appending("s")
            let descriptor = try bound(path, backlog: 0)
            defer { close(descriptor) }
            for _ in 0..<8 { #expect(SocketState(of: path) == .listening) }
        }
    }

    @Test func tellsWhatIsNoSocket() async throws {
        try await withScratchFolder { folder in
            try replaceFile(folder.appending("file"), with: [])
            #expect(SocketState(of: folder.appending("file")) == .notASocket)
            #expect(SocketState(of: folder) == .notASocket)
            #expect(
                SocketState(of: folder.appending("file/x"))
                    == .unknown(SystemError("lstat", .notDirectory, on: folder.appending("file/x").string)))
        }
    }
}
