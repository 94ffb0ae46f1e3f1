// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
public import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import SystemPackage
import Synchronization

/// Serves plugins to container engines: HTTP/1.1 on UNIX sockets, all on one event loop.
///
/// A failed call is logged here, once: one that may take long as an error, one that is answered from memory at debug.
public final class PluginServer: Sendable {
    private let listeners: [PluginListener]
    private let limits: ServerLimits
    private let logger: Logger
    private let running = Mutex<Running?>(nil)

    private struct Running: Sendable {
        let group: MultiThreadedEventLoopGroup
        let connections: NIOLoopBound<Connections>
        var channels: [any Channel] = []
        var files: [SocketFile] = []
    }

    public init(listeners: [PluginListener], logger: Logger, limits: ServerLimits = ServerLimits()) {
        self.listeners = listeners
        self.logger = logger
        self.limits = limits
    }

    /// Makes the sockets and begins to answer.
    ///
    /// - Throws: `PluginServerError` if a path is taken or cannot be a socket, `SystemError` if the system refuses one. Nothing
    ///   is left behind then.
    public func start() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let eventLoop = group.next()
        let connections = try await eventLoop.submit { [limits, logger] in
            NIOLoopBound(Connections(eventLoop: eventLoop, limits: limits, logger: logger), eventLoop: eventLoop)
        }.get()
        var running = Running(group: group, connections: connections)
        do {
            for listener in listeners { try await open(listener, &running) }
        } catch {
            self.running.withLock { $0 = running }
            await stop()
            throw error
        }
        self.running.withLock { [running] in $0 = running }
    }

    private func open(_ listener: PluginListener, _ running: inout Running) async throws {
        let descriptor: CInt
        switch listener.socket {
        case .inherited(let inherited): descriptor = inherited.rawValue
        case .path(let path):
            let socket = try ListeningSocket(at: path)
            running.files.append(socket.file)
            descriptor = socket.descriptor.rawValue
        case .loopback(let address): descriptor = try address.listen().rawValue
        }
        let connections = running.connections
        let headerLimits = headerLimits
        // Requests are small; a larger one takes several reads.
        let bootstrap = ServerBootstrap(group: running.group)
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 4096))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let decoder = HTTPRequestDecoder(limitConfiguration: headerLimits)
                    try channel.pipeline.syncOperations.addHandlers(
                        ByteToMessageHandler(decoder), PluginConnection(listener, connections.value))
                }
            }
        running.channels.append(try await bootstrap.withBoundSocket(descriptor).get())
        logger.debug("Listening", metadata: ["plugin": "\(listener.name)"])
    }

    private var headerLimits: NIOHTTPDecoderLimitConfiguration {
        var configuration = NIOHTTPDecoderLimitConfiguration()
        configuration.maxHeaderListSize = limits.headerSize
        configuration.maxHeaderFieldSize = min(limits.headerSize, configuration.maxHeaderFieldSize)
        return configuration
    }

    /// Removes the sockets, lets running calls end, cancels those that do not within ``ServerLimits/stop``, and returns at the latest
    /// ``ServerLimits/cancellation`` after that. Does nothing if the server does not run.
    public func stop() async {
        guard let running = running.withLock({ $0.take() }) else { return }
        for file in running.files {
            do { try file.remove() } catch { logger.warning("The socket file stays behind: \(error)") }
        }
        for channel in running.channels { try? await channel.close() }
        if await idle(running, within: limits.stop, after: { $0.stop() }) == false {
            logger.warning("Calls are still running \(limits.stop) after the server was asked to stop; cancelling them")
            if await idle(running, within: limits.cancellation, after: { $0.cancelAll() }) == false {
                // Without its event loop such a call could not report its end, nor a mount be taken back.
                logger.warning("Calls do not end after being cancelled; leaving them behind")
                return
            }
        }
        try? await running.group.shutdownGracefully()
    }

    /// Does something to the connections and waits until there are none any more.
    private func idle(
        _ running: Running, within limit: Duration, after action: @escaping @Sendable (Connections) -> Void
    ) async -> Bool {
        let eventLoop = running.group.next()
        let connections = running.connections
        let idle = eventLoop.flatSubmit {
            let promise = eventLoop.makePromise(of: Bool.self)
            let timer = eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(limit)) { promise.succeed(false) }
            action(connections.value)
            connections.value.untilIdle().whenSuccess {
                timer.cancel()
                promise.succeed(true)
            }
            return promise.futureResult
        }
        return (try? await idle.get()) ?? false
    }
}
