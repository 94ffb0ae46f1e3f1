// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem
import SystemPackage

/// The sending and receiving of one call.
struct PluginExchange {
    let endpoint: PluginEndpoint
    let path: String
    let timeout: Duration
    let deadline: Deadline

    enum Sending {
        case whole
        /// The plugin closed the connection before it had the request's last byte; it may have said why.
        case cutShort(PluginClientError)
    }

    private func error(_ kind: PluginClientError.Kind, _ message: String, cause: (any Error)? = nil) -> PluginClientError {
        // The method as Docker's errors name it, such as MountPointPlugin.MountPointAttach.
        PluginClientError(kind, endpoint, "\(path.dropFirst()): \(message)", cause: cause)
    }

    /// Sends the request.
    ///
    /// - Throws: `PluginClientError`: `notSent` if its last byte did not go out, `notRecorded`, or `unclear`.
    func send(
        _ request: [UInt8], over socket: borrowing StreamSocket, committing: (draft: String, path: String)?
    ) throws(PluginClientError) -> Sending {
        let result: CommittedSend
        do throws(SystemError) {
            result = try transmit(request, over: socket, committing: committing)
        } catch {
            result = .notSent(error)
        }
        switch result {
        case .sent: return .whole
        case .unclear(let what): throw error(.unclear, what)
        case .notRenamed(let failure):
            throw error(
                .notRecorded, "the call was not made, since its record could not be put in its place: \(failure)", cause: failure)
        case .notSent(let failure):
            let advice = failure.errno == .timedOut ? "it did not read the request within \(timeout)" : "it has not got the whole request"
            let error = error(
                .notSent, "\(failure): \(advice); restart the plugin, or take it out of the chain", cause: failure)
            if failure.errno == .brokenPipe || failure.errno == .connectionReset { return .cutShort(error) }
            throw error
        }
    }

    private func transmit(
        _ request: [UInt8], over socket: borrowing StreamSocket, committing: (draft: String, path: String)?
    ) throws(SystemError) -> CommittedSend {
        var rest = committing == nil ? request[...] : request.dropLast()
        while !rest.isEmpty {
            if let count = try socket.send(rest) {
                rest = rest.dropFirst(count)
            } else {
                try waitForRoom(socket)
            }
        }
        guard let committing, let last = request.last else { return .sent }
        // Wait for room first, so that the rename happens only if the last byte can be sent.
        try waitForRoom(socket)
        return try socket.send(last, renaming: committing.draft, to: committing.path)
    }

    private func waitForRoom(_ socket: borrowing StreamSocket) throws(SystemError) {
        if !socket.wait(for: .sending, by: deadline) || deadline.hasPassed { throw SystemError("send", .timedOut, on: "a request") }
    }

    /// Receives the answer.
    ///
    /// - Parameter sending: after a request that was cut short only an answer that says no counts.
    /// - Throws: `PluginClientError`: `refused` or `unclear`, or what cut the request short.
    func receive(from socket: borrowing StreamSocket, limit: Int, after sending: Sending) throws(PluginClientError) -> PluginAnswer {
        var parser = AnswerParser(limit: limit)
        var senders = Senders()
        do throws(PluginClientError) {
            try read(from: socket, into: &parser, &senders)
        } catch {
            // A refusal's status counts even if its words are incomplete.
            try checkStatus(of: parser)
            if case .cutShort(let failure) = sending { throw failure }
            throw error
        }
        try checkStatus(of: parser)
        if case .cutShort = sending {
            throw error(.unclear, "it answered before it had the whole request, and closed the connection")
        }
        return PluginAnswer(body: parser.body, sender: senders.only)
    }

    /// - Throws: `PluginClientError` of the kind `unclear` if there is no whole answer.
    private func read(
        from socket: borrowing StreamSocket, into parser: inout AnswerParser, _ senders: inout Senders
    ) throws(PluginClientError) {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while !parser.isComplete {
            if !socket.wait(for: .receiving, by: deadline) || deadline.hasPassed {
                throw unclear(parser.status == nil ? "no answer came within \(timeout)" : "the answer was not complete within \(timeout)")
            }
            let received: (count: Int, process: CInt?)?
            do throws(SystemError) {
                received = try socket.receiveWithSender(into: &buffer)
            } catch {
                throw unclear(parser.status == nil ? "no answer came: \(error)" : "the answer broke off: \(error)", cause: error)
            }
            guard let (count, process) = received else { continue }
            if count > 0 { senders.note(process) }
            do throws(AnswerError) {
                if count > 0 { try parser.consume(buffer[..<count]) } else { try parser.end() }
            } catch {
                throw unclear("the answer \(error.reason)", cause: error)
            }
        }
    }

    /// - Parameter cause: nil if the time was up.
    private func unclear(_ problem: String, cause: (any Error)? = nil) -> PluginClientError {
        error(.unclear, "\(problem); whether it acted is not known, its log may tell", cause: cause)
    }

    /// - Throws: `PluginClientError` of the kind `refused` for a status other than 200.
    private func checkStatus(of parser: AnswerParser) throws(PluginClientError) {
        if let status = parser.status, status != 200 { throw refusal(status, parser.body) }
    }

    private func refusal(_ status: Int, _ body: [UInt8]) -> PluginClientError {
        var words = SanitizedText(body, limit: SanitizedText.wordsLimit).text
        if let text = try? JSONObjectReader(parsing: body).text("Err") {
            let said = SanitizedText(text, limit: SanitizedText.wordsLimit).text
            if !said.isEmpty { words = said }
        }
        let said = words.isEmpty ? "without a word why; its log may tell" : words
        return error(.refused(status: status, words: words), "it answered with HTTP status \(status): \(said)")
    }
}

/// Which processes sent the parts of an answer.
private struct Senders {
    private var process: CInt?
    private var isMixed = false

    mutating func note(_ sender: CInt?) {
        if sender == nil || (process != nil && process != sender) { isMixed = true }
        process = sender
    }

    /// Nil unless it was one process that is visible here.
    var only: CInt? { isMixed ? nil : process }
}
