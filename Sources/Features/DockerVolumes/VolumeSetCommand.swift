// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
import JSON
import LinuxSystem
public import Logging
import SystemPackage

/// `docker-nfsd volume set`: changes options of a volume by the daemon, which has the state and its lock, or in its place where none runs.
public struct VolumeSetCommand: Sendable {
    private let settings: DaemonSettings
    private let request: VolumeSetRequest

    /// The daemon itself ends after 30 s, and a call for the volume that runs already after 110.
    private static let limit = Duration.seconds(150)
    private static let longestAnswer = 1 << 20

    /// - Parameter words: `option=value`, or `option=` to take one away.
    /// - Throws: `PluginError` for a word that is neither, or an option that is given twice.
    public init(settings: DaemonSettings, name: String, words: [String]) throws(PluginError) {
        self.settings = settings
        var changes: [String: String] = [:]
        for word in words {
            let parts = word.utf8.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let option = String(parts[0]), let value = String(parts[1]), !option.isEmpty else {
                throw PluginError("\(word) is not of the form option=value, or option= to take the option away")
            }
            if changes.updateValue(value, forKey: option) != nil { throw PluginError("option \(option) is given twice") }
        }
        if changes.isEmpty { throw PluginError("no options given; say what to change, such as o=hard") }
        request = VolumeSetRequest(name: name, changes: changes)
    }

    /// Makes the change.
    ///
    /// - Returns: what has changed, a line an option, ending with a newline.
    public func run(logger: Logger) async throws -> String {
        let name = DaemonSettings.driverNames[0]
        let socket = settings.socketDirectory.appending(name + ".sock")
        let changes: [VolumeOptionChange]
        if SocketState(of: socket) == .listening {
            changes = try await BlockingThread.run(named: "set") { [self] in try ask(at: socket) }
        } else {
            changes = try await VolumeDrivers(settings: settings, logger: logger).driver(named: name).set(request.name, request.changes)
        }
        return Self.text(changes, name: request.name)
    }

    private static func text(_ changes: [VolumeOptionChange], name: String) -> String {
        if changes.isEmpty { return SanitizedText.withoutControls("\(name): nothing to change") + "\n" }
        return changes.map { change in
            SanitizedText.withoutControls("\(name): \(change.name)=\(change.new ?? "(not set)"), was \(change.old ?? "(not set)")") + "\n"
        }.joined()
    }

    private func ask(at socket: FilePath) throws -> [VolumeOptionChange] {
        let (deadline, cancellation) = (Deadline(after: Self.limit), try Cancellation())
        var writer = JSONWriter()
        request.write(to: &writer)
        let head =
            "POST \(VolumeSetRequest.path) HTTP/1.1\r\nHost: docker-nfsd\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(writer.bytes.count)\r\nConnection: close\r\n\r\n"
        let stream = try LocalStream(connectingTo: socket)
        try stream.send(Array(head.utf8) + writer.bytes, until: deadline, cancellation: cancellation)
        var answer: [UInt8] = []
        while answer.count <= Self.longestAnswer {
            let more = try stream.receive(until: deadline, cancellation: cancellation)
            if more.isEmpty { break }
            answer += more
        }
        return try Self.changes(inAnswer: answer, from: socket)
    }

    /// The body is all that comes after the head, for the connection ends with it.
    static func changes(inAnswer answer: [UInt8], from socket: FilePath) throws(PluginError) -> [VolumeOptionChange] {
        let blankLine = Array("\r\n\r\n".utf8)
        guard let end = answer.indices.first(where: { answer[$0...].starts(with: blankLine) }), answer.starts(with: "HTTP/1.1 ".utf8) else {
            throw PluginError("the daemon at \(socket) ended the connection without an answer; see its log, then try again")
        }
        if answer.starts(with: "HTTP/1.1 404".utf8) { throw PluginError("the daemon at \(socket) is of an older version: restart it") }
        return try VolumeSetResponse(parsing: Array(answer[(end + blankLine.count)...])).changes
    }
}
