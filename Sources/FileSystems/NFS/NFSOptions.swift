// SPDX-License-Identifier: AGPL-3.0-or-later

public import KernelMount
import LinuxSystem

/// What a list of mount options, as in mount(8) and nfs(5), comes to for the kernel.
public struct NFSOptions: Sendable, Equatable {
    public private(set) var generic = GenericMountOptions()
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
    /// Words that have no effect, with why, for the log.
    public private(set) var notes: [String] = []
    /// `retry=`: minutes for which failures that may pass are tried again.
    public private(set) var retryMinutes: Int?

    public var isReadOnly: Bool { generic.attributes.contains(.readOnly) }
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
    public init(_ text: String, defaults: [String] = []) throws(StorageError) {
        var all: [MountOption] = []
        for list in [text] + defaults {
            let words = try MountOption.list(list)
            try Self.refuseContradictions(words)
            let given = Set(all.map(Self.kind))
            // A word that is repeated means the same once, where it stands last.
            var seen: Set<MountOption> = []
            all = words.reversed().filter { !given.contains(Self.kind(of: $0)) && seen.insert($0).inserted }.reversed() + all
        }
        // It completes vers=4, before or after it.
        for option in all where option.key != "minorversion" { try accept(option) }
        for option in all where option.key == "minorversion" { try accept(option) }
    }

    private static func refuseContradictions(_ options: [MountOption]) throws(StorageError) {
        var seen: [String: MountOption] = [:]
        for option in options {
            let kind = kind(of: option)
            if let earlier = seen[kind], !meaning(of: earlier).hasSameBytes(as: meaning(of: option)) {
                throw StorageError(.badOption, "options \(earlier) and \(option) in o contradict each other; give one of them")
            }
            seen[kind] = option
        }
    }

    /// The same list with the last of several options of one kind alone, as Docker's `local` driver and mount(2) take it.
    ///
    /// - Returns: the text itself if no two options are of one kind.
    static func lastOfEachKind(_ text: String) throws(StorageError) -> String {
        let words = try MountOption.list(text)
        var last: [String: Int] = [:]
        for (index, word) in words.enumerated() { last[kind(of: word)] = index }
        if last.count == words.count { return text }
        return self.text(of: words.indices.filter { last[kind(of: words[$0])] == $0 }.map { words[$0] })
    }

    /// A list that is read as these options.
    static func text(of options: [MountOption]) -> String {
        options.map(\.description).map { $0.utf8.contains(UInt8(ascii: ",")) ? "\"\($0)\"" : $0 }.joined(separator: ",")
    }

    /// The same for options of one kind that say the same in two spellings.
    private static func meaning(of option: MountOption) -> String {
        switch kind(of: option) {
        case "vers": option.value ?? String(option.key.dropFirst())
        case "proto": option.value ?? option.key
        default: option.description
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

    private mutating func accept(_ option: MountOption) throws(StorageError) {
        if try generic.accept(option) { return }
        if try acceptForMountNFS(option) { return }
        switch option.key {
        case "vers", "nfsvers", "minorversion", "v3", "v4", "v4.0", "v4.1", "v4.2", "v2": try acceptVersion(option)
        case "proto", "tcp", "udp", "rdma": try acceptTransport(option)
        case "addr":
            guard let name = option.value.flatMap(ServerName.init) else {
                throw StorageError(.badOption, "option addr in o is not a host name or address: \(option)")
            }
            server = name
        case "mounthost":
            guard let name = option.value.flatMap(ServerName.init) else {
                throw StorageError(.badOption, "option mounthost in o is not a host name or address: \(option)")
            }
            mountHost = name
        case "source", "device", "remount", "bind", "rbind", "move", "shared", "rshared", "private", "rprivate", "slave",
            "rslave", "unbindable", "runbindable", "loop", "offset":
            throw StorageError(.badOption, "option \(option.key) in o does not apply to a volume; leave it out")
        default:
            if let stranger = ForeignOption(option) { throw StorageError(.badOption, stranger.refusal) }
            if !Self.isKnownName(option.key), let near = nearestWord(to: option.key, among: NFSOptionNames.all, within: 2) {
                throw StorageError(.badOption, "unknown option \(option.key) in o; did you mean \(near)?")
            }
            if option.key == "port" || option.key == "mountport", option.value.flatMap(UInt16.init) == nil {
                throw StorageError(.badOption, "option \(option) in o is not a port: give a number from 0 to 65535")
            }
            kernel.append(option)
        }
    }

    /// Words that only fstab and mount.nfs understand.
    private mutating func acceptForMountNFS(_ option: MountOption) throws(StorageError) -> Bool {
        switch option.key {
        case "defaults", "auto", "noauto", "user", "nouser", "users", "owner", "group", "nofail", "_netdev", "comment", "fg": return true
        case let key where key.hasPrefix("x-"): return true
        case "bg":
            notes.append("option bg has no effect: the container starts when the mount is there; retry=MINUTES says how long it is tried")
            return true
        case "retry":
            guard let minutes = option.value.flatMap(Int.init), (0...1_000_000).contains(minutes) else {
                throw StorageError(.badOption, "option \(option) in o is not a number of minutes")
            }
            retryMinutes = minutes
            return true
        default: return false
        }
    }

    private mutating func acceptVersion(_ option: MountOption) throws(StorageError) {
        let text: String
        if option.key == "minorversion" {
            if let versions, versions.text != "4" {
                throw StorageError(
                    .badOption, "options minorversion and vers=\(versions.text) in o contradict each other; give vers=4.N alone")
            }
            text = "4." + (option.value ?? "")
        } else {
            text = option.key.hasPrefix("v") && option.value == nil ? String(option.key.dropFirst()) : option.value ?? ""
        }
        guard let policy = VersionPolicy(text) else {
            throw StorageError(.badOption, "\(option) in o is not a version of NFS that is supported; give 4.2, 4.1, 4.0, 3 or auto")
        }
        versions = policy
    }

    private mutating func acceptTransport(_ option: MountOption) throws(StorageError) {
        let name = option.key == "proto" ? option.value ?? "" : option.key
        let bare = name.hasSuffix("6") ? String(name.dropLast()) : name
        guard ["tcp", "udp", "rdma"].contains(bare), option.key == "proto" || option.value == nil else {
            throw StorageError(
                .badOption,
                "\(option) in o is not a transport; give proto=tcp, proto=tcp6, proto=udp, proto=udp6, proto=rdma or proto=rdma6")
        }
        transport = bare
        family = name.hasSuffix("6") ? .ipv6 : nil
    }
}
