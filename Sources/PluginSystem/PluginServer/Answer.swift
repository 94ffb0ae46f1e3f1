// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import NIOCore

/// The statuses that the server answers with.
enum AnswerStatus: String {
    case ok = "200 OK"
    case badRequest = "400 Bad Request"
    case notFound = "404 Not Found"
    case methodNotAllowed = "405 Method Not Allowed"
    case requestTimeout = "408 Request Timeout"
    case contentTooLarge = "413 Content Too Large"
    case headerTooLarge = "431 Request Header Fields Too Large"
    case failed = "500 Internal Server Error"
}

extension ByteBuffer {
    /// Appends the head of an HTTP/1.1 response. Written by hand, as the five lines that it is: the library's encoder makes three writes and
    /// four allocations of it.
    mutating func writeAnswer(_ status: AnswerStatus, mediaType: String, size: Int, keepAlive: Bool) {
        writeStaticString("HTTP/1.1 ")
        writeString(status.rawValue)
        writeStaticString("\r\nContent-Type: ")
        writeString(mediaType)
        writeStaticString("\r\nContent-Length: ")
        writeString(String(size))
        writeStaticString(keepAlive ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n")
    }
}
