// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Testing

@Suite struct InternetAddressTests {
    @Test(
        arguments: [
            ("127.0.0.1", [127, 0, 0, 1], true, false), ("127.255.0.9", [127, 255, 0, 9], true, false),
            ("0.0.0.0", [0, 0, 0, 0], false, true),
            ("192.0.2.1", [192, 0, 2, 1], false, false), ("::1", Array(repeating: 0, count: 15) + [1], true, false),
            ("::", Array(repeating: 0, count: 16), false, true),
            ("2001:db8::7f", [0x20, 1, 0xd, 0xb8] + Array(repeating: 0, count: 11) + [0x7f], false, false),
        ] as [(String, [UInt8], Bool, Bool)])
    func areReadInNumericForm(_ text: String, _ bytes: [UInt8], _ isLoopback: Bool, _ isWildcard: Bool) throws {
        let address = try #require(InternetAddress(text))
        #expect(address.bytes == bytes)
        #expect(address.isLoopback == isLoopback)
        #expect(address.isWildcard == isWildcard)
    }

    @Test(arguments: ["", "localhost", "127.1", "127.0.0.1 ", "0x7f000001", "[::1]", "::1%lo", "1.2.3.4.5", "127.0.0.1\u{0}x"])
    func otherTextIsNoAddress(_ text: String) { #expect(InternetAddress(text) == nil) }

    @Test func asIPv6() {
        #expect(InternetAddress("192.0.2.1")?.mapped == InternetAddress("::ffff:192.0.2.1"))
        #expect(InternetAddress("::1")?.mapped == InternetAddress("::1"))
    }
}
