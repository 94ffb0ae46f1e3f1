// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import TestSupport
import Testing

@Suite struct ListeningSocketsTests {
    /// A listening socket; closed at the end.
    private final class Listener {
        let descriptor: CInt
        var port: UInt16 = 0

        init(_ text: String, port: UInt16 = 0, sharesPort: Bool = false) throws {
            let address = try #require(InternetAddress(text))
            descriptor = socket(address.isIPv6 ? AF_INET6 : AF_INET, CInt(SOCK_STREAM.rawValue), 0)
            var on: CInt = 1
            if sharesPort { setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, 4) }
            // sockaddr_in and sockaddr_in6: the family, the port, and the address behind them at 4 or 8.
            var storage = sockaddr_storage()
            storage.ss_family = sa_family_t(address.isIPv6 ? AF_INET6 : AF_INET)
            withUnsafeMutableBytes(of: &storage) {
                $0.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self)
                UnsafeMutableRawBufferPointer(rebasing: $0[(address.isIPv6 ? 8 : 4)...]).copyBytes(from: address.bytes)
            }
            var length = socklen_t(address.isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size)
            let descriptor = descriptor
            let done = withUnsafeMutablePointer(to: &storage) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, length) == 0 && listen(descriptor, 4) == 0 && getsockname(descriptor, $0, &length) == 0
                }
            }
            if !done { throw Trouble("bind \(text): \(String(cString: strerror(errno)))") }
            self.port = UInt16(bigEndian: withUnsafeBytes(of: storage) { $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self) })
        }

        deinit { close(descriptor) }

        var inode: UInt64 {
            var status = stat()
            return fstat(descriptor, &status) == 0 ? UInt64(status.st_ino) : 0
        }
    }

    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1", true), ("0.0.0.0", "127.0.0.1", true), ("::", "127.0.0.1", true), ("::", "::1", true),
        ("::1", "::1", true),
        ("127.0.0.1", "127.0.0.2", false), ("::1", "127.0.0.1", false), ("0.0.0.0", "::1", false), ("127.0.0.1", "::1", false),
    ])
    func whoTakesAConnection(_ bound: String, _ target: String, _ isFound: Bool) throws {
        let listener = try Listener(bound)
        let inodes = ListeningSockets.inodes(of: try #require(InternetAddress(target)), port: listener.port)
        #expect(inodes == (isFound ? [listener.inode] : []))
        #expect(listener.inode != 0)
        #expect(ListeningSockets.receiver(of: try #require(InternetAddress(target)), port: listener.port) == inodes.first)
    }

    @Test func theMoreExactOneComesFirst() throws {
        let exact = try Listener("127.0.0.1", sharesPort: true)
        let wildcard = try Listener("0.0.0.0", port: exact.port, sharesPort: true)
        #expect(ListeningSockets.inodes(of: try #require(InternetAddress("127.0.0.1")), port: exact.port) == [exact.inode])
        #expect(ListeningSockets.inodes(of: try #require(InternetAddress("127.0.0.2")), port: exact.port) == [wildcard.inode])
        #expect(ListeningSockets.receiver(of: try #require(InternetAddress("127.0.0.1")), port: exact.port) == exact.inode)
        #expect(ListeningSockets.receiver(of: try #require(InternetAddress("127.0.0.2")), port: exact.port) == wildcard.inode)
    }

    @Test func severalThatShareAPort() throws {
        let first = try Listener("127.0.0.1", sharesPort: true)
        let second = try Listener("127.0.0.1", port: first.port, sharesPort: true)
        let inodes = ListeningSockets.inodes(of: try #require(InternetAddress("127.0.0.1")), port: first.port)
        #expect(inodes.sorted() == [first.inode, second.inode].sorted())
    }

    @Test func whoHoldsASocket() throws {
        let listener = try Listener("127.0.0.1")
        #expect(ListeningSockets.isHeld(listener.inode, by: getpid()) == true)
        #expect(ListeningSockets.isHeld(UInt64.max, by: getpid()) == false)
        #expect(ListeningSockets.isHeld(listener.inode, by: CInt.max) == nil)
    }
}
