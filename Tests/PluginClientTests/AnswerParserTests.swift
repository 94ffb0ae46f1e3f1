// SPDX-License-Identifier: AGPL-3.0-or-later

import Testing

@testable import PluginClient

/// What counts as an answer, whatever pieces it comes in.
@Suite struct AnswerParserTests {
    struct Accepted: Sendable, CustomTestStringConvertible {
        var text: String
        var status = 200
        var body: String
        /// The end of the connection is needed to know that it is whole.
        var needsEnd = false
        var testDescription: String { text.debugDescription }
    }

    static let accepted: [Accepted] = [
        .init(text: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", body: "{}"),
        .init(text: "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}", body: "{}"),
        .init(text: "HTTP/1.1 200 \r\ncontent-LENGTH:2\t \r\n\r\n{}and more", body: "{}"),
        .init(text: "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", body: "{}"),
        .init(text: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", body: "{}"),
        .init(text: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", body: ""),
        .init(text: "HTTP/1.1 200 OK\r\nX-Empty:\r\nX-Text: caf\u{e9}\r\nContent-Length: 1\r\n\r\n1", body: "1"),
        .init(text: "HTTP/1.1 200 OK\r\n\r\n{}", body: "{}", needsEnd: true),
        .init(text: "HTTP/1.0 200 OK\r\nServer: BaseHTTP/0.6\r\n\r\n{\"a\":1}\n", body: "{\"a\":1}\n", needsEnd: true),
        .init(text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", body: "{}"),
        .init(text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\n{\r\n00001\r\n}\r\n000\r\n\r\n", body: "{}"),
        .init(
            text:
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA;name=\"v\"\r\n0123456789\r\n1 ; x\r\n}\r\n0;last\r\nX-Sum: 1\r\nX: 2\r\n\r\n",
            body: "0123456789}"),
        .init(text: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", body: "{}"),
        .init(
            text: "HTTP/1.1 100 Continue\r\nContent-Length: 7\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n"
                + "Content-Length: 2\r\n\r\n{}", body: "{}"),
        .init(text: "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno", status: 500, body: "no"),
        .init(text: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", status: 204, body: ""),
        .init(text: "HTTP/1.1 101 Switching Protocols\r\nContent-Length: 0\r\n\r\n", status: 101, body: ""),
        .init(text: "HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}", body: "{}"),
    ]

    @Test(arguments: accepted, [1, 2, 7, 1000])
    func isReadInPiecesOfAnySize(_ example: Accepted, _ size: Int) throws {
        var parser = AnswerParser(limit: 100)
        try feed(&parser, Array(example.text.utf8), size)
        #expect(parser.isComplete == !example.needsEnd)
        try parser.end()
        #expect(parser.isComplete)
        #expect(parser.status == example.status)
        #expect(String(decoding: parser.body, as: UTF8.self) == example.body)
    }

    /// Each is cut at every byte before its end: none is taken for whole.
    @Test(arguments: accepted) func aPartIsNeverTakenForTheWhole(_ example: Accepted) throws {
        if example.needsEnd { return }
        let bytes = Array(example.text.utf8)
        var end = bytes.count
        // Some examples have bytes behind the answer.
        while try isWhole(bytes[..<(end - 1)]) { end -= 1 }
        for count in 0..<end {
            var parser = AnswerParser(limit: 100)
            try parser.consume(bytes[..<count])
            #expect(!parser.isComplete)
            #expect(throws: AnswerError.self) { try parser.end() }
        }
    }

    struct Refused: Sendable, CustomTestStringConvertible {
        var text: String
        var reason: String
        var testDescription: String { text.prefix(80).debugDescription }
    }

    @Test(
        arguments: [
            .init(text: "SSH-2.0-OpenSSH_9.2", reason: "is not HTTP"),
            .init(text: "\r\nHTTP/1.1 200 OK\r\n\r\n", reason: "is not HTTP"),
            .init(text: "{\"Implements\":[\"mountpoint\"]}", reason: "is not HTTP: it begins with"),
            .init(text: "HTTP/2 200\r\n\r\n", reason: "is not HTTP"),
            .init(text: "HTTP/1.1 2x0 OK\r\n\r\n", reason: "is not HTTP"),
            .init(text: "HTTP/1.1 2000 OK\r\n\r\n", reason: "is not HTTP"),
            .init(text: "HTTP/1.1  200 OK\r\n\r\n", reason: "is not HTTP"),
            .init(text: "HTTP/1.1 099 OK\r\n\r\n", reason: "is not HTTP"),
            .init(text: "HTTP/1.1 200 OK\r\nno header\r\n\r\n", reason: "no header"),
            .init(text: "HTTP/1.1 200 OK\r\n: x\r\n\r\n", reason: "no header"),
            .init(text: "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}", reason: "no header"),
            .init(text: "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n", reason: "no header"),
            .init(text: "HTTP/1.1 200 OK\r\nX: a\rContent-Length: 2\r\n\r\n{}", reason: "no header"),
            .init(text: "HTTP/1.1 200 OK\r\nX: \u{0}\r\n\r\n", reason: "no header"),
            .init(text: "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", reason: "no number"),
            .init(text: "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}", reason: "no number"),
            .init(text: "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n{}", reason: "no number"),
            .init(text: "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n{}", reason: "no number"),
            .init(text: "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}", reason: "no number"),
            .init(text: "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551618\r\n\r\n{}", reason: "no number"),
            .init(text: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", reason: "two different"),
            .init(text: "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", reason: "larger than the limit of 100 bytes"),
            .init(text: "HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: 101), reason: "larger than the limit"),
            .init(text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n", reason: "larger than the limit"),
            .init(
                text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + String(repeating: "1\r\nx\r\n", count: 101),
                reason: "larger than the limit"),
            .init(text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", reason: "Transfer-Encoding"),
            .init(text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", reason: "Transfer-Encoding"),
            .init(text: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", reason: "Transfer-Encoding"),
            .init(text: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", reason: "and a Transfer-Encoding"),
            .init(text: "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", reason: "Content-Encoding"),
            .init(text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", reason: "without a size"),
            .init(text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", reason: "without a size"),
            .init(text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", reason: "without a size"),
            .init(text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\n{\r\n", reason: "without a size"),
            .init(text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1 1\r\n", reason: "without a size"),
            .init(text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", reason: "without a size"),
            .init(text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\n{}\r\n", reason: "without a size"),
            .init(text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n", reason: "longer than its size"),
            .init(
                text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + String(repeating: "x", count: 5000),
                reason: "whose size takes more"),
            .init(text: "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 70_000), reason: "a head of more than 65536 bytes"),
            .init(text: "HTTP/1.1 200 " + String(repeating: "x", count: 70_000), reason: "a head of more than 65536 bytes"),
            .init(text: String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 3000), reason: "a head of more than 65536 bytes"),
            .init(
                text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + String(repeating: "X: y\r\n", count: 12_000),
                reason: "a head of more than 65536 bytes"),
        ] as [Refused], [1, 4096])
    func isRefused(_ example: Refused, _ size: Int) {
        var parser = AnswerParser(limit: 100)
        let fault = #expect(throws: AnswerError.self) { try feed(&parser, Array(example.text.utf8), size) }
        #expect(fault?.reason.contains(example.reason) == true, "\(fault?.reason ?? "")")
        #expect(!parser.isComplete)
    }

    @Test(arguments: [
        ("", "connection was closed"), ("HTT", "inside its head"), ("HTTP/1.1 200 OK\r\nX: y\r\n", "inside its head"),
        ("HTTP/1.1 100 Continue\r\n\r\n", "inside its head"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "8 bytes too early"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", "before its last chunk"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", "before its last chunk"),
    ])
    func endsTooEarly(_ text: String, _ reason: String) throws {
        var parser = AnswerParser(limit: 100)
        try parser.consume(Array(text.utf8)[...])
        let fault = #expect(throws: AnswerError.self) { try parser.end() }
        #expect(fault?.reason.contains(reason) == true)
    }

    /// A refusal's words count even if there are far too many.
    @Test func ofALargeRefusalTheBeginningIsKept() throws {
        var parser = AnswerParser(limit: 100)
        try parser.consume(Array("HTTP/1.1 500 No\r\nContent-Length: 9999999\r\n\r\n".utf8)[...])
        while !parser.isComplete { try parser.consume(Array(repeating: UInt8(ascii: "x"), count: 5000)[...]) }
        #expect(parser.body.count == AnswerParser.refusalLimit)
    }

    private func feed(_ parser: inout AnswerParser, _ bytes: [UInt8], _ size: Int) throws {
        for start in stride(from: 0, to: bytes.count, by: size) { try parser.consume(bytes[start..<min(start + size, bytes.count)]) }
    }

    private func isWhole(_ bytes: ArraySlice<UInt8>) throws -> Bool {
        var parser = AnswerParser(limit: 100)
        try parser.consume(bytes)
        return parser.isComplete
    }
}
