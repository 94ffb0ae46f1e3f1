// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI

/// Why an answer is not valid HTTP.
package struct AnswerError: Error, Equatable {
    /// Completes "the answer …".
    package let reason: String
    init(_ reason: String) { self.reason = reason }
}

/// Reads one HTTP/1.1 answer from bytes as they come (RFC 9112). No input or output.
///
/// Strict in what decides where the answer ends: one Content-Length that is a number, or chunks in their exact form, or the
/// end of the connection. As lenient as the RFC allows, and as Docker's client is, in one thing: a line of the head may end
/// with a line feed alone, for plugins that are shell scripts.
package struct AnswerParser {
    /// Bytes of all heads and trailers.
    static let headLimit = 64 << 10
    /// Bytes of a chunk's size and extensions.
    static let chunkLineLimit = 4 << 10
    /// Bytes kept of a refusal; the rest is dropped.
    static let refusalLimit = 64 << 10

    /// The status of the answer once its status line has come. Interim answers (1xx) are skipped.
    package private(set) var status: Int?
    package private(set) var body: [UInt8] = []
    /// Nothing more is needed.
    package private(set) var isComplete = false

    private enum State {
        case statusLine, fields, interimFields
        case counted(left: Int)
        case untilEnd
        case chunkSize
        case chunk(left: Int)
        case chunkEnd
        case trailers
    }

    private let limit: Int
    private var state = State.statusLine
    private var line: [UInt8] = []
    private var headBytes = 0
    private var version = 1
    private var length: Int?
    private var isChunked = false

    /// - Parameter limit: bytes of a body with status 200.
    package init(limit: Int) { self.limit = limit }

    /// Consumes the next bytes, and ignores those behind the end of the answer.
    package mutating func consume(_ input: ArraySlice<UInt8>) throws(AnswerError) {
        var rest = input
        while !rest.isEmpty && !isComplete {
            switch state {
            case .counted(let left): state = .counted(left: left - (try consumeBody(&rest, atMost: left)))
            case .untilEnd: try consumeBody(&rest, atMost: .max)
            case .chunk(let left): state = .chunk(left: left - (try consumeBody(&rest, atMost: left)))
            default: try consumeLine(&rest)
            }
            switch state {
            case .counted(left: 0): isComplete = true
            case .chunk(left: 0): state = .chunkEnd
            default: break
            }
        }
    }

    /// The connection has ended.
    package mutating func end() throws(AnswerError) {
        switch state {
        case _ where isComplete: return
        case .untilEnd: isComplete = true
        case .statusLine where headBytes == 0: throw AnswerError("did not come: the connection was closed")
        case .statusLine, .fields, .interimFields: throw AnswerError("ended inside its head")
        case .counted(let left): throw AnswerError("ended \(left) bytes too early")
        case .chunkSize, .chunk, .chunkEnd, .trailers: throw AnswerError("ended before its last chunk")
        }
    }

    @discardableResult
    private mutating func consumeBody(_ rest: inout ArraySlice<UInt8>, atMost count: Int) throws(AnswerError) -> Int {
        let part = rest.prefix(count)
        rest = rest.dropFirst(part.count)
        if status == 200 {
            try check(body.count + part.count)
            body += part
        } else {
            body += part.prefix(Self.refusalLimit - body.count)
            if body.count == Self.refusalLimit { isComplete = true }
        }
        return part.count
    }

    private func check(_ size: Int) throws(AnswerError) {
        if status == 200 && size > limit { throw AnswerError("is larger than the limit of \(limit) bytes") }
    }

    private mutating func consumeLine(_ rest: inout ArraySlice<UInt8>) throws(AnswerError) {
        let part: ArraySlice<UInt8>
        let isWhole: Bool
        if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            part = rest[...end]
            isWhole = true
        } else {
            part = rest
            isWhole = false
        }
        rest = rest.dropFirst(part.count)
        line += part
        switch state {
        case .chunkSize, .chunkEnd:
            // There may be many chunks, so the limit is for each line, not for all.
            if line.count > Self.chunkLineLimit { throw AnswerError("has a chunk whose size takes more than \(Self.chunkLineLimit) bytes") }
        default:
            headBytes += part.count
            if headBytes > Self.headLimit { throw AnswerError("has a head of more than \(Self.headLimit) bytes") }
        }
        // Checked before the line is complete: garbage may never have a line feed, and would be waited for until the deadline.
        if case .statusLine = state, !line.starts(with: "HTTP/1.".utf8.prefix(line.count)) { throw garbledStatusLine() }
        if !isWhole { return }
        line.removeLast()
        let hasReturn = line.last == UInt8(ascii: "\r")
        if hasReturn { line.removeLast() }
        try consumeWholeLine(hasReturn: hasReturn)
        line.removeAll(keepingCapacity: true)
    }

    private mutating func consumeWholeLine(hasReturn: Bool) throws(AnswerError) {
        switch state {
        case .statusLine: try consumeStatusLine()
        case .interimFields: if line.isEmpty { state = .statusLine }
        case .fields: if line.isEmpty { try beginBody() } else { try consumeField() }
        case .chunkSize: try consumeChunkSize(hasReturn: hasReturn)
        case .chunkEnd:
            guard line.isEmpty, hasReturn else { throw AnswerError("has a chunk that is longer than its size says") }
            state = .chunkSize
        case .trailers: if line.isEmpty { isComplete = true }
        case .counted, .untilEnd, .chunk: break
        }
    }

    private func garbledStatusLine() -> AnswerError {
        AnswerError("is not HTTP: it begins with \"\(SanitizedText(line, limit: 60).text)\"")
    }

    private mutating func consumeStatusLine() throws(AnswerError) {
        // HTTP/1.1 200 reason
        let digits = line.dropFirst(9).prefix(3)
        guard line.count >= 12, line[8] == UInt8(ascii: " "), let minor = Self.digit(line[7]), digits.allSatisfy({ Self.digit($0) != nil }),
            line.count == 12 || line[12] == UInt8(ascii: " ")
        else { throw garbledStatusLine() }
        let code = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        guard code >= 100 else { throw garbledStatusLine() }
        version = Int(minor)
        if code < 200 && code != 101 {
            state = .interimFields
        } else {
            status = code
            state = .fields
        }
    }

    private mutating func consumeField() throws(AnswerError) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0, line[..<colon].allSatisfy({ $0 > 0x20 && $0 < 0x7f }),
            line[colon...].allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 })
        else { throw AnswerError("has a line in its head that is no header: \"\(SanitizedText(line, limit: 60).text)\"") }
        let value = Self.trimmed(line[(colon + 1)...])
        switch Self.lowercase(line[..<colon]) {
        case "content-length":
            guard !value.isEmpty, value.count < 18, value.allSatisfy({ Self.digit($0) != nil }) else {
                throw AnswerError("has a Content-Length that is no number: \"\(SanitizedText(value, limit: 60).text)\"")
            }
            let number = value.reduce(0) { $0 * 10 + Int($1 - 0x30) }
            if let length, length != number { throw AnswerError("has two different Content-Lengths") }
            length = number
        case "transfer-encoding":
            guard !isChunked, version > 0, Self.lowercase(value) == "chunked" else {
                throw AnswerError("has a Transfer-Encoding that is not understood: \"\(SanitizedText(value, limit: 60).text)\"")
            }
            isChunked = true
        case "content-encoding":
            guard Self.lowercase(value) == "identity" else {
                throw AnswerError("has a Content-Encoding that nobody asked for: \"\(SanitizedText(value, limit: 60).text)\"")
            }
        default: break
        }
    }

    private mutating func beginBody() throws(AnswerError) {
        if isChunked && length != nil { throw AnswerError("has a Content-Length and a Transfer-Encoding") }
        if status == 204 || status == 304 || length == 0 {
            isComplete = true
        } else if isChunked {
            state = .chunkSize
        } else if let length {
            try check(length)
            state = .counted(left: length)
        } else {
            state = .untilEnd
        }
    }

    private mutating func consumeChunkSize(hasReturn: Bool) throws(AnswerError) {
        // Blanks before an extension are not in the grammar, but usual.
        let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != 0x20 && $0 != 0x09 }
        guard hasReturn, (1...15).contains(digits.count), let size = Int(String(decoding: digits, as: UTF8.self), radix: 16),
            digits[0] != 0x2b,
            digits[0] != 0x2d, Self.trimmed(line[digits.count...]).first ?? UInt8(ascii: ";") == UInt8(ascii: ";")
        else { throw AnswerError("has a chunk without a size: \"\(SanitizedText(line, limit: 60).text)\"") }
        try check(body.count + size)
        state = size == 0 ? .trailers : .chunk(left: size)
    }

    private static func digit(_ byte: UInt8) -> UInt8? { (0x30...0x39).contains(byte) ? byte - 0x30 : nil }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var bytes = bytes.drop { $0 == 0x20 || $0 == 0x09 }
        while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
        return bytes
    }

    private static func lowercase(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes.map { (0x41...0x5a).contains($0) ? $0 + 0x20 : $0 }, as: UTF8.self)
    }
}
