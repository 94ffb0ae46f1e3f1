// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON

/// Labels or options: text by text, in the order in which they were read or added.
///
/// Keys are compared by their bytes. Not a Dictionary, for which keys that differ only in Unicode's spelling are one, and
/// which costs more to make than the few lookups save.
public struct StringMap: Sendable {
    public struct Entry: Sendable {
        public let key: String
        public var value: String
    }

    public private(set) var entries: [Entry] = []

    public init() {}

    public var isEmpty: Bool { entries.isEmpty }
    public var count: Int { entries.count }

    /// The value of that key. Setting one that is there keeps its place, a new one goes to the end, `nil` removes it.
    public subscript(key: String) -> String? {
        get { index(of: key).map { entries[$0].value } }
        set {
            switch (index(of: key), newValue) {
            case (let index?, let value?): entries[index].value = value
            case (let index?, nil): entries.remove(at: index)
            case (nil, let value?): append(key: key, value: value)
            case (nil, nil): break
            }
        }
    }

    private func index(of key: String) -> Int? {
        entries.firstIndex { $0.key.utf8.elementsEqual(key.utf8) }
    }

    /// For a reader that has seen to it that the key is new.
    mutating func append(key: String, value: String) { entries.append(Entry(key: key, value: value)) }
    mutating func reserveCapacity(_ count: Int) { entries.reserveCapacity(count) }

    func write(_ key: String, to writer: inout JSONWriter) {
        if isEmpty { return }
        writer.key(key)
        writer.beginObject()
        for entry in entries {
            writer.key(entry.key)
            writer.write(entry.value)
        }
        writer.endObject()
    }
}

extension StringMap: Equatable {
    /// The order of entries does not count.
    public static func == (left: StringMap, right: StringMap) -> Bool {
        left.count == right.count
            && left.entries.allSatisfy { entry in right[entry.key].map { $0.utf8.elementsEqual(entry.value.utf8) } ?? false }
    }
}

extension StringMap: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, String)...) {
        for (key, value) in elements { self[key] = value }
    }
}
