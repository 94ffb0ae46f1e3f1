// SPDX-License-Identifier: AGPL-3.0-or-later

public import LinuxSystem

/// Everything that one attempt hands to the kernel: what mount.nfs(8) would have handed over.
public struct KernelParameters: Sendable, Equatable {
    /// `nfs` for version 3, else `nfs4`.
    public var fileSystem: String
    /// `host:/path`; the kernel uses the host only as a label.
    public var source: String
    /// For fsconfig(2), in order.
    public var options: [MountOption]
    public var superblockWords: [String]
    public var attributes: MountAttributes
    public var flags: MountFlags

    /// - Parameter mountAddress: where version 3 finds the MOUNT protocol, if it is not at the server's own address.
    public init(
        server: ServerName, path: String, address: ServerAddress, version: NFSVersion, options: MountOptions,
        mountAddress: ServerAddress? = nil
    ) {
        fileSystem = version.fileSystem
        source = "\(server.sourceLabel):\(path)"
        let suffix = address.family == .ipv6 ? "6" : ""
        let transport = options.transport ?? "tcp"
        var list = [MountOption("vers", version.rawValue), MountOption("addr", address.text), MountOption("proto", transport + suffix)]
        if version == .v3 {
            // The kernel would take both over from addr and proto, but not the 6 that its own check of mountproto wants.
            let mountAddress = mountAddress ?? address
            let given = Set(options.kernel.map(\.key))
            if !given.contains("mountaddr") { list.append(MountOption("mountaddr", mountAddress.text)) }
            if !given.contains("mountproto") {
                list.append(
                    MountOption("mountproto", (transport == "rdma" ? "tcp" : transport) + (mountAddress.family == .ipv6 ? "6" : "")))
            }
        }
        for option in options.kernel where Self.applies(option.key, to: version) { list.append(option) }
        self.options = list
        superblockWords = options.superblockWords
        attributes = options.attributes
        flags = options.flags
    }

    /// For a file system that stands in for NFS in tests.
    init(fileSystem: String, source: String, options: MountOptions) {
        self.fileSystem = fileSystem
        self.source = source
        self.options = []
        superblockWords = options.superblockWords
        attributes = options.attributes
        flags = options.flags
    }

    /// mount.nfs leaves out what a version does not have, so that one list serves them all.
    private static func applies(_ key: String, to version: NFSVersion) -> Bool {
        let onlyVersion3: Set = [
            "mountaddr", "mountport", "mountproto", "mountvers", "lock", "nolock", "local_lock", "namlen", "acl", "noacl",
        ]
        return version == .v3 || !onlyVersion3.contains(key)
    }

    /// The longest string that fsconfig(2) takes, in bytes without the NUL.
    private static let longestString = 255

    /// Whether every string fits fsconfig(2); otherwise only mount(2) is left.
    public var fitsFSConfig: Bool {
        source.utf8.count <= Self.longestString && options.allSatisfy { ($0.value ?? "").utf8.count <= Self.longestString }
    }

    /// The data argument of mount(2), or nil if a value has a comma in it: it would break out of the list.
    public var dataString: String? {
        if options.contains(where: { $0.description.contains(",") }) { return nil }
        return options.map(\.description).joined(separator: ",")
    }
}
