// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import NIOCore

/// An answer that the kernel has taken, until the caller is known to have read it: what the kernel has taken can still be lost with the
/// caller. Used on the connection's event loop.
final class UnconfirmedAnswer {
    /// Until it is looked whether the caller has read it; doubles up to the longest.
    private static let firstPause = TimeAmount.milliseconds(1)
    private static let longestPause = TimeAmount.seconds(1)

    private var answer: PluginAnswer?
    private let context: ChannelHandlerContext
    private let connections: Connections
    /// The connection is to be closed afterwards, and at this time whether it was read or not.
    private let end: NIODeadline?
    private var timer: Scheduled<Void>?

    /// - Parameter isLast: the connection is closed when this has been read.
    init(_ answer: PluginAnswer, isLast: Bool, on context: ChannelHandlerContext, _ connections: Connections) {
        self.answer = answer
        self.context = context
        self.connections = connections
        end = isLast ? .now() + TimeAmount(connections.limits.delivery) : nil
        look(after: Self.firstPause)
    }

    /// Looks for what is left in the socket, which no event tells of.
    private func look(after pause: TimeAmount) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: pause) {
            guard self.answer != nil else { return }
            let unread = try? self.context.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
                unreadBytes(in: $0)
            }
            if unread.flatMap({ $0 }) ?? 0 == 0 { return self.wasRead() }
            if let end = self.end, end <= .now() { return self.isUnknown() }
            self.look(after: min(pause * 2, Self.longestPause))
        }
    }

    func wasRead() { finish { $0.delivered } }

    /// The caller has closed its end, with this in it.
    func wasLost() { finish { $0.undelivered } }

    /// Nobody will know any more: it stays an answer that may not have been read.
    func isUnknown() { finish { _ in nil } }

    private func finish(_ consequence: (PluginAnswer) -> (@Sendable () async -> Void)?) {
        timer?.cancel()
        guard let answer else { return }
        self.answer = nil
        connections.begin(consequence(answer))
        if end != nil { context.close(promise: nil) }
    }
}
