// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import Synchronization
import TestSupport

@testable import ContainerMounts

/// A mount point plugin that the test serves in a folder of its own. It wants every mount, and attaches each without a change, but for
/// what a test says.
final class AnsweringPlugin: Sendable {
    struct Call: Sendable {
        /// `MountPointAttach`, …
        var method: String
        var body: JSONValue
    }

    /// The answer, or nil to hang up without one.
    typealias Answer = @Sendable (Call) -> JSONValue?

    let name: String
    private let answers: [String: Answer]
    private let log = Mutex<[Call]>([])
    private let server = Mutex<ConnectionServer?>(nil)

    init(_ name: String, in folder: String, _ answers: [String: Answer] = [:]) throws {
        self.name = name
        self.answers = answers
        let server = try ConnectionServer(at: "\(folder)/\(name).sock") { [self] in serve($0) }
        self.server.withLock { $0 = server }
    }

    func end() { server.withLock { $0?.end() } }

    var calls: [Call] { log.withLock { $0 } }
    var methods: [String] { calls.map(\.method) }
    func body(of method: String) -> JSONValue? { calls.last { $0.method == method }?.body }

    private func serve(_ connection: Int32) {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(connection, &buffer, buffer.count)
            if count <= 0 { return }
            bytes += buffer[..<count]
            let text = String(decoding: bytes, as: UTF8.self)
            guard let end = text.range(of: "\r\n\r\n") else { continue }
            let head = text[..<end.lowerBound].components(separatedBy: "\r\n")
            let length = head.first { $0.hasPrefix("Content-Length: ") }.flatMap { Int($0.dropFirst(16)) } ?? 0
            let body = text[end.upperBound...]
            if body.utf8.count < length { continue }
            let path = head[0].split(separator: " ").dropFirst().first.map(String.init) ?? ""
            let method = path.split(separator: ".").last.map(String.init) ?? ""
            let call = Call(method: method, body: (try? JSONValue(parsing: String(body))) ?? .null)
            log.withLock { $0.append(call) }
            guard let answer = (answers[method] ?? Self.usual)(call) else { return }
            let content = "\(answer)"
            let message = "HTTP/1.1 200 OK\r\nContent-Length: \(content.utf8.count)\r\n\r\n\(content)"
            _ = send(connection, message, message.utf8.count, Int32(MSG_NOSIGNAL))
            return
        }
    }

    private static let usual: Answer = { call in
        switch call.method {
        case "Activate": return ["Implements": ["mountpoint"]]
        case "MountPointProperties": return ["Success": true, "Patterns": [[:]]]
        case "MountPointAttach":
            let count = call.body["Mounts"]?.arrayValue?.count ?? 0
            return ["Success": true, "Attachments": .array((0..<count).map { _ in ["Attach": true] })]
        default: return ["Success": true]
        }
    }
}

extension RuntimePlaces {
    /// Places in a scratch folder, with one for plugins.
    static func scratch(_ folder: String) throws -> RuntimePlaces {
        try FileManager.default.createDirectory(atPath: folder + "/plugins", withIntermediateDirectories: true)
        return RuntimePlaces(in: folder)
    }
}
