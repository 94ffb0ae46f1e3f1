// SPDX-License-Identifier: AGPL-3.0-or-later

public import LinuxSystem
public import SystemPackage

/// One plugin on one socket.
public struct PluginListener: Sendable {
    public enum Socket: Sendable {
        /// A socket file to make: its name without `.sock` is the plugin's name to Docker.
        case path(FilePath)
        /// A listening UNIX stream socket, from ``SocketActivation``. The server closes it and leaves its file alone.
        case inherited(FileDescriptor)
        /// A TCP port of this host alone. Every user of the host can connect.
        case loopback(LoopbackAddress)
    }

    /// The plugin's name, for the log.
    public var name: String
    public var socket: Socket
    public var service: any PluginService

    public init(name: String, socket: Socket, service: any PluginService) {
        self.name = name
        self.socket = socket
        self.service = service
    }
}

/// What callers may use up.
public struct ServerLimits: Sendable {
    /// Of a request's body, in bytes. More is answered with 413.
    public var bodySize = 1 << 20
    /// Of a request's header fields together, in bytes. More is answered with 431.
    public var headerSize = 64 << 10
    /// From a request's first byte to its last. Late ones are answered with 408.
    public var requestArrival = Duration.seconds(30)
    /// Without a request, until a connection is closed. Engines keep theirs for the next call.
    public var idle = Duration.seconds(600)
    /// For a caller to take an answer; one that does not is disconnected.
    public var delivery = Duration.seconds(30)
    /// Of answers that their callers have not taken, over all listeners, in bytes. If there are more, those who wait longest are
    /// disconnected.
    public var untakenAnswers = 32 << 20
    /// Over all listeners. Further ones are closed as they come, and the log says so.
    public var connections = 1024
    /// How long ``PluginServer/stop()`` lets running calls go on before it cancels them.
    public var stop = Duration.seconds(10)
    /// How long ``PluginServer/stop()`` then waits for cancelled calls to end.
    public var cancellation = Duration.seconds(2)

    public init() {}
}

/// A server that cannot start, in one line for the operator.
public struct PluginServerError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
