// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON

/// Labels or options: text by text, in the order in which they were read or added.
///
/// Keys are compared by their bytes. Not a Dictionary, for which keys that differ only in Unicode's spelling are one, and
/// which costs more to make than the few lookups save. Only many entries have an index, so that each costs the same.
public struct StringMap: Sendable {
    public struct Entry: Sendable {
        public let key: String
        public var value: String
    }

    public private(set) var entries: [Entry] = []
    /// Where each key is, or of some of the first entries; used only if it has all.
    private var places: [ByteKey: Int] = [:]

    /// Entries that are compared one by one.
    private static let comparedAtMost = 16

    public init() {}

    /// For a reader that has seen to it that no key is there twice.
    public init(uniqueEntries: [(key: String, value: String)]) { entries = uniqueEntries.map { Entry(key: $0.key, value: $0.value) } }

    public var isEmpty: Bool { entries.isEmpty }
    public var count: Int { entries.count }

    /// The value of that key. Setting one that is there keeps its place, a new one goes to the end, `nil` removes it.
    public subscript(key: String) -> String? {
        get { index(of: key).map { entries[$0].value } }
        set {
            completeIndex()
            switch (index(of: key), newValue) {
            case (let index?, let value?): entries[index].value = value
            case (let index?, nil):
                entries.remove(at: index)
                places = [:]
            case (nil, let value?):
                if !places.isEmpty { places[ByteKey(text: key)] = entries.count }
                append(key: key, value: value)
            case (nil, nil): break
            }
        }
    }

    private func index(of key: String) -> Int? {
        if !places.isEmpty && places.count == entries.count { return places[ByteKey(text: key)] }
        return entries.firstIndex { $0.key.utf8.elementsEqual(key.utf8) }
    }

    private mutating func completeIndex() {
        if entries.count <= Self.comparedAtMost || places.count == entries.count { return }
        for (index, entry) in entries.enumerated().dropFirst(places.count) { places[ByteKey(text: entry.key)] = index }
    }

    /// For a reader that has seen to it that the key is new, such as a parser of JSON.
    public mutating func append(key: String, value: String) { entries.append(Entry(key: key, value: value)) }
    public mutating func reserveCapacity(_ count: Int) { entries.reserveCapacity(count) }

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

    private struct ByteKey: Hashable {
        let text: String

        static func == (left: ByteKey, right: ByteKey) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

        func hash(into hasher: inout Hasher) {
            var text = text
            text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }
}

extension StringMap: Equatable {
    /// The order of entries does not count.
    public static func == (left: StringMap, right: StringMap) -> Bool {
        if left.count != right.count { return false }
        if zip(left.entries, right.entries).allSatisfy({ $0.isSame(as: $1) }) { return true }
        var right = right
        right.completeIndex()
        return left.entries.allSatisfy { entry in right[entry.key].map { $0.utf8.elementsEqual(entry.value.utf8) } ?? false }
    }
}

extension StringMap.Entry {
    fileprivate func isSame(as other: StringMap.Entry) -> Bool {
        key.utf8.elementsEqual(other.key.utf8) && value.utf8.elementsEqual(other.value.utf8)
    }
}

extension StringMap: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, String)...) {
        for (key, value) in elements { self[key] = value }
    }
}
