// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage
import Testing

struct LoopbackAddressTests {
    @Test(arguments: ["127.0.0.1:1", "127.0.0.1:9323", "[::1]:65535"])
    func isReadAndShownAlike(text: String) { #expect(LoopbackAddress(text)?.description == text) }

    @Test(arguments: [
        "", ":9323", "9323", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:+1", "127.0.0.1: 1", "127.0.0.1:1 ",
        "127.0.0.2:1", "0.0.0.0:9323", "[::]:9323", "::1:9323", "[::1]", "[::1]:", "localhost:9323", "192.0.2.1:1",
        "127.0.0.1:99999999999999999999",
        "127.0.0.1:١",
    ])
    func nothingElseIsOne(text: String) { #expect(LoopbackAddress(text) == nil) }

    /// Both families: a port that somebody listens at is not given to another.
    @Test(arguments: ["127.0.0.1", "[::1]"])
    func listensThereAndNowhereElse(host: String) throws {
        // A port that is free at the moment may be taken a moment later.
        for port in (20_000...60_000).shuffled().prefix(20) {
            let address = try #require(LoopbackAddress("\(host):\(port)"))
            guard let descriptor = try? address.listen() else { continue }
            defer { try? descriptor.close() }
            let bare = try #require(InternetAddress(host == "[::1]" ? "::1" : host))
            let number = try #require(UInt16(exactly: port))
            #expect(ListeningSockets.inodes(of: bare, port: number).count == 1)
            let elsewhere = try #require(InternetAddress(host == "[::1]" ? "127.0.0.1" : "::1"))
            #expect(ListeningSockets.inodes(of: elsewhere, port: number).isEmpty)
            let error = #expect(throws: SystemError.self) { try address.listen() }
            #expect(error?.description.contains("bind \(host):\(port): Address already in use") == true, "\(String(describing: error))")
            return
        }
        Issue.record("no port is free")
    }
}
