// SPDX-License-Identifier: AGPL-3.0-or-later

public import JSON

/// A call that a plugin could not carry out; answered as HTTP 500 with `{"Err": message}`.
///
/// That status with that body is the only form that both moby and Podman take for a failure: Podman reads any 200 as success.
public struct PluginError: Error, Sendable, Equatable {
    /// One line for the person at the engine's command line: the cause first, what to do last.
    public var message: String

    /// Names that users and servers chose stand in messages; a control character of theirs becomes `?`, so that it stays one line.
    public init(_ message: String) {
        self.message = SanitizedText.withoutControls(message)
    }
}

extension PluginError: CustomStringConvertible {
    public var description: String { message }
}

/// A call that does not say what it should; answered as HTTP 400 with `{"Err": message}`.
public struct RequestError: Error, Sendable, Equatable {
    /// One line.
    public var message: String

    public init(_ message: String) { self.message = message }
}

extension RequestError: CustomStringConvertible {
    public var description: String { message }
}

/// An answer that does not say what it should. The call has reached the plugin, so what it did is not known.
public struct ResponseError: Error, Sendable, Equatable {
    /// One line, such as `Patterns[2].Volume.Name[0].Prefix must be a string, not a number`.
    public var message: String

    public init(_ message: String) { self.message = message }
}

extension ResponseError: CustomStringConvertible {
    public var description: String { message }
}

/// The body of every answer that reports a failure: `{"Err": message}`.
public struct ErrorResponse: Sendable, Equatable {
    public var message: String

    public init(_ message: String) { self.message = message }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("Err")
        writer.write(message)
        writer.endObject()
    }
}
