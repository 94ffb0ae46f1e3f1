// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import PluginServer
import SystemPackage
import Testing

@Suite struct SocketActivationTests {
    @Test func takesTheSocketsInTheirOrder() async throws {
        try await withTemporaryFolder { folder in
            let paths = ["test.sock", "other.sock"].map { folder.appending($0) }
            for (index, path) in paths.enumerated() {
                try TestSocket(SOCK_STREAM, at: path.string, listening: true).copy(to: 700 + CInt(index))
            }
            defer { for descriptor: CInt in 700...701 { close(descriptor) } }
            let sockets = try SocketActivation.sockets(.init(process: "42", count: "2", names: "nfs:"), process: 42, firstDescriptor: 700)
            #expect(sockets.map(\.name) == ["nfs", ""])
            #expect(sockets.map(\.path) == paths)
            #expect(sockets.map(\.descriptor.rawValue) == [700, 701])
            for socket in sockets { #expect(fcntl(socket.descriptor.rawValue, F_GETFD) == FD_CLOEXEC) }
        }
    }

    @Test func takesAnAbstractSocketAndOneWithoutAName() throws {
        try TestSocket(SOCK_STREAM, at: "@docker-nfsd-test-\(getpid())", listening: true).copy(to: 710)
        defer { close(710) }
        let sockets = try SocketActivation.sockets(.init(process: "42", count: "1"), process: 42, firstDescriptor: 710)
        #expect(sockets.map(\.name) == ["unknown"])
        #expect(sockets.map(\.path) == [nil])
    }

    @Test(arguments: [
        SocketActivation.Variables(), .init(process: "42"), .init(count: "1"), .init(process: "41", count: "1", names: "a"),
        .init(process: "42", count: "0"),
    ])
    func findsNothingThatIsNotMeantForIt(variables: SocketActivation.Variables) throws {
        #expect(try SocketActivation.sockets(variables, process: 42, firstDescriptor: 720).isEmpty)
    }

    @Test(arguments: [
        SocketActivation.Variables(process: "x", count: "1"), .init(process: "42", count: "-1"), .init(process: "42", count: "99999999"),
        .init(process: "42", count: ""), .init(process: "42", count: "1", names: "a:b"),
        // Not open at all.
        .init(process: "42", count: "1", names: "a"),
    ])
    func refusesWhatMakesNoSense(variables: SocketActivation.Variables) {
        #expect(throws: (any Error).self) { try SocketActivation.sockets(variables, process: 42, firstDescriptor: 730) }
    }

    @Test func refusesSocketsOfOtherKinds() async throws {
        try await withTemporaryFolder { folder in
            for kind in 0..<3 {
                switch kind {
                case 0: try TestSocket(SOCK_STREAM).copy(to: 740)
                case 1: try TestSocket(SOCK_DGRAM, at: folder.appending("test.sock").string).copy(to: 740)
                default: dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 740)
                }
                defer { close(740) }
                let error = #expect(throws: PluginServerError.self) {
                    try SocketActivation.sockets(.init(process: "42", count: "1", names: "nfs"), process: 42, firstDescriptor: 740)
                }
                #expect(error?.description.hasPrefix("descriptor 740 (nfs) from systemd is no listening UNIX stream socket") == true)
            }
        }
    }

    /// In a process of its own, since others here may be reading the environment.
    @Test func clearsTheEnvironment() async {
        await #expect(processExitsWith: .success) {
            setenv("LISTEN_PID", "1", 1)
            setenv("LISTEN_FDS", "1", 1)
            setenv("LISTEN_FDNAMES", "a", 1)
            let sockets = try SocketActivation.takeSockets()
            #expect(sockets.isEmpty)
            for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { #expect(getenv(name) == nil) }
        }
    }
}
