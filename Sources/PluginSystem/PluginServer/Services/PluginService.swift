// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
public import JSON

/// What a plugin of any kind is to the server: the interfaces that it implements, and its calls by their paths.
///
/// ``VolumeService`` makes one of a `VolumeDriver`, ``MountPointService`` of a `MountPointPlugin`. All of it is called on the server's event
/// loop and must not block.
public protocol PluginService: Sendable {
    /// As `Plugin.Activate` names them.
    var interfaces: [PluginInterface] { get }

    /// - Parameter path: such as `/VolumeDriver.Mount`.
    /// - Returns: nil if there is no such call.
    func call(at path: String) -> (any PluginCall)?

    /// A new engine process has introduced itself. Called after it has been answered.
    func activated()
}

/// A call that a request asks for.
public protocol PluginCall: Sendable {
    /// For the log, such as `VolumeDriver.Mount`.
    var name: String { get }

    /// Whether the request's body says anything. One that does not is not kept.
    var readsBody: Bool { get }

    /// Whether it is read with GET or HEAD. Anything else is called with POST, and so it is unless this says otherwise.
    var isPage: Bool { get }

    /// - Throws: `RequestError` for a body that cannot be understood.
    func reply(to body: Span<UInt8>) throws(RequestError) -> PluginReply
}

extension PluginCall {
    public var isPage: Bool { false }
}

/// How a call is carried out.
public enum PluginReply: Sendable {
    /// From memory.
    case now(PluginAnswer)
    /// By work that may take long: a task of its own, which is cancelled when the caller closes its connection.
    ///
    /// - Parameter subject: what it is about, for the log: `volume` and its name, say.
    case later(subject: (kind: String, name: String), work: @Sendable () async -> PluginAnswer)
}

/// The answer to a call.
public struct PluginAnswer: Sendable {
    let status: AnswerStatus
    /// Why the call has failed, for the log.
    let failure: String?
    var mediaType = Activation.mediaType
    let write: @Sendable (inout JSONWriter) -> Void
    let undelivered: (@Sendable () async -> Void)?
    let delivered: (@Sendable () async -> Void)?

    /// - Parameters:
    ///   - delivered: called once the caller has read the answer; ``undelivered`` does not follow.
    ///   - undelivered: called if the caller did not get the answer, and so will never undo what the call has done.
    ///   - write: writes the body.
    public static func success(
        delivered: (@Sendable () async -> Void)? = nil, undelivered: (@Sendable () async -> Void)? = nil,
        write: @escaping @Sendable (inout JSONWriter) -> Void
    ) -> PluginAnswer {
        PluginAnswer(status: .ok, failure: nil, write: write, undelivered: undelivered, delivered: delivered)
    }

    /// HTTP 500 with `{"Err": message}`.
    public static func failure(_ error: PluginError) -> PluginAnswer {
        PluginAnswer(status: .failed, failure: error.message, write: ErrorResponse(error.message).write, undelivered: nil, delivered: nil)
    }

    /// A document that is not JSON.
    static func page(_ bytes: [UInt8], mediaType: String) -> PluginAnswer {
        PluginAnswer(status: .ok, failure: nil, mediaType: mediaType, write: { $0.bytes += bytes }, undelivered: nil, delivered: nil)
    }

    /// A failure for which the interface has words of its own, with HTTP 200.
    ///
    /// - Parameters:
    ///   - message: for the log.
    ///   - write: writes the body.
    public static func refusal(_ message: String, write: @escaping @Sendable (inout JSONWriter) -> Void) -> PluginAnswer {
        PluginAnswer(status: .ok, failure: message, write: write, undelivered: nil, delivered: nil)
    }
}
