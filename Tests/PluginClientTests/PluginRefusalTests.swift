// SPDX-License-Identifier: AGPL-3.0-or-later

import PluginClient
import SystemPackage
import TestSupport
import Testing

/// An answer that says no: its words are never lost, and fit into a message.
@Suite(.timeLimit(.minutes(2))) struct PluginRefusalTests {
    struct Refusal: Sendable, CustomTestStringConvertible {
        var answer: String
        var status: Int
        var words: String
        var testDescription: String { answer.prefix(100).debugDescription }
    }

    private static func answer(_ status: String, _ body: String) -> String {
        "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    @Test(
        arguments: [
            .init(answer: answer("500 Internal Server Error", "{\"Err\":\"no such folder\"}"), status: 500, words: "no such folder"),
            .init(answer: answer("400 Bad Request", "{\"Other\":1,\"Err\":\"a\\nb\\u0000c\"}\n"), status: 400, words: "a; b?c"),
            .init(answer: answer("500 X", "{\"Err\":\"\"}"), status: 500, words: "{\"Err\":\"\"}"),
            .init(answer: answer("500 X", "{\"Err\":5}"), status: 500, words: "{\"Err\":5}"),
            .init(answer: answer("500 X", "{\"Err\":\"cut"), status: 500, words: "{\"Err\":\"cut"),
            .init(answer: answer("500 X", "\"Err\""), status: 500, words: "\"Err\""),
            .init(answer: answer("404 Not Found", "404 page not found\n"), status: 404, words: "404 page not found"),
            .init(answer: answer("404 Not Found", ""), status: 404, words: ""),
            .init(answer: answer("502 Bad Gateway", " \t\r\n"), status: 502, words: ""),
            .init(
                answer: answer("500 X", "<html>\r\n<head></head>\r\n  <body>\tNo</body>\r\n</html>\r\n"), status: 500,
                words: "<html>; <head></head>; <body> No</body>; </html>"),
            .init(answer: answer("500 X", "\u{1b}[2J\u{202e}evil\u{9b}"), status: 500, words: "?[2J?evil?"),
            .init(answer: answer("201 Created", "{}"), status: 201, words: "{}"),
            .init(answer: answer("301 Moved", ""), status: 301, words: ""),
            .init(answer: "HTTP/1.1 204 No Content\r\n\r\n", status: 204, words: ""),
            .init(answer: "HTTP/1.0 500 X\r\n\r\nuntil the end", status: 500, words: "until the end"),
            .init(
                answer: "HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nin tw\r\n7\r\no parts\r\n0\r\n\r\n", status: 500,
                words: "in two parts"),
            // What is wrong with the rest does not make the status less clear.
            .init(answer: "HTTP/1.1 500 X\r\nContent-Length: 100\r\n\r\nhalf of it", status: 500, words: "half of it"),
            .init(answer: "HTTP/1.1 500 X\r\nno header\r\n\r\n", status: 500, words: ""),
            .init(
                answer: answer("500 X", String(repeating: "x", count: 5000)), status: 500, words: String(repeating: "x", count: 4096) + "…"),
            .init(
                answer: answer("500 X", String(repeating: "x\n", count: 2_000_000)), status: 500,
                words: String(repeating: "x; ", count: 1365) + "x…"),
        ] as [Refusal])
    func keepsItsWords(_ refusal: Refusal) async throws {
        try await withScratchFolder { folder in
            let plugin = try ScriptedPlugin(at: "\(folder)/p.sock") { connection in
                connection.request()
                connection.send(refusal.answer)
            }
            let error = try #require(callError { _ = try PluginClient(plugin.endpoint, timeout: .seconds(100)).call("/A.B", []) })
            #expect(error.kind == .refused(status: refusal.status, words: refusal.words))
            let said = refusal.words.isEmpty ? "without a word why; its log may tell" : refusal.words
            #expect(
                error.message
                    == "plugin scripted at \(plugin.endpoint.address): A.B: it answered with HTTP status \(refusal.status): \(said)")
        }
    }

    @Test func bytesThatAreNoTextAreShownAllTheSame() async throws {
        try await withScratchFolder { folder in
            let plugin = try ScriptedPlugin(at: "\(folder)/p.sock") { connection in
                connection.request()
                connection.send(Array("HTTP/1.1 500 X\r\nContent-Length: 4\r\n\r\na".utf8) + [0xff, 0xfe, UInt8(ascii: "b")])
            }
            let error = callError { _ = try PluginClient(plugin.endpoint, timeout: .seconds(100)).call("/A.B", []) }
            #expect(error?.kind == .refused(status: 500, words: "a\u{fffd}\u{fffd}b"))
        }
    }

    /// It says no to a request of which it has read only the head.
    @Test func beforeTheWholeRequestIsRead() async throws {
        try await withScratchFolder { folder in
            let plugin = try ScriptedPlugin(at: "\(folder)/p.sock") { connection in
                _ = connection.receive(atMost: 10)
                connection.send("HTTP/1.1 413 Too Large\r\nContent-Length: 8\r\n\r\ntoo much")
            }
            let body = Array(String(repeating: "x", count: 8 << 20).utf8)
            let error = callError { _ = try PluginClient(plugin.endpoint, timeout: .seconds(100)).call("/A.B", body) }
            #expect(error?.kind == .refused(status: 413, words: "too much"))
        }
    }

    /// Nobody can have acted on a request that was cut short; one that says it has must not be believed, nor that it has not.
    @Test(arguments: [("", PluginClientError.Kind.notSent), ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", .unclear)])
    func aRequestThatIsCutShort(_ answer: String, _ kind: PluginClientError.Kind) async throws {
        try await withScratchFolder { folder in
            let plugin = try ScriptedPlugin(at: "\(folder)/p.sock") { connection in
                _ = connection.receive(atMost: 10)
                connection.send(answer)
            }
            let body = Array(String(repeating: "x", count: 8 << 20).utf8)
            let error = callError { _ = try PluginClient(plugin.endpoint, timeout: .seconds(100)).call("/A.B", body) }
            #expect(error?.kind == kind, "\(error?.message ?? "")")
        }
    }
}
