// SPDX-License-Identifier: AGPL-3.0-or-later

public import KernelMount

extension MountPlan {
    /// What mount.nfs(8) would hand to the kernel.
    ///
    /// - Parameter mountAddress: where version 3 finds the MOUNT protocol, if it is not at the server's own address.
    public init(
        server: ServerName, path: String, address: ServerAddress, version: NFSVersion, options: NFSOptions,
        mountAddress: ServerAddress? = nil
    ) {
        let suffix = address.family == .ipv6 ? "6" : ""
        let transport = options.transport ?? "tcp"
        var list = [MountOption("vers", version.rawValue), MountOption("addr", address.text), MountOption("proto", transport + suffix)]
        if version == .v3 {
            // The kernel derives both from addr and proto, but omits the `6` suffix that it then requires in mountproto.
            let mountAddress = mountAddress ?? address
            let given = Set(options.kernel.map(\.key))
            if !given.contains("mountaddr") { list.append(MountOption("mountaddr", mountAddress.text)) }
            if !given.contains("mountproto") {
                list.append(
                    MountOption("mountproto", (transport == "rdma" ? "tcp" : transport) + (mountAddress.family == .ipv6 ? "6" : "")))
            }
        }
        for option in options.kernel where Self.applies(option.key, to: version) { list.append(option) }
        // To find a server that it has a connection to by another address, the client of version 4 looks at all its connections, and
        // waits for each that is being made, one after the other. fs/nfs/nfs4client.c, nfs41_walk_client_list(); fs/nfs/nfs4state.c,
        // nfs4_discover_server_trunking().
        let contention = MountPlan.Contention(
            server: "\(address.text) \(options.port ?? 0)",
            waitingFunctions: ["nfs_wait_client_init_complete", "nfs4_discover_server_trunking"])
        self.init(
            fileSystem: version.fileSystem, source: "\(server.sourceLabel):\(path)", options: list, generic: options.generic,
            contention: version == .v3 ? nil : contention)
    }

    /// mount.nfs leaves out what a version does not have, so that one list serves them all.
    private static func applies(_ key: String, to version: NFSVersion) -> Bool {
        let onlyVersion3: Set = [
            "mountaddr", "mountport", "mountproto", "mountvers", "lock", "nolock", "local_lock", "namlen", "acl", "noacl",
        ]
        return version == .v3 || !onlyVersion3.contains(key)
    }
}
