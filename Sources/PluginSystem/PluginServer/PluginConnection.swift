// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import JSON
import LinuxSystem
import Logging
import NIOCore
import NIOHTTP1

/// One caller's connection: HTTP/1.1 requests in turn, never two at a time.
///
/// It goes on reading while a call runs, since that is how it notices that the caller has gone.
final class PluginConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// For the first byte of a request.
        case waiting
        /// The header has come, not all of the body.
        case receiving(Route)
        /// A task carries out the call.
        case running(Task<Void, Never>)
        /// The last answer has been given; whatever comes is thrown away.
        case closing
    }

    private let service: any PluginService
    private let connections: Connections
    private let logger: Logger
    private var context: ChannelHandlerContext?

    private var state = State.waiting
    private var body: ByteBuffer?
    private var bodySize = 0
    private var keepsAlive = true
    /// For a request with HEAD.
    private var omitsBody = false
    /// The answer that the kernel has taken, until the caller is known to have read it.
    private var unconfirmed: UnconfirmedAnswer?

    private var hasReadPart = false
    private var waitingSince = NIODeadline.now()
    private var idleTimer: Scheduled<Void>?
    private var arrivalTimer: Scheduled<Void>?
    private var deliveryTimer: Scheduled<Void>?
    /// Bytes of answers that the kernel has not taken yet, because the caller does not read them.
    private(set) var untaken = 0
    /// Since when there have been some.
    private(set) var untakenSince = NIODeadline.distantPast

    /// How long a caller that is being refused may go on sending, so that it gets to read why.
    private static let lingering = TimeAmount.seconds(5)

    init(_ listener: PluginListener, _ connections: Connections) {
        service = listener.service
        self.connections = connections
        var logger = connections.logger
        logger[metadataKey: "plugin"] = "\(listener.name)"
        self.logger = logger
    }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        guard connections.add(self) else {
            state = .closing
            return context.close(promise: nil)
        }
        armIdleTimer(after: TimeAmount(connections.limits.idle))
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .running(let task) = state { task.cancel() }
        state = .closing
        idleTimer?.cancel()
        arrivalTimer?.cancel()
        deliveryTimer?.cancel()
        body = nil
        // The caller has closed it, and left nothing unread.
        unconfirmed?.wasRead()
        // It holds the context, which holds this.
        unconfirmed = nil
        connections.remove(self)
    }

    /// Closes now if no request is under way, else after its answer.
    func stop() {
        keepsAlive = false
        if case .waiting = state { abort() }
    }

    /// Closes now; a running call is cancelled. Whether an answer was read is not known any more.
    func abort() {
        unconfirmed?.isUnknown()
        context?.close(promise: nil)
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        hasReadPart = true
        switch (unwrapInboundIn(data), state) {
        case (_, .closing): break
        case (.head(let head), .waiting): receive(head, context)
        case (.body(let part), .receiving(let route)): receive(part, route, context)
        case (.end, .receiving(let route)): carryOut(route, context)
        default:
            logger.debug("A second request came before the first was answered; closing the connection")
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        let isPartial: Bool
        switch state {
        case .receiving: isPartial = true
        // Bytes have come, and were not yet enough for a header.
        case .waiting: isPartial = !hasReadPart
        case .running, .closing: isPartial = false
        }
        hasReadPart = false
        if isPartial && arrivalTimer == nil { armArrivalTimer() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if (error as? IOError)?.errnoCode == ECONNRESET {
            // What a UNIX socket reports when the other end was closed with our answer unread in it.
            unconfirmed?.wasLost()
        }
        switch (error, state) {
        case (_, .closing): break
        case (HTTPParserError.headerOverflow, .waiting), (HTTPParserError.headerOverflow, .receiving):
            refuse(.headerTooLarge, "the request's header is too large", context)
        case (is HTTPParserError, .waiting), (is HTTPParserError, .receiving):
            refuse(.badRequest, "the request is not valid HTTP", context)
        default:
            logger.debug("A connection broke: \(error)")
            context.close(promise: nil)
        }
    }

    private func receive(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        unconfirmed?.wasRead()
        unconfirmed = nil
        // A caller that asks again and again without reading the answers would fill the memory.
        guard context.channel.isWritable else { return dropUntaken() }
        keepsAlive = head.isKeepAlive && head.version == .http1_1 && !connections.isStopping
        omitsBody = head.method == .HEAD
        bodySize = 0
        state = .receiving(Route(head, of: service))
        let announced = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
        if announced > connections.limits.bodySize { refuseBody(context) }
    }

    private func receive(_ part: ByteBuffer, _ route: Route, _ context: ChannelHandlerContext) {
        bodySize += part.readableBytes
        if bodySize > connections.limits.bodySize { return refuseBody(context) }
        guard route.readsBody else { return }
        if body == nil { body = part } else { body?.writeImmutableBuffer(part) }
    }

    private func refuseBody(_ context: ChannelHandlerContext) {
        refuse(.contentTooLarge, "the request is larger than \(connections.limits.bodySize) bytes", context)
    }

    private func carryOut(_ route: Route, _ context: ChannelHandlerContext) {
        arrivalTimer?.cancel()
        arrivalTimer = nil
        let body = self.body ?? ByteBuffer()
        self.body = nil
        switch route {
        case .unknown: answerError(.notFound, "there is no such call", context)
        case .wrongMethod(let allowed):
            keepsAlive = false
            answerError(.methodNotAllowed, allowed == "POST" ? "calls are made with POST" : "the page is read with \(allowed)", context)
        case .activate:
            let written = context.eventLoop.makePromise(of: Void.self)
            written.futureResult.whenSuccess { [service] in service.activated() }
            answer(.ok, context, promise: written) { Activation.writeResponse(implementing: service.interfaces, to: &$0) }
        case .call(let call):
            do throws(RequestError) {
                switch try call.reply(to: body.readableBytesUInt8Span) {
                case .now(let reply):
                    // Engines ask for volumes that are not there before each Create.
                    if let failure = reply.failure { logger.debug("\(call.name) failed: \(failure)") }
                    answer(reply.status, context, mediaType: reply.mediaType, reply.write)
                case .later(let subject, let work): start(call, subject, work)
                }
            } catch {
                logger.debug("\(call.name) was not understood: \(error)")
                answerError(.badRequest, error.message, context)
            }
        }
    }

    // MARK: Calls that take long

    private typealias Subject = (kind: String, name: String)

    private func start(_ call: any PluginCall, _ subject: Subject, _ work: @escaping @Sendable () async -> PluginAnswer) {
        let task = connections.run(work) { reply in self.finish(call, subject, reply) }
        state = .running(task)
    }

    private func finish(_ call: any PluginCall, _ subject: Subject, _ reply: PluginAnswer) {
        let metadata: Logger.Metadata = [subject.kind: "\(subject.name)"]
        guard case .running = state, let context else {
            if let failure = reply.failure {
                logger.notice("\(call.name) ended after its caller had left: \(failure)", metadata: metadata)
            }
            connections.begin(reply.undelivered)
            return
        }
        if let failure = reply.failure { logger.error("\(call.name) failed: \(failure)", metadata: metadata) }
        guard let undelivered = reply.undelivered else { return answer(reply.status, context, mediaType: reply.mediaType, reply.write) }
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { outcome in
            if case .failure = outcome { return self.connections.begin(undelivered) }
            self.unconfirmed = UnconfirmedAnswer(reply, isLast: !self.keepsAlive, on: context, self.connections)
        }
        answer(reply.status, context, promise: written, mediaType: reply.mediaType, reply.write)
    }

    // MARK: Answers

    private func answerError(_ status: AnswerStatus, _ message: String, _ context: ChannelHandlerContext) {
        answer(status, context) { ErrorResponse(message).write(to: &$0) }
    }

    private func answer(
        _ status: AnswerStatus, _ context: ChannelHandlerContext, promise: EventLoopPromise<Void>? = nil,
        mediaType: String = Activation.mediaType, _ write: (inout JSONWriter) -> Void
    ) {
        let output = connections.answer(status, mediaType: mediaType, keepAlive: keepsAlive, omitsBody: omitsBody, write)
        waitingSince = .now()
        state = keepsAlive ? .waiting : .closing
        let (isLast, size) = (!keepsAlive, output.readableBytes)
        let written = promise ?? context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in
            self.taken(size)
            // One that it matters to whether it was read closes the connection itself.
            if isLast, self.unconfirmed == nil { context.close(promise: nil) }
        }
        if untaken == 0 { untakenSince = waitingSince }
        untaken += size
        connections.sending(size, to: self)
        context.writeAndFlush(wrapOutboundOut(output), promise: written)
        if untaken > 0, deliveryTimer == nil { armDeliveryTimer() }
    }

    private func taken(_ size: Int) {
        // What was dropped counts no more.
        let size = min(size, untaken)
        untaken -= size
        connections.taken(size)
        if untaken > 0 { return }
        deliveryTimer?.cancel()
        deliveryTimer = nil
    }

    /// Closes the connection, with the answers that its caller does not read.
    func dropUntaken() {
        logger.debug("A caller does not read its answers; closing the connection")
        taken(untaken)
        unconfirmed?.isUnknown()
        context?.close(promise: nil)
    }

    /// Answers a request that will not be read to its end. Closing at once would take the answer away from a caller that still sends.
    private func refuse(_ status: AnswerStatus, _ message: String, _ context: ChannelHandlerContext) {
        logger.debug("Refused a request: \(message)")
        arrivalTimer?.cancel()
        body = nil
        state = .closing
        let output = connections.answer(status, keepAlive: false) { ErrorResponse(message).write(to: &$0) }
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in context.close(mode: .output, promise: nil) }
        context.writeAndFlush(wrapOutboundOut(output), promise: written)
        arrivalTimer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingering) { context.close(promise: nil) }
    }

    // MARK: Timers

    private func armDeliveryTimer() {
        deliveryTimer = context?.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(connections.limits.delivery)) {
            self.deliveryTimer = nil
            self.dropUntaken()
        }
    }

    private func armArrivalTimer() {
        arrivalTimer = context?.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(connections.limits.requestArrival)) {
            guard let context = self.context else { return }
            self.arrivalTimer = nil
            self.refuse(.requestTimeout, "the request did not arrive in time", context)
        }
    }

    /// Looks again later if there was a request in the meantime, so that a request need not touch the timer.
    private func armIdleTimer(after delay: TimeAmount) {
        idleTimer = context?.eventLoop.assumeIsolated().scheduleTask(in: delay) {
            let limit = TimeAmount(self.connections.limits.idle)
            guard case .waiting = self.state else { return self.armIdleTimer(after: limit) }
            let rest = self.waitingSince + limit - .now()
            if rest <= .nanoseconds(0) { self.context?.close(promise: nil) } else { self.armIdleTimer(after: rest) }
        }
    }
}
