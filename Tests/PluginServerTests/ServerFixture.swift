// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import Logging
import PluginServer
import SystemPackage
import TestSupport

/// A server on a socket in a folder of its own.
struct ServerFixture: Sendable {
    let driver: TestDriver
    let server: PluginServer
    let path: FilePath
    let log: EventLog

    func client() throws -> RawClient { try RawClient(path) }
}

/// Starts a server, and stops it and removes its folder however `body` ends.
func withServer(
    _ driver: TestDriver = TestDriver(), administration: (any VolumeAdministration)? = nil, limits: ServerLimits = ServerLimits(),
    _ body: (ServerFixture) async throws -> Void
) async throws {
    try await withTemporaryFolder { folder in
        let log = EventLog()
        let path = folder.appending("test.sock")
        let listener = PluginListener(
            name: "test", socket: .path(path),
            service: VolumeService(driver, administration: administration, logger: logger(writingTo: log)))
        let server = PluginServer(listeners: [listener], logger: logger(writingTo: log), limits: limits)
        try await server.start()
        do {
            try await body(ServerFixture(driver: driver, server: server, path: path, log: log))
        } catch {
            driver.open()
            await server.stop()
            throw error
        }
        driver.open()
        await server.stop()
    }
}

func withTemporaryFolder(_ body: (FilePath) async throws -> Void) async throws {
    var template = Array("/tmp/plugin-server-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw RawClient.Failure(description: "mkdtemp") }
    let folder = FilePath(String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
    defer {
        for name in ["test.sock", "other.sock", "sub/test.sock", "test.sock.old"] { unlink(folder.appending(name).string) }
        for name in ["sub", "test.sock", ""] { rmdir(folder.appending(name).string) }
    }
    try await body(folder)
}

func logger(writingTo log: EventLog) -> Logger { capturingLogger { log.add($0) } }
