// SPDX-License-Identifier: AGPL-3.0-or-later

/// A JSON object that keeps the order of its members.
///
/// Each key is there once; keys are compared by their UTF-8 bytes. Lookup goes through the members in turn, which for the
/// objects of plugin calls and of config.json is faster than hashing.
public struct JSONObject: Sendable {
    public struct Member: Sendable {
        public let key: String
        public var value: JSONValue
    }

    /// In the order in which they were read or added.
    public private(set) var members: [Member]

    public init() { members = [] }

    /// For the parser, which has already seen to it that no key is there twice.
    init(uniqueMembers: [Member]) { members = uniqueMembers }

    public var isEmpty: Bool { members.isEmpty }
    public var count: Int { members.count }

    /// The member of that name. Setting one that is there keeps its place, a new one goes to the end, `nil` removes it.
    public subscript(key: String) -> JSONValue? {
        get { index(of: key).map { members[$0].value } }
        set {
            switch (index(of: key), newValue) {
            case (let index?, let value?): members[index].value = value
            case (let index?, nil): members.remove(at: index)
            case (nil, let value?): members.append(Member(key: key, value: value))
            case (nil, nil): break
            }
        }
    }

    private func index(of key: String) -> Int? {
        members.firstIndex { $0.key.hasSameBytes(as: key) }
    }
}

extension JSONObject: Equatable {
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.members.elementsEqual(right.members) { $0.key.hasSameBytes(as: $1.key) && $0.value == $1.value }
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self.init()
        for (key, value) in elements { self[key] = value }
    }
}
