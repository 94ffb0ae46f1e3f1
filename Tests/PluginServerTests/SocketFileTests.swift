// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import PluginServer
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(1))) struct SocketFileTests {
    func server(at path: FilePath) -> PluginServer {
        let listener = PluginListener(name: "test", socket: .path(path), service: service())
        return PluginServer(listeners: [listener], logger: logger(writingTo: EventLog()))
    }

    func mode(of path: FilePath) -> mode_t? {
        var status = stat()
        return lstat(path.string, &status) == 0 ? status.st_mode : nil
    }

    @Test func makesTheFolderAndAPrivateSocketAndRemovesIt() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.appending("sub/test.sock")
            let server = server(at: path)
            try await server.start()
            #expect(mode(of: path) == S_IFSOCK | 0o600)
            #expect(mode(of: folder.appending("sub")) == S_IFDIR | 0o755)
            #expect(try await RawClient(path).call("/Plugin.Activate").status == 200)
            await server.stop()
            #expect(mode(of: path) == nil)
            #expect(mode(of: folder.appending("sub")) != nil)
            #expect(throws: (any Error).self) { try RawClient(path) }
            await server.stop()
        }
    }

    @Test func replacesASocketThatADeadProcessLeft() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.appending("test.sock")
            do { _ = try TestSocket(SOCK_STREAM, at: path.string, listening: true) }
            #expect(mode(of: path) != nil)
            let server = server(at: path)
            try await server.start()
            #expect(try await RawClient(path).call("/Plugin.Activate").status == 200)
            await server.stop()
        }
    }

    @Test func refusesASocketWhereSomeoneListens() async throws {
        try await withServer { fixture in
            let second = server(at: fixture.path)
            let error = await #expect(throws: PluginServerError.self) { try await second.start() }
            #expect(error?.description == "another process listens at \(fixture.path); stop it first")
            await second.stop()
            let client = try fixture.client()
            #expect(try await client.call("/Plugin.Activate").status == 200)
        }
    }

    @Test func refusesALiveSocketWithAFullQueue() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.appending("test.sock")
            let live = try TestSocket(SOCK_STREAM, at: path.string, listening: true)
            listen(live.descriptor, 0)
            let waiting = try RawClient(path)
            let error = await #expect(throws: PluginServerError.self) { try await server(at: path).start() }
            #expect(error?.description.contains("another process listens") == true)
            waiting.leave()
            _ = live
        }
    }

    @Test func refusesAndKeepsWhatIsNoSocket() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.appending("test.sock")
            close(open(path.string, O_CREAT | O_WRONLY | O_CLOEXEC, 0o644))
            let error = await #expect(throws: PluginServerError.self) { try await server(at: path).start() }
            #expect(error?.description == "\(path) is there and is no socket; remove it, or choose another socket path")
            #expect(mode(of: path) == S_IFREG | 0o644)
            unlink(path.string)
            // Nor is a link followed.
            symlink("/dev/null", path.string)
            await #expect(throws: PluginServerError.self) { try await server(at: path).start() }
            unlink(path.string)
            mkdir(path.string, 0o700)
            await #expect(throws: PluginServerError.self) { try await server(at: path).start() }
            #expect(mode(of: path) == S_IFDIR | 0o700)
        }
    }

    @Test(arguments: ["relative.sock", "/tmp/" + String(repeating: "long", count: 30)])
    func refusesAPathThatCannotBeASocket(path: String) async throws {
        let error = await #expect(throws: PluginServerError.self) { try await server(at: FilePath(path)).start() }
        #expect(error?.description == "\(path) cannot be a socket: the path must be absolute and have at most 107 bytes")
    }

    @Test func leavesNothingBehindWhenASecondListenerCannotStart() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.appending("test.sock")
            let listeners = [path, FilePath("relative.sock")].map {
                PluginListener(name: "test", socket: .path($0), service: service())
            }
            let server = PluginServer(listeners: listeners, logger: logger(writingTo: EventLog()))
            await #expect(throws: PluginServerError.self) { try await server.start() }
            #expect(mode(of: path) == nil)
        }
    }

    @Test func keepsASocketThatHasTakenThePlaceOfItsOwn() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.appending("test.sock")
            let first = server(at: path)
            try await first.start()
            rename(path.string, folder.appending("test.sock.old").string)
            let second = server(at: path)
            try await second.start()
            await first.stop()
            #expect(try await RawClient(path).call("/Plugin.Activate").status == 200)
            await second.stop()
            #expect(mode(of: path) == nil)
        }
    }

    @Test func servesSeveralDrivers() async throws {
        try await withTemporaryFolder { folder in
            let drivers = [TestDriver(), TestDriver(volumes: [])]
            let paths = ["test.sock", "other.sock"].map { folder.appending($0) }
            let listeners = zip(drivers, paths).map { PluginListener(name: "test", socket: .path($1), service: service($0)) }
            let server = PluginServer(listeners: listeners, logger: logger(writingTo: EventLog()))
            try await server.start()
            #expect(try await RawClient(paths[0]).call("/VolumeDriver.Get", #"{"Name":"v"}"#).status == 200)
            #expect(try await RawClient(paths[1]).call("/VolumeDriver.Get", #"{"Name":"v"}"#).status == 500)
            await server.stop()
            #expect(paths.allSatisfy { mode(of: $0) == nil })
        }
    }

    @Test func servesAnInheritedSocketAndLeavesItsFile() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.appending("test.sock")
            let original = try TestSocket(SOCK_STREAM, at: path.string, listening: true)
            // Queued before the server starts, as systemd's clients are.
            let early = try RawClient(path)
            try await early.sendCall("/Plugin.Activate", "")
            let copy = FileDescriptor(rawValue: dup(original.descriptor))
            let listener = PluginListener(name: "test", socket: .inherited(copy), service: service())
            let server = PluginServer(listeners: [listener], logger: logger(writingTo: EventLog()))
            try await server.start()
            #expect(try await early.answer().status == 200)
            #expect(try await RawClient(path).call("/VolumeDriver.List").status == 200)
            await server.stop()
            #expect(mode(of: path) != nil)
            // The other holder's copy still listens.
            _ = try RawClient(path)
        }
    }
}

private func service(_ driver: TestDriver = TestDriver()) -> VolumeService { VolumeService(driver, logger: logger(writingTo: EventLog())) }
