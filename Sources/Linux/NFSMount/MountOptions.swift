// SPDX-License-Identifier: AGPL-3.0-or-later

public import LinuxSystem

/// One word of a comma-separated option list: `hard`, or `timeo=100`.
public struct MountOption: Sendable, Hashable, CustomStringConvertible {
    public var key: String
    public var value: String?

    public init(_ key: String, _ value: String? = nil) {
        self.key = key
        self.value = value
    }

    public var description: String { value.map { "\(key)=\($0)" } ?? key }
}

/// An option list that cannot be accepted: which word, and why, with what to write instead.
public struct MountOptionError: Error, Sendable, Equatable, CustomStringConvertible {
    public var description: String
    init(_ description: String) { self.description = description }
}

/// What a list of mount options, as in mount(8) and nfs(5), comes to for the kernel.
public struct MountOptions: Sendable, Equatable {
    /// For fsmount(2).
    public private(set) var attributes: MountAttributes = []
    /// For mount(2).
    public private(set) var flags: MountFlags = []
    /// Words for the superblock that the VFS itself reads: `ro`, `sync`, `dirsync`, `lazytime`.
    public private(set) var superblockWords: [String] = []
    /// What goes to the NFS client, in the user's order.
    public private(set) var kernel: [MountOption] = []
    /// `vers=`, `nfsvers=`, `v4.1` and their kin.
    public private(set) var versions: VersionPolicy?
    /// `addr=`: the server's address in the spelling of Docker's `local` driver; a name there is resolved too.
    public private(set) var server: ServerName?
    /// `mounthost=`, for version 3: the host that serves the MOUNT protocol.
    public private(set) var mountHost: ServerName?
    /// `proto=`, `tcp`, `udp`, `rdma`, without the 6 of IPv6.
    public private(set) var transport: String?
    /// `proto=tcp6` asks for IPv6 alone.
    public private(set) var family: ServerAddress.Family?
    /// `retry=`: minutes for which failures that may pass are tried again.
    public private(set) var retryMinutes: Int?

    public var isReadOnly: Bool { attributes.contains(.readOnly) }
    /// The NFS port, if the user gave one. `port=0` gives none: it says that rpcbind knows.
    public var port: UInt16? {
        kernel.last { $0.key == "port" }.flatMap { $0.value }.flatMap(UInt16.init).flatMap { $0 == 0 ? nil : $0 }
    }
    /// Version 3 without locks on the server: nothing needs rpc.statd.
    public var locksAreLocal: Bool {
        for option in kernel.reversed() {
            switch (option.key, option.value) {
            case ("nolock", _), ("local_lock", "all"): return true
            case ("lock", _), ("local_lock", _): return false
            default: continue
            }
        }
        return false
    }

    /// - Parameters:
    ///   - text: the user's words; each beats a default of the same kind.
    ///   - defaults: words that hold where the user says nothing, such as `rw,noatime,soft`; an earlier list beats a later one.
    public init(_ text: String, defaults: [String] = []) throws(MountOptionError) {
        var all: [MountOption] = []
        for list in [text] + defaults {
            let words = try Self.split(list)
            try Self.refuseContradictions(words)
            let taken = Set(all.map(Self.kind))
            all = words.filter { !taken.contains(Self.kind(of: $0)) } + all
        }
        // It completes vers=4 wherever it stands.
        for option in all where option.key != "minorversion" { try take(option) }
        for option in all where option.key == "minorversion" { try take(option) }
    }

    /// Splits at commas; a comma inside double quotes does not split, as in mount(8).
    static func split(_ text: String) throws(MountOptionError) -> [MountOption] {
        var words: [[UInt8]] = [[]]
        var quoted = false
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") {
                quoted.toggle()
            } else if byte == UInt8(ascii: ","), !quoted {
                words.append([])
            } else if byte < 0x20 || byte == 0x7f {
                throw MountOptionError(
                    "option o has a control character in it; write the mount options as in mount(8), separated by commas")
            } else {
                words[words.count - 1].append(byte)
            }
        }
        if quoted { throw MountOptionError("option o has a double quote without its pair") }
        return words.filter { !$0.isEmpty }.map { word in
            let parts = word.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let key = String(decoding: parts[0], as: UTF8.self)
            return MountOption(key, parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : nil)
        }
    }

    private static func refuseContradictions(_ options: [MountOption]) throws(MountOptionError) {
        var seen: [String: MountOption] = [:]
        for option in options {
            let kind = kind(of: option)
            if let earlier = seen[kind], earlier != option {
                throw MountOptionError("options \(earlier) and \(option) in o contradict each other; give one of them")
            }
            seen[kind] = option
        }
    }

    /// Options of one kind exclude each other.
    static func kind(of option: MountOption) -> String {
        switch option.key {
        case "ro", "rw": "ro/rw"
        case "soft", "hard", "softerr": "soft/hard"
        case "atime", "noatime", "relatime", "norelatime", "strictatime", "nostrictatime": "atime"
        case "vers", "nfsvers", "v2", "v3", "v4", "v4.0", "v4.1", "v4.2": "vers"
        case "proto", "tcp", "udp", "rdma": "proto"
        case "sync", "async": "sync"
        case "fg", "bg": "bg"
        default: option.key.hasPrefix("no") && option.value == nil ? String(option.key.dropFirst(2)) : option.key
        }
    }

    private mutating func take(_ option: MountOption) throws(MountOptionError) {
        if try takeGeneric(option) { return }
        if try takeForMountNFS(option) { return }
        switch option.key {
        case "vers", "nfsvers", "minorversion", "v3", "v4", "v4.0", "v4.1", "v4.2", "v2": try takeVersion(option)
        case "proto", "tcp", "udp", "rdma": try takeTransport(option)
        case "addr":
            guard let name = option.value.flatMap(ServerName.init) else {
                throw MountOptionError("option addr in o is not a host name or address: \(option)")
            }
            server = name
        case "mounthost":
            guard let name = option.value.flatMap(ServerName.init) else {
                throw MountOptionError("option mounthost in o is not a host name or address: \(option)")
            }
            mountHost = name
        case "source", "device", "remount", "bind", "rbind", "move", "shared", "rshared", "private", "rprivate", "slave",
            "rslave", "unbindable", "runbindable", "loop", "offset":
            throw MountOptionError("option \(option.key) in o does not apply to a volume; leave it out")
        default:
            if !Self.isKnownName(option.key), let near = nearestWord(to: option.key, among: NFSOptionNames.all, within: 2) {
                throw MountOptionError("unknown option \(option.key) in o; did you mean \(near)?")
            }
            if option.key == "port" || option.key == "mountport", option.value.flatMap(UInt16.init) == nil {
                throw MountOptionError("option \(option) in o is not a port: give a number from 0 to 65535")
            }
            kernel.append(option)
        }
    }

    /// Options that belong to the VFS, not to NFS.
    private mutating func takeGeneric(_ option: MountOption) throws(MountOptionError) -> Bool {
        guard let meaning = GenericOption.table[option.key] else { return false }
        if option.value != nil { throw MountOptionError("option \(option.key) in o takes no value: \(option)") }
        attributes.subtract(meaning.clears)
        attributes.formUnion(meaning.sets)
        flags.subtract(meaning.clearsFlags)
        flags.formUnion(meaning.setsFlags)
        if let word = meaning.superblockWord { superblockWords.append(word) }
        return true
    }

    /// Words that only fstab and mount.nfs understand.
    private mutating func takeForMountNFS(_ option: MountOption) throws(MountOptionError) -> Bool {
        switch option.key {
        case "defaults", "auto", "noauto", "user", "nouser", "users", "owner", "group", "nofail", "_netdev", "comment", "fg": return true
        case let key where key.hasPrefix("x-"): return true
        case "bg":
            throw MountOptionError(
                "option bg in o cannot be honoured: the container would start on an empty directory; leave it out, or give retry=MINUTES")
        case "retry":
            guard let minutes = option.value.flatMap(Int.init), (0...1_000_000).contains(minutes) else {
                throw MountOptionError("option \(option) in o is not a number of minutes")
            }
            retryMinutes = minutes
            return true
        default: return false
        }
    }

    private mutating func takeVersion(_ option: MountOption) throws(MountOptionError) {
        let text: String
        if option.key == "minorversion" {
            if let versions, versions.text != "4" {
                throw MountOptionError("options minorversion and vers=\(versions.text) in o contradict each other; give vers=4.N alone")
            }
            text = "4." + (option.value ?? "")
        } else {
            text = option.key.hasPrefix("v") && option.value == nil ? String(option.key.dropFirst()) : option.value ?? ""
        }
        guard let policy = VersionPolicy(text) else {
            throw MountOptionError("\(option) in o is not a version of NFS that is supported; give 4.2, 4.1, 4.0, 3 or auto")
        }
        versions = policy
    }

    private mutating func takeTransport(_ option: MountOption) throws(MountOptionError) {
        let name = option.key == "proto" ? option.value ?? "" : option.key
        let bare = name.hasSuffix("6") ? String(name.dropLast()) : name
        guard ["tcp", "udp", "rdma"].contains(bare), option.key == "proto" || option.value == nil else {
            throw MountOptionError(
                "\(option) in o is not a transport; give proto=tcp, proto=tcp6, proto=udp, proto=udp6, proto=rdma or proto=rdma6")
        }
        transport = bare
        family = name.hasSuffix("6") ? .ipv6 : nil
    }
}
