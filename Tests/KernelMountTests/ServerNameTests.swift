// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import Testing

struct ServerNameTests {
    @Test(arguments: [
        ("nas", "nas"), ("nas.example.org", "nas.example.org"), ("NAS_1", "NAS_1"), ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "[2001:db8::7]"),
        ("[2001:db8::7]", "[2001:db8::7]"), ("::1", "[::1]"), ("fe80::7%eth0", "[fe80::7%eth0]"), ("[fe80::7%eth0]", "[fe80::7%eth0]"),
        ("::ffff:192.0.2.7", "[::ffff:192.0.2.7]"), ("bücher.example", "bücher.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ])
    func hostsAndAddresses(text: String, label: String) throws {
        let name = try #require(ServerName(text))
        #expect(name.sourceLabel == label)
        #expect(!name.text.contains("["))
        #expect(name.isIPv6Literal == label.hasPrefix("["))
    }

    @Test(arguments: [
        "", "[]", "[::1", "::1]", "[nas]", "[192.0.2.7]", "a b", "a/b", "nas:/export", "nas:2049", ":", "::g", "1:2", "fe80::7%",
        "nas%eth0", "a,b", "a=b",
        "a\nb", "a\0", "-nas", "--help", "a@b", "a;b", "$(x)", "a'b", "a\"b", "a\\b", "..%2f/", "fe80::1%a/b",
        // An accent makes the colon another character to Swift, not to the kernel.
        "nas:\u{301}x", "nas%\u{301}x",
    ])
    func whatCannotBeAHostIsRefused(text: String) {
        #expect(ServerName(text) == nil)
    }

    @Test func namesHaveALength() {
        #expect(ServerName(String(repeating: "a", count: 253)) != nil)
        #expect(ServerName(String(repeating: "a", count: 254)) == nil)
        #expect(ServerName(String(repeating: "ä", count: 127)) == nil)
    }

    @Test func bracketsMakeNoDifference() {
        #expect(ServerName("[2001:db8::7]") == ServerName("2001:db8::7"))
    }
}
