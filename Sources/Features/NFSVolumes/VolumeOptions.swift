// SPDX-License-Identifier: AGPL-3.0-or-later

public import NFSMount

/// What happens to a created subdirectory when its volume is removed.
public enum RemovalPolicy: String, Sendable, CaseIterable {
    /// It stays as it is.
    case retain
    /// It is renamed to `archived-NAME-TIME` beside where it was.
    case archive
    /// It is deleted with all that is in it.
    case delete
}

/// The options of `docker volume create -d nfsd`, checked, in one spelling.
public struct VolumeOptions: Sendable, Equatable {
    public let server: ServerName
    /// The export's path, absolute.
    public let path: String
    /// nil: the daemon's default holds.
    public let versions: VersionPolicy?
    /// Further mount options as the user wrote them; they have been checked.
    public let mountOptions: String
    public let subdirectory: Subdirectory?
    public let removal: RemovalPolicy

    /// The same options in the canonical spelling, for comparing, keeping and showing.
    public let canonical: [String: String]

    static let names = [
        "server", "path", "nfsvers", "vers", "version", "o", "subdir", "create", "mode", "uid", "gid", "onremove", "type", "device",
    ]

    /// Reads and checks options; nothing is resolved or contacted.
    public init(_ options: [String: String]) throws(StorageError) {
        for key in options.keys.sorted() where !Self.names.contains(key) { throw Self.unknown(key) }
        guard !options.isEmpty else {
            throw StorageError(
                .badOption,
                "no options given; say what to mount: docker volume create -d nfsd --opt server=HOST --opt path=/EXPORT NAME")
        }
        let words = try Self.mountOptions(options["o"] ?? "")
        let device = try Self.device(options["device"])
        let (host, isLocalSpelling) = try Self.host(options, device, words)
        server = host
        path = try Self.path(options, device)
        versions = try Self.versions(options, words, type: options["type"], isLocalSpelling: isLocalSpelling)
        mountOptions = options["o"] ?? ""
        subdirectory = try Self.subdirectory(options)
        removal = try Self.removal(options, subdirectory)
        canonical = Self.canonical(options, server: host, path: path, versions: versions, subdirectory: subdirectory, removal: removal)
    }

    /// The names of the options in which two volumes differ, sorted; empty if they mean the same.
    public func differences(from other: VolumeOptions) -> [String] {
        Set(canonical.keys).union(other.canonical.keys).filter { canonical[$0] != other.canonical[$0] }.sorted()
    }

    private static func unknown(_ key: String) -> StorageError {
        if let near = nearestWord(to: key, among: names, within: 3) {
            return StorageError(.badOption, "unknown option \(key); did you mean \(near)?")
        }
        if (try? NFSMount.MountOptions("\(key)")) != nil, NFSMount.MountOptions.isKnownName(key) {
            return StorageError(.badOption, "unknown option \(key); mount options go into o, as in --opt o=\(key)")
        }
        return StorageError(
            .badOption,
            "unknown option \(key); the options are server, path, nfsvers, o, subdir, create, mode, uid, gid, onremove, type, device")
    }

    private static func mountOptions(_ text: String) throws(StorageError) -> NFSMount.MountOptions {
        do throws(MountOptionError) { return try NFSMount.MountOptions(text) } catch { throw StorageError(.badOption, error.description) }
    }

    private typealias Device = (host: ServerName?, path: String)

    /// `:/path`, `host:/path` or `[2001:db8::7]:/path`.
    private static func device(_ text: String?) throws(StorageError) -> Device? {
        guard let text else { return nil }
        let start = text.hasPrefix("[") ? text.firstIndex(of: "]") ?? text.startIndex : text.startIndex
        guard let colon = text[start...].firstIndex(of: ":") else {
            throw StorageError(.badOption, "option device is not of the form HOST:/EXPORT or :/EXPORT: \(text)")
        }
        let host = String(text[..<colon])
        let path = String(text[text.index(after: colon)...])
        if host.isEmpty { return (nil, path) }
        guard let name = ServerName(host) else {
            throw StorageError(.badOption, "option device names no valid host before the colon: \(text)")
        }
        return (name, path)
    }

    private static func host(
        _ options: [String: String], _ device: Device?, _ words: NFSMount.MountOptions
    ) throws(StorageError) -> (ServerName, isLocalSpelling: Bool) {
        if let text = options["server"] {
            guard let name = ServerName(text) else {
                throw StorageError(
                    .badOption,
                    "option server is not a host name, an IPv4 or an IPv6 address: \(text); the export goes into path, as in --opt server=HOST --opt path=/EXPORT"
                )
            }
            for (option, other) in [("device", device?.host), ("o=addr", words.server)] {
                guard let other, other != name else { continue }
                throw StorageError(
                    .badOption, "options server=\(name.text) and \(option)=\(other.text) contradict each other; give one of them")
            }
            return (name, false)
        }
        // The local driver takes addr for the server, and the host in device for a mere label.
        if let name = words.server ?? device?.host { return (name, true) }
        throw StorageError(.badOption, "option server is missing; give the NFS server, as in --opt server=HOST --opt path=/EXPORT")
    }

    private static func path(_ options: [String: String], _ device: Device?) throws(StorageError) -> String {
        guard let text = options["path"] ?? device?.path else {
            throw StorageError(.badOption, "option path is missing; give the export's path, as in --opt path=/EXPORT")
        }
        let option = options["path"] == nil ? "device" : "path"
        if let device, options["path"] != nil, tidied(device.path) != tidied(text) {
            throw StorageError(.badOption, "options path=\(text) and device=…:\(device.path) contradict each other; give one of them")
        }
        guard text.hasPrefix("/") else {
            throw StorageError(.badOption, "option \(option) is not an absolute path: \(text); it begins with /")
        }
        if text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
            throw StorageError(.badOption, "option \(option) has a control character in it")
        }
        if text.utf8.split(separator: UInt8(ascii: "/")).contains(where: { $0.elementsEqual("..".utf8) }) {
            throw StorageError(.badOption, "option \(option) has .. in it: \(text); give the path itself")
        }
        if text.utf8.count > 1024 { throw StorageError(.badOption, "option \(option) is longer than 1024 bytes") }
        return tidied(text)
    }

    private static func tidied(_ path: String) -> String {
        "/" + path.utf8.split(separator: UInt8(ascii: "/")).map { String($0) ?? "" }.filter { $0 != "." }.joined(separator: "/")
    }

    private static func versions(
        _ options: [String: String], _ words: NFSMount.MountOptions, type: String?, isLocalSpelling: Bool
    ) throws(StorageError) -> VersionPolicy? {
        var given: [(name: String, policy: VersionPolicy)] = []
        for name in ["nfsvers", "vers", "version"] {
            guard let text = options[name] else { continue }
            guard let policy = VersionPolicy(text) else {
                throw StorageError(.badOption, "option \(name)=\(text) is not a version of NFS; give 4.2, 4.1, 4.0, 3 or auto")
            }
            given.append((name, policy))
        }
        if let policy = words.versions { given.append(("o=vers", policy)) }
        for other in given.dropFirst() where other.policy != given[0].policy {
            throw StorageError(
                .badOption,
                "options \(given[0].name)=\(given[0].policy.text) and \(other.name)=\(other.policy.text) contradict each other; give one of them"
            )
        }
        switch type {
        case nil: return given.first?.policy
        case "nfs":
            // What mount(8) does with this type, so that a volume of the local driver finds its server again.
            return given.first?.policy ?? (isLocalSpelling ? .auto : nil)
        case "nfs4":
            if let policy = given.first?.policy, policy.candidates.contains(.v3) {
                throw StorageError(.badOption, "options type=nfs4 and \(given[0].name)=\(policy.text) contradict each other; give type=nfs")
            }
            return given.first?.policy
        case .some(let type): throw StorageError(.badOption, "option type=\(type) is not NFS; give type=nfs or type=nfs4, or leave it out")
        }
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
                wanted.mode = mode
            }
            wanted.user = try identifier("uid", options)
            wanted.group = try identifier("gid", options)
            creation = wanted
        }
        let subdirectory: Subdirectory
        do throws(MountOptionError) { subdirectory = try Subdirectory(path, creation: creation) } catch {
            throw StorageError(.badOption, error.description)
        }
        if subdirectory.components.first == Share.catalogueFolder {
            throw StorageError(.badOption, "option subdir is where docker-nfsd keeps its catalogue: \(path); give another directory")
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
        switch text {
        case "true", "1", "yes": true
        case "false", "0", "no": false
        default: nil
        }
    }

    private static func canonical(
        _ options: [String: String], server: ServerName, path: String, versions: VersionPolicy?, subdirectory: Subdirectory?,
        removal: RemovalPolicy
    ) -> [String: String] {
        var result = ["server": server.text, "path": path]
        if let versions { result["nfsvers"] = versions.text }
        if let words = options["o"], !words.isEmpty { result["o"] = words }
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
