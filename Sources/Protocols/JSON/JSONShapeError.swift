// SPDX-License-Identifier: AGPL-3.0-or-later

/// What of a JSON document is not as its reader needs it, and where.
public struct JSONShapeError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Such as `Patterns[2].Type`; empty for the document itself.
    public let place: String
    /// What is to follow the place in a sentence, such as `must be a string, not a number`.
    public let reason: String

    public init(_ reason: String, at place: String = "") {
        self.reason = reason
        self.place = place
    }

    /// - Parameter document: how the sentence begins that says something of all of it, such as `the answer`.
    public func message(about document: String) -> String { "\(place.isEmpty ? document : place) \(reason)" }

    public var description: String { message(about: "it") }
}

/// Where in a document a value is. Its text is put together only when something is wrong.
indirect enum JSONPlace {
    case document
    case member(JSONPlace, String)
    case element(JSONPlace, Int)
    /// Of an object whose keys are free words.
    case entry(JSONPlace, String)

    var text: String {
        switch self {
        case .document: ""
        case .member(.document, let key): key
        case .member(let parent, let key): "\(parent.text).\(key)"
        case .element(let parent, let index): "\(parent.text)[\(index)]"
        case .entry(let parent, let key): "\(parent.text)[\(JSONValue.string(key))]"
        }
    }
}
