// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import PluginServer
import SystemPackage
import Testing

@Suite struct ServiceNotificationTests {
    @Test func sendsTheVariablesOfTheProtocol() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.appending("test.sock").string
            let socket = try TestSocket(SOCK_DGRAM, at: path)
            let notification = ServiceNotification(socket: path)
            try notification.ready()
            #expect(socket.receive() == "READY=1")
            try notification.ready(status: "3 volumes")
            #expect(socket.receive() == "READY=1\nSTATUS=3 volumes")
            try notification.status("two\r\nlines\nREADY=1")
            #expect(socket.receive() == "STATUS=two lines READY=1")
            try notification.stopping()
            #expect(socket.receive() == "STOPPING=1")
        }
    }

    @Test func sendsToAnAbstractSocket() throws {
        let name = "@docker-nfsd-notify-\(getpid())"
        let socket = try TestSocket(SOCK_DGRAM, at: name)
        try ServiceNotification(socket: name).stopping(status: "bye")
        #expect(socket.receive() == "STOPPING=1\nSTATUS=bye")
    }

    @Test func doesNothingWithoutASocket() throws {
        try ServiceNotification(socket: nil).ready(status: "x")
    }

    @Test(arguments: ["", "/nowhere/notify", String(repeating: "long", count: 30)])
    func failsWhereNobodyReads(socket: String) {
        #expect(throws: SystemError.self) { try ServiceNotification(socket: socket).ready() }
    }
}
