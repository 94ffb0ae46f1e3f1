// SPDX-License-Identifier: AGPL-3.0-or-later

public import JSON

extension ResponseError {
    static func wrapping<Value>(_ read: () throws(JSONShapeError) -> Value) throws(ResponseError) -> Value {
        do throws(JSONShapeError) { return try read() } catch { throw ResponseError(error.message(about: "the answer")) }
    }
}

extension RequestError {
    static func wrapping<Value>(_ read: () throws(JSONShapeError) -> Value) throws(RequestError) -> Value {
        do throws(JSONShapeError) { return try read() } catch { throw RequestError(error.message(about: "the request")) }
    }
}

extension JSONObjectReader {
    /// A request or an answer. Go's library, which most plugins use, reads names of members in any letter case.
    static func message(_ body: Span<UInt8>) throws(JSONShapeError) -> JSONObjectReader {
        if body.isEmpty { throw JSONShapeError("has no body") }
        return try JSONObjectReader(parsing: body, names: .anyCase)
    }

    func word<Word: MountPointWord>(_ key: String) throws(JSONShapeError) -> Word { Word(rawValue: try text(key)) }

    func wordIfPresent<Word: MountPointWord>(_ key: String) throws(JSONShapeError) -> Word? {
        try textIfPresent(key).map(Word.init(rawValue:))
    }

    func words<Word: MountPointWord>(_ key: String) throws(JSONShapeError) -> [Word] { try texts(key).map(Word.init(rawValue:)) }

    func positiveNumber(_ key: String) throws(JSONShapeError) -> Int {
        let number: Int = try number(key)
        if number <= 0 { throw error("must be a whole number above 0", at: key) }
        return number
    }

    /// Seconds; nil for 0, which is what Go sends for a number that is not set.
    func secondsIfSet(_ key: String) throws(JSONShapeError) -> Double? {
        guard let seconds = try secondsIfPresent(key), seconds > 0 else { return nil }
        return seconds
    }

    /// Labels or options; empty if they are missing.
    ///
    /// - Throws: `JSONShapeError` for an entry that is not text.
    public func map(_ key: String) throws(JSONShapeError) -> StringMap {
        var map = StringMap()
        try forEachText(in: key) { count, key, text in
            if map.isEmpty { map.reserveCapacity(count) }
            map.append(key: key, value: text)
        }
        return map
    }
}
