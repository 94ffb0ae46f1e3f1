// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON

extension JSONWriter {
    /// Writes a member, unless it is empty.
    mutating func writeIfPresent(_ key: String, _ text: String) {
        if text.isEmpty { return }
        self.key(key)
        write(text)
    }

    mutating func writeIfPresent(_ key: String, _ word: some MountPointWord) { writeIfPresent(key, word.rawValue) }

    mutating func writeIfTrue(_ key: String, _ flag: Bool) {
        if flag { write(key, flag) }
    }

    mutating func writeNumber(_ key: String, _ number: some BinaryInteger) {
        self.key(key)
        write(JSONValue(number))
    }

    /// Seconds as a number that is as short as it can be: `5`, not `5.0`.
    mutating func writeIfGiven(seconds: Double?, _ key: String) {
        guard let seconds, let number = JSONNumber(seconds) else { return }
        self.key(key)
        write(Int(exactly: seconds).map { JSONValue($0) } ?? .number(number))
    }

    mutating func write(_ key: String, _ flag: Bool) {
        self.key(key)
        write(.bool(flag))
    }

    mutating func writeIfNotEmpty<Element>(_ key: String, _ list: [Element], _ writeElement: (Element, inout JSONWriter) -> Void) {
        if list.isEmpty { return }
        write(key, list, writeElement)
    }

    mutating func write<Element>(_ key: String, _ list: [Element], _ writeElement: (Element, inout JSONWriter) -> Void) {
        self.key(key)
        beginArray()
        for element in list { writeElement(element, &self) }
        endArray()
    }
}
