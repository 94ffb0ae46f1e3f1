// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem
import Logging
import NIOCore

/// The open connections and running calls of one server. Belongs to its event loop.
final class Connections {
    let logger: Logger
    let limits: ServerLimits
    let eventLoop: any EventLoop
    private(set) var isStopping = false

    private var open: [ObjectIdentifier: PluginConnection] = [:]
    private var runningTasks = 0
    private var hasReportedLimit = false
    private var idleWaiters: [EventLoopPromise<Void>] = []

    /// Memory for answers, the same for all, since an answer is written in one go. Kept up to a list of some thousand volumes.
    private var json: [UInt8] = []
    private var output = ByteBuffer()
    private static let memoryKept = 256 << 10
    /// So much was in use that the system gets it back.
    private static let worthReturning = 4 << 20

    /// Bytes of answers that callers have not taken yet, and the most there were since there were none.
    private var untaken = 0
    private var mostUntaken = 0

    init(eventLoop: any EventLoop, limits: ServerLimits, logger: Logger) {
        self.eventLoop = eventLoop
        self.limits = limits
        self.logger = logger
    }

    // MARK: Connections

    /// - Returns: false if the connection must be closed at once.
    func add(_ connection: PluginConnection) -> Bool {
        if isStopping { return false }
        if open.count >= limits.connections {
            if !hasReportedLimit {
                logger.warning("\(open.count) connections are open, which is the limit; new ones are closed until others end")
                hasReportedLimit = true
            }
            return false
        }
        open[ObjectIdentifier(connection)] = connection
        return true
    }

    func remove(_ connection: PluginConnection) {
        open[ObjectIdentifier(connection)] = nil
        // Half, so that a caller at the limit does not fill the log.
        if open.count <= limits.connections / 2 { hasReportedLimit = false }
        completeIfIdle()
    }

    // MARK: Answers that are not taken

    /// Notes that bytes are about to be sent. If too many wait for callers who do not read, those who have waited longest are disconnected.
    func sending(_ bytes: Int, to connection: PluginConnection) {
        untaken += bytes
        mostUntaken = max(mostUntaken, untaken)
        while untaken > limits.untakenAnswers {
            let others = open.values.lazy.filter { $0 !== connection && $0.untaken > 0 }
            guard let oldest = others.min(by: { $0.untakenSince < $1.untakenSince }) else { return }
            oldest.dropUntaken()
        }
    }

    /// Notes that bytes were taken, or dropped. Memory goes back to the system when all of much is.
    func taken(_ bytes: Int) {
        untaken -= bytes
        guard untaken == 0, mostUntaken > Self.worthReturning else { return }
        mostUntaken = 0
        // The buffers themselves are let go of a moment later.
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(100)) { ChildProcess.releaseMemory() }
    }

    // MARK: Calls

    /// Runs `body` as a task that ``untilIdle()`` waits for; `completion` is called on the event loop.
    func run<Success: Sendable>(
        _ body: @escaping @Sendable () async -> Success, completion: @escaping (Success) -> Void
    ) -> Task<Void, Never> {
        runningTasks += 1
        let bound = NIOLoopBound((self, completion), eventLoop: eventLoop)
        return Task { [eventLoop] in
            let success = await body()
            eventLoop.execute {
                let (connections, completion) = bound.value
                connections.runningTasks -= 1
                completion(success)
                connections.completeIfIdle()
            }
        }
    }

    /// Runs work of which nobody waits for the result.
    func begin(_ work: (@Sendable () async -> Void)?) {
        if let work { _ = run(work) {} }
    }

    /// An HTTP response with the document that `write` writes.
    ///
    /// - Parameter omitsBody: the response is only said to have it, as one to HEAD.
    func answer(
        _ status: AnswerStatus, mediaType: String = Activation.mediaType, keepAlive: Bool, omitsBody: Bool = false,
        _ write: (inout JSONWriter) -> Void
    ) -> ByteBuffer {
        if json.capacity > Self.memoryKept { json = [] }
        if output.capacity > Self.memoryKept { output = ByteBuffer() }
        var writer = JSONWriter()
        json.removeAll(keepingCapacity: true)
        swap(&writer.bytes, &json)
        write(&writer)
        // Takes new memory by itself while a slow caller's answer is still in the old one.
        output.clear()
        output.writeAnswer(status, mediaType: mediaType, size: writer.bytes.count, keepAlive: keepAlive)
        if !omitsBody { output.writeBytes(writer.bytes) }
        swap(&writer.bytes, &json)
        return output
    }

    // MARK: The end

    /// Closes the connections that wait for a request, and the others after their answer.
    func stop() {
        isStopping = true
        for connection in open.values { connection.stop() }
    }

    /// Cancels the running calls and closes their connections.
    func cancelAll() {
        for connection in open.values { connection.abort() }
    }

    var hasRunningTasks: Bool { runningTasks > 0 }

    /// Succeeds once there are neither connections nor running calls.
    func untilIdle() -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        idleWaiters.append(promise)
        completeIfIdle()
        return promise.futureResult
    }

    private func completeIfIdle() {
        guard isStopping, open.isEmpty, runningTasks == 0 else { return }
        for waiter in idleWaiters { waiter.succeed() }
        idleWaiters = []
    }
}
