// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem
import SystemPackage

/// What a plugin answered, with status 200.
public struct PluginAnswer: Sendable {
    public let body: [UInt8]
    /// The process that sent it, where it came over a UNIX socket from a process that is visible here.
    public let sender: CInt?
}

/// Calls a plugin: one HTTP/1.1 exchange by blocking calls, each over a connection of its own, under one deadline.
///
/// Written by hand, since the program that uses it starts several times for each container and is to be ready in about 1 ms:
/// a program that did the same by an HTTP library took 7 to 10 ms and three times the memory.
public struct PluginClient: Sendable {
    public let endpoint: PluginEndpoint
    /// From the beginning of a call to its end.
    public let timeout: Duration
    var hostNames = HostNames()
    /// Told of each call, if there is one.
    public var callLog: CallLog?

    /// Bytes of an answer.
    public static let answerLimit = 1 << 20
    public init(_ endpoint: PluginEndpoint, timeout: Duration) {
        self.endpoint = endpoint
        self.timeout = timeout
    }

    /// One call.
    ///
    /// - Parameters:
    ///   - path: such as `/MountPointPlugin.MountPointAttach`.
    ///   - body: JSON, or nothing. A plugin cannot accept the request before its last byte, so that byte commits the call.
    ///   - answerLimit: bytes of the answer's body.
    ///   - committing: a file that records that the request was sent, and where it goes. It is renamed together with the sending
    ///     of the request's last byte (``LinuxSystem/StreamSocket/send(_:renaming:to:)``): both happen or neither, even if this
    ///     process is killed. With `notSent` and `notRecorded` the files are as they were; so they are with a refusal that came before the whole request
    ///     was out, which shows in the draft being there.
    /// - Returns: the body of an answer with status 200.
    /// - Throws: `PluginClientError`.
    public func call(
        _ path: String, _ body: [UInt8], answerLimit: Int = answerLimit, committing: (draft: String, path: String)? = nil
    ) throws(PluginClientError) -> [UInt8] {
        try answer(path, body, answerLimit: answerLimit, committing: committing).body
    }

    /// The same, with the process that answered.
    public func answer(
        _ path: String, _ body: [UInt8], answerLimit: Int = answerLimit, committing: (draft: String, path: String)? = nil
    ) throws(PluginClientError) -> PluginAnswer {
        let start = ContinuousClock.now
        do throws(PluginClientError) {
            let answer = try exchange(path, body, answerLimit, committing)
            callLog?.note(path, of: endpoint.name.text, for: nil, since: start, outcome: "answered")
            return answer
        } catch {
            callLog?.note(path, of: endpoint.name.text, for: nil, since: start, outcome: error.outcome)
            throw error
        }
    }

    private func exchange(
        _ path: String, _ body: [UInt8], _ answerLimit: Int, _ committing: (draft: String, path: String)?
    ) throws(PluginClientError) -> PluginAnswer {
        let deadline = Deadline(after: timeout)
        let request = self.request(path, body)
        let socket = try connect(by: deadline)
        socket.noteSenders()
        let exchange = PluginExchange(endpoint: endpoint, path: path, timeout: timeout, deadline: deadline)
        let sending = try exchange.send(request, over: socket, committing: committing)
        return try exchange.receive(from: socket, limit: answerLimit, after: sending)
    }

    private func request(_ path: String, _ body: [UInt8]) -> [UInt8] {
        let host: String
        switch endpoint.address {
        case .unix: host = "localhost"
        case .tcp(let name, let port): host = name.utf8.contains(UInt8(ascii: ":")) ? "[\(name)]:\(port)" : "\(name):\(port)"
        }
        let type = Activation.mediaType
        let head =
            "POST \(path) HTTP/1.1\r\nHost: \(host)\r\nAccept: \(type)\r\nContent-Type: \(type)\r\nContent-Length: \(body.count)\r\n"
            + "Connection: close\r\n\r\n"
        return Array(head.utf8) + body
    }

    private func connect(by deadline: Deadline) throws(PluginClientError) -> StreamSocket {
        do throws(SystemError) {
            switch endpoint.address {
            case .unix(let path): return try StreamSocket.connect(toUnixSocket: path, by: deadline)
            case .tcp(let host, let port): return try connect(to: host, port, by: deadline)
            }
        } catch {
            var failure = PluginClientError(.notSent, endpoint, "\(error); \(advice(error.errno))", cause: error)
            failure.isAbsence = error.errno == .noSuchFileOrDirectory || error.errno == .connectionRefused
            throw failure
        }
    }

    private func connect(to host: String, _ port: UInt16, by deadline: Deadline) throws(SystemError) -> StreamSocket {
        let addresses = try hostNames.addresses(of: host)
        guard let last = addresses.last else {
            throw SystemError(
                "resolve", .noSuchAddressOrDevice, on: host,
                hint: "only localhost and names in \(hostNames.file) are known here: write the address itself in \(endpoint.foundAt)")
        }
        for address in addresses.dropLast() {
            if let socket = try? StreamSocket.connect(to: address, port: port, operand: "\(host):\(port)", by: deadline) { return socket }
        }
        return try StreamSocket.connect(to: last, port: port, operand: "\(host):\(port)", by: deadline)
    }

    private func advice(_ code: Errno) -> String {
        switch (code, endpoint.address) {
        case (.connectionRefused, .unix):
            "its socket is there, but nobody listens: the plugin has ended, or is just starting; start it, or take it out of the chain"
        case (.connectionRefused, .tcp): "nobody listens there; start the plugin, or take it out of the chain"
        case (.timedOut, _): "it did not take a connection within \(timeout); restart it, or take it out of the chain"
        default: "see to it that it can be reached, or take it out of the chain"
        }
    }
}
