// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import JSON
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

    private struct Mount {
        var name: String
        var id: String
    }

    private let driver: any VolumeDriver
    private let connections: Connections
    private let logger: Logger
    private var context: ChannelHandlerContext?

    private var state = State.waiting
    private var body: ByteBuffer?
    private var bodySize = 0
    private var keepsAlive = true
    /// A mount whose answer the kernel has taken, until the caller is known to have read it.
    private var unconfirmedMount: Mount?

    private var hasReadPart = false
    private var waitingSince = NIODeadline.now()
    private var idleTimer: Scheduled<Void>?
    private var arrivalTimer: Scheduled<Void>?

    /// How long a caller that is being refused may go on sending, so that it gets to read why.
    private static let lingering = TimeAmount.seconds(5)

    init(_ listener: PluginListener, _ connections: Connections) {
        driver = listener.driver
        self.connections = connections
        var logger = connections.logger
        logger[metadataKey: "driver"] = "\(listener.name)"
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
        body = nil
        connections.remove(self)
    }

    /// Closes now if no request is under way, else after its answer.
    func stop() {
        keepsAlive = false
        if case .waiting = state { context?.close(promise: nil) }
    }

    /// Closes now; a running call is cancelled.
    func abort() { context?.close(promise: nil) }

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
        if (error as? IOError)?.errnoCode == ECONNRESET, let mount = unconfirmedMount {
            // What a UNIX socket reports when the other end was closed with our answer unread in it.
            unconfirmedMount = nil
            connections.undoMount(mount.name, id: mount.id, driver: driver, logger: logger)
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
        unconfirmedMount = nil
        // A caller that asks again and again without reading the answers would fill the memory.
        guard context.channel.isWritable else {
            logger.debug("A caller does not read its answers; closing the connection")
            return context.close(promise: nil)
        }
        keepsAlive = head.isKeepAlive && head.version == .http1_1 && !connections.isStopping
        bodySize = 0
        state = .receiving(Route(head))
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
        case .wrongMethod:
            keepsAlive = false
            answerError(.methodNotAllowed, "calls are made with POST", context)
        case .activate:
            let written = context.eventLoop.makePromise(of: Void.self)
            written.futureResult.whenSuccess { [driver] in driver.activated() }
            answer(.ok, context, promise: written) { Activation.writeResponse(implementing: [.volumeDriver], to: &$0) }
        case .volume(let method):
            do throws(RequestError) {
                let request = try VolumeRequest(method, body: body.readableBytesUInt8Span)
                carryOut(request, method, context)
            } catch {
                logger.debug("\(method.call) was not understood: \(error)")
                answerError(.badRequest, error.message, context)
            }
        }
    }

    private func carryOut(_ request: VolumeRequest, _ method: VolumeMethod, _ context: ChannelHandlerContext) {
        do throws(PluginError) {
            switch request {
            case .get(let name): answer(.volume(try driver.get(name)), context)
            case .path(let name): answer(.mountpoint(try driver.path(of: name)), context)
            case .list: answer(.volumes(driver.list()), context)
            case .capabilities: answer(.capabilities(driver.scope), context)
            case .create, .remove, .mount, .unmount: start(request, method)
            }
        } catch {
            // Engines ask for volumes that are not there before each Create.
            logger.debug("\(method.call) failed: \(error)")
            answerError(.failed, error.message, context)
        }
    }

    // MARK: Calls that take long

    private func start(_ request: VolumeRequest, _ method: VolumeMethod) {
        let task = connections.run { [driver] in
            do throws(PluginError) {
                return .success(try await driver.carryOut(request))
            } catch {
                return .failure(error)
            }
        } completion: { (result: Result<VolumeResponse, PluginError>) in
            self.finish(request, method, result)
        }
        state = .running(task)
    }

    private func finish(_ request: VolumeRequest, _ method: VolumeMethod, _ result: Result<VolumeResponse, PluginError>) {
        let mount: Mount? = if case (.mount(let name, let id), .success) = (request, result) { Mount(name: name, id: id) } else { nil }
        guard case .running = state, let context else {
            if case .failure(let error) = result {
                logger.notice("\(method.call) ended after its caller had left: \(error)", metadata: ["volume": "\(request.name)"])
            }
            if let mount { undo(mount) }
            return
        }
        switch result {
        case .success(let response):
            guard let mount else { return answer(response, context) }
            let written = context.eventLoop.makePromise(of: Void.self)
            written.futureResult.assumeIsolated().whenComplete { outcome in
                switch outcome {
                case .success: self.unconfirmedMount = mount
                case .failure: self.undo(mount)
                }
            }
            answer(.ok, context, promise: written) { response.write(to: &$0) }
        case .failure(let error):
            logger.error("\(method.call) failed: \(error)", metadata: ["volume": "\(request.name)"])
            answerError(.failed, error.message, context)
        }
    }

    private func undo(_ mount: Mount) {
        connections.undoMount(mount.name, id: mount.id, driver: driver, logger: logger)
    }

    // MARK: Answers

    private func answer(_ response: VolumeResponse, _ context: ChannelHandlerContext) {
        answer(.ok, context) { response.write(to: &$0) }
    }

    private func answerError(_ status: AnswerStatus, _ message: String, _ context: ChannelHandlerContext) {
        answer(status, context) { ErrorResponse(message).write(to: &$0) }
    }

    private func answer(
        _ status: AnswerStatus, _ context: ChannelHandlerContext, promise: EventLoopPromise<Void>? = nil,
        _ write: (inout JSONWriter) -> Void
    ) {
        let output = connections.answer(status, keepAlive: keepsAlive, write)
        waitingSince = .now()
        if keepsAlive {
            state = .waiting
            return context.writeAndFlush(wrapOutboundOut(output), promise: promise)
        }
        state = .closing
        let written = promise ?? context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(output), promise: written)
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
