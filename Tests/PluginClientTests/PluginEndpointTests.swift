// SPDX-License-Identifier: AGPL-3.0-or-later

import PluginClient
import Testing

@Suite struct PluginEndpointTests {
    @Test(
        arguments: [
            ("unix:///run/x.sock", .unix(path: "/run/x.sock"), nil),
            ("tcp://127.0.0.1:8080", .tcp(host: "127.0.0.1", port: 8080), nil),
            ("http://127.0.0.1:8080", .tcp(host: "127.0.0.1", port: 8080), "tcp://127.0.0.1:8080"),
            ("http://localhost:1/", .tcp(host: "localhost", port: 1), "tcp://localhost:1"),
            ("tcp://[::1]:65535", .tcp(host: "::1", port: 65535), nil),
            ("http://[fe80::1]", .tcp(host: "fe80::1", port: 80), "tcp://[fe80::1]:80"),
            ("tcp://storage", .tcp(host: "storage", port: 80), "tcp://storage:80"),
        ] as [(String, PluginAddress, String?)])
    func addresses(_ text: String, _ address: PluginAddress, _ spelling: String?) throws {
        #expect(try PluginAddress(text) == address)
        #expect(address.description == spelling ?? text)
        #expect(try PluginAddress(address.description) == address)
    }

    @Test(arguments: [
        ("", "empty"), ("/run/x.sock", "begins with none of"), ("127.0.0.1:80", "begins with none of"),
        ("UNIX:///x", "begins with none of"),
        ("npipe://x", "begins with none of"), ("https://127.0.0.1:443", "TLS is not supported"), ("unix://run/x.sock", "absolute path"),
        ("unix://", "absolute path"), ("tcp://", "no host"), ("tcp://:80", "no host"), ("tcp://a:", "port"), ("tcp://a:0", "port"),
        ("tcp://a:65536", "port"), ("tcp://a:+1", "port"), ("tcp://a: 80", "space"), ("tcp://::1:80", "brackets"), ("tcp://[::1", "]"),
        ("tcp://[::1]80", "only a port"), ("http://a:80/path", "nothing may follow"), ("http://user@a:80", "@"), ("unix:///a%20b", "%"),
        ("http://a:80?x", "?"), ("unix:///a\nunix:///b", "second line"), ("unix:///a\u{0}", "control character"),
    ])
    func addressesThatAreRefused(_ text: String, _ reason: String) {
        let error = #expect(throws: PluginAddressError.self) { try PluginAddress(text) }
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    }

    @Test(arguments: ["a", "my-plugin_2.x", "a..b", "caf\u{e9}", "with space", String(repeating: "x", count: 128)])
    func names(_ text: String) throws {
        #expect(try PluginName(text).text == text)
    }

    @Test(arguments: [
        ("", "empty"), (".", "dot"), ("..", "dot"), (".hidden", "dot"), ("a/b", "/"), ("/etc/passwd", "/"), ("../../x", "dot"),
        ("vieux/sshfs:latest", "managed plugins"), ("a\u{0}b", "control"), ("a\nb", "control"), ("a\u{7f}", "control"),
        ("a\u{9b}2J", "control"), ("a\u{202e}b", "control"), (String(repeating: "x", count: 129), "129 bytes"),
        (String(repeating: "\u{e9}", count: 65), "130 bytes"),
    ])
    func namesThatAreRefused(_ text: String, _ reason: String) {
        let error = #expect(throws: PluginClientError.self) { try PluginName(text) }
        #expect(error?.kind == .notSent)
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
        #expect(error?.message.utf8.allSatisfy { $0 >= 0x20 } == true)
    }
}
