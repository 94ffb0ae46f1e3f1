// SPDX-License-Identifier: AGPL-3.0-or-later

public import KernelMount
import LinuxSystem

/// What happens to a created subdirectory when its volume is removed.
public enum RemovalPolicy: String, Sendable, CaseIterable {
    /// It stays as it is.
    case retain
    /// It is renamed to `archived-NAME-TIME` beside where it was.
    case archive
    /// It is deleted with all that is in it.
    case delete
}

/// The options of a volume, checked, in one spelling: what to mount, which directory of it, and what becomes of that in the end.
public struct VolumeOptions: Sendable, Equatable {
    public private(set) var source: any FileSystemSource
    public let subdirectory: Subdirectory?
    public let removal: RemovalPolicy
    /// The same options in the canonical spelling, for comparing, keeping and showing.
    public let canonical: [String: String]

    /// Of a value that a caller or another host gives: what mount(2) takes as all of its data, a page. What this host has stored
    /// already is read without this limit.
    static let longestValue = 4096

    /// Those that are the same for every kind of file system.
    static let names = ["subdir", "create", "mode", "uid", "gid", "onremove"]

    /// Reads and checks options; nothing is resolved or contacted.
    ///
    /// - Throws: `StorageError` (`bad-option`): which option, why, and what to write instead.
    public init(_ options: [String: String], kind: any FileSystemKind) throws(StorageError) {
        let names = kind.optionNames + Self.names + kind.otherOptionNames
        for key in options.keys.sorted() where !names.contains(key) { throw Self.unknown(key, kind) }
        guard !options.isEmpty else { throw StorageError(.badOption, "no options given; say what to mount") }
        source = try kind.source(options)
        subdirectory = try Self.subdirectory(options)
        removal = try Self.removal(options, subdirectory)
        canonical = source.canonical.merging(Self.canonical(subdirectory, removal)) { $1 }
    }

    public static func == (left: Self, right: Self) -> Bool { left.differences(from: right).isEmpty }

    /// The same options, if others than the callers of this host have written them: this host's protections hold over them.
    func writtenByOthers() -> VolumeOptions {
        var options = self
        options.source = source.definedByOthers()
        return options
    }

    /// The names of the options in which two volumes differ, sorted; empty if they mean the same. Which driver's spelling the options had
    /// does not count, and values are compared by their bytes.
    public func differences(from other: VolumeOptions) -> [String] {
        let spelling = source.kind.otherOptionNames
        return Set(canonical.keys).union(other.canonical.keys).filter { name in
            !spelling.contains(name) && !Self.areSame(canonical[name], other.canonical[name])
        }.sorted()
    }

    private static func areSame(_ one: String?, _ other: String?) -> Bool {
        guard let one, let other else { return one == nil && other == nil }
        return one.hasSameBytes(as: other)
    }

    private static func unknown(_ key: String, _ kind: any FileSystemKind) -> StorageError {
        let names = kind.optionNames + Self.names + kind.otherOptionNames
        if kind.isMountOption(key) {
            return StorageError(.badOption, "unknown option \(key); mount options go into o, as in --opt o=\(key)")
        }
        if let near = nearestWord(to: key, among: names, within: 3) {
            return StorageError(.badOption, "unknown option \(key); did you mean \(near)?")
        }
        return StorageError(.badOption, "unknown option \(key); the options are \(names.joined(separator: ", "))")
    }

    private static func subdirectory(_ options: [String: String]) throws(StorageError) -> Subdirectory? {
        var creates = false
        if let text = options["create"] {
            guard let value = boolean(text) else { throw StorageError(.badOption, "option create=\(text) is neither true nor false") }
            creates = value
        }
        guard let path = options["subdir"] else {
            for name in ["create", "mode", "uid", "gid"] where options[name] != nil {
                throw StorageError(.badOption, "option \(name) needs the option subdir, the directory that it speaks of")
            }
            return nil
        }
        for name in ["mode", "uid", "gid"] where options[name] != nil && !creates {
            throw StorageError(.badOption, "option \(name) needs create=true: a directory that is there already is never changed")
        }
        var creation: Subdirectory.Creation?
        if creates {
            var wanted = Subdirectory.Creation()
            if let text = options["mode"] {
                guard let mode = UInt32(text, radix: 8), mode <= 0o7777 else {
                    throw StorageError(.badOption, "option mode=\(text) is not an octal mode such as 0755")
                }
                // A compose file's `mode: 0770` arrives as the decimal number 504.
                guard text.utf8.first == UInt8(ascii: "0") else {
                    throw StorageError(
                        .badOption,
                        "option mode=\(text) has no leading zero; write it as octal, and in a compose file in quotes: mode: '0770'")
                }
                wanted.mode = mode
            }
            wanted.user = try identifier("uid", options)
            wanted.group = try identifier("gid", options)
            creation = wanted
        }
        let subdirectory = try Subdirectory(path, creation: creation)
        if subdirectory.components.first == Share.catalogueFolder {
            throw StorageError(.badOption, "option subdir is where the catalogue is kept: \(path); give another directory")
        }
        return subdirectory
    }

    private static func identifier(_ name: String, _ options: [String: String]) throws(StorageError) -> UInt32? {
        guard let text = options[name] else { return nil }
        guard let id = UInt32(text), id < UInt32.max else {
            throw StorageError(.badOption, "option \(name)=\(text) is not a numeric id: the names of this host mean nothing on the server")
        }
        return id
    }

    private static func removal(_ options: [String: String], _ subdirectory: Subdirectory?) throws(StorageError) -> RemovalPolicy {
        guard let text = options["onremove"] else { return .retain }
        guard let policy = RemovalPolicy(rawValue: text) else {
            let near = nearestWord(to: text, among: RemovalPolicy.allCases.map(\.rawValue), within: 3)
            throw StorageError(
                .badOption,
                "option onremove=\(text) is not one of retain, archive, delete\(near.map { "; did you mean \($0)?" } ?? "")")
        }
        if policy != .retain, subdirectory?.creation == nil {
            throw StorageError(
                .badOption,
                "option onremove=\(text) needs subdir and create=true: it acts on the volume's own directory, never on a whole export")
        }
        if policy == .archive, let last = subdirectory?.components.last, last.utf8.count > Self.longestArchivedName {
            throw StorageError(
                .badOption,
                "option onremove=archive needs a subdir whose last name has at most \(Self.longestArchivedName) bytes: the archive's name is longer than its own"
            )
        }
        return policy
    }

    /// 255 bytes without `archived-` and a time such as `-20260301T120000Z`.
    private static let longestArchivedName = 229

    static func boolean(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "1", "yes": true
        case "false", "0", "no": false
        default: nil
        }
    }

    private static func canonical(_ subdirectory: Subdirectory?, _ removal: RemovalPolicy) -> [String: String] {
        var result: [String: String] = [:]
        if let subdirectory { result["subdir"] = subdirectory.path }
        if let creation = subdirectory?.creation {
            result["create"] = "true"
            result["mode"] = "0" + String(creation.mode, radix: 8)
            if let user = creation.user { result["uid"] = String(user) }
            if let group = creation.group { result["gid"] = String(group) }
        }
        if removal != .retain { result["onremove"] = removal.rawValue }
        return result
    }
}
