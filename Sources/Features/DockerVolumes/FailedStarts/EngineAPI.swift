// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem
import PluginClient
import SystemPackage

/// Calls of Docker's API at its socket, each on a connection of its own, with limits in time and size. Blocks.
struct EngineAPI: Sendable {
    let socket: FilePath
    /// Ends each call.
    let ending: Cancellation
    /// For an answer that needs no container to be started.
    var patience = Duration.seconds(20)
    /// For a container's start, in which all its volumes are mounted.
    var startPatience = Duration.seconds(180)

    /// Bytes of an answer.
    private static let longestAnswer = 8 << 20
    /// Containers that are looked at for one volume.
    private static let mostContainers = 1_000

    /// What came of the request to start a container.
    enum Start: Sendable, Equatable {
        case started
        /// It runs already, is gone or is about to go.
        case notNeeded
        /// The engine's words.
        case failed(String)
    }

    /// The IDs of the containers that have run, do not run now, and use a volume of this name.
    ///
    /// - Throws: `SystemError`, also for an answer that makes no sense.
    func stoppedContainers(using volume: String) throws(SystemError) -> [String] {
        let filter: JSONValue = ["volume": [.string(volume)], "status": ["exited"]]
        let path = "/containers/json?all=true&filters=\(Self.percentEncoded(filter.encoded()))"
        let answer = try call("GET", path, until: Deadline(after: patience))
        guard answer.status == 200, case .array(let list)? = try? JSONValue(parsing: answer.body) else {
            throw unexpected("GET", path, answer)
        }
        return list.prefix(Self.mostContainers).compactMap { element in
            (try? JSONObjectReader(element).text("Id")).flatMap { Self.isID($0) ? $0 : nil }
        }
    }

    /// - Returns: nil if it is gone.
    /// - Throws: `SystemError`, also for an answer that makes no sense.
    func container(_ id: String) throws(SystemError) -> EngineContainer? {
        let path = "/containers/\(id)/json"
        let answer = try call("GET", path, until: Deadline(after: patience))
        if answer.status == 404 { return nil }
        guard answer.status == 200 else { throw unexpected("GET", path, answer) }
        do throws(JSONShapeError) { return try EngineContainer(parsing: answer.body) } catch {
            throw SystemError("GET \(path)", .protocolError, on: socket.string, hint: "\(error)")
        }
    }

    /// Starts a container. Waits until its volumes are mounted and its process runs.
    func start(_ id: String) throws(SystemError) -> Start {
        let answer = try call("POST", "/containers/\(id)/start", until: Deadline(after: startPatience))
        switch answer.status {
        case 204: return .started
        case 304, 404, 409: return .notNeeded
        default: return .failed(words(of: answer))
        }
    }

    // MARK: HTTP

    private typealias Answer = (status: Int, body: [UInt8])

    private func call(_ method: String, _ path: String, until deadline: Deadline) throws(SystemError) -> Answer {
        let stream = try LocalStream(connectingTo: socket)
        let request =
            "\(method) \(path) HTTP/1.1\r\nHost: docker\r\nUser-Agent: docker-nfsd\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        try stream.send(Array(request.utf8), until: deadline, cancellation: ending)
        var parser = AnswerParser(limit: Self.longestAnswer)
        while !parser.isComplete {
            let bytes = try stream.receive(until: deadline, cancellation: ending)
            do throws(AnswerError) {
                if bytes.isEmpty { try parser.end() } else { try parser.consume(bytes[...]) }
            } catch {
                throw SystemError(method, .protocolError, on: socket.string, hint: "the answer \(error.reason)")
            }
        }
        return (parser.status ?? 0, parser.body)
    }

    private func unexpected(_ method: String, _ path: String, _ answer: Answer) -> SystemError {
        let place = path.prefix { $0 != "?" }
        return SystemError("\(method) \(place)", .protocolError, on: socket.string, hint: "status \(answer.status): \(words(of: answer))")
    }

    /// What the engine says of a failure, on one line.
    private func words(of answer: Answer) -> String {
        let message =
            (try? JSONObjectReader(parsing: answer.body).text("message")) ?? String(decoding: answer.body.prefix(512), as: UTF8.self)
        return SanitizedText(message, limit: 1024).text
    }

    private static func isID(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    /// RFC 3986: all but letters, digits and `-._~`.
    static func percentEncoded(_ bytes: [UInt8]) -> String {
        var text = ""
        for byte in bytes {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: text.unicodeScalars.append(Unicode.Scalar(byte))
            default: text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return text
    }
}
