// SPDX-License-Identifier: AGPL-3.0-or-later

/// The option names of the NFS client in Linux (fs/nfs/fs_context.c, up to 7.x) and of nfs(5).
///
/// Not a fence: a kernel may know more. A name that is not here and near to none of these goes to the kernel, which decides.
enum NFSOptionNames {
    static let all: Set<String> = [
        "ac", "acdirmax", "acdirmin", "acl", "acregmax", "acregmin", "actimeo", "addr", "alignwrite", "bg", "bsize", "clientaddr",
        "context", "cto", "defcontext", "fatal_neterrors", "fg", "fsc", "fscontext", "hard", "intr", "local_lock", "lock",
        "lookupcache", "max_connect", "migration", "minorversion", "mountaddr", "mounthost", "mountport", "mountproto", "mountvers",
        "namlen", "nconnect", "nfsvers", "port", "posix", "proto", "rdirplus", "rdma", "resvport", "retrans", "retry", "rootcontext",
        "rsize", "sec", "seclabel", "sharecache", "sloppy", "soft", "softerr", "softreval", "tcp", "timeo", "trunkdiscovery", "udp", "v3",
        "v4", "v4.0", "v4.1", "v4.2", "vers", "write", "wsize", "xprtsec", "cert_serial", "privkey_serial",
        // mount(8)
        "ro", "rw", "suid", "dev", "exec", "atime", "diratime", "relatime", "strictatime", "sync", "async", "dirsync", "lazytime",
        "noatime", "nosuid", "nodev", "noexec", "defaults",
    ]
}

extension NFSOptions {
    /// Whether this is the name of an option of NFS or of mount(8).
    public static func isKnownName(_ name: String) -> Bool {
        NFSOptionNames.all.contains(name) || (name.hasPrefix("no") && NFSOptionNames.all.contains(String(name.dropFirst(2))))
    }
}
