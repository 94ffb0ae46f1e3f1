// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount

/// A word in `o` that belongs to something else than the NFS client, as people copy them from there.
struct ForeignOption {
    let refusal: String

    /// nil for every other word.
    init?(_ option: MountOption) {
        if option.key.utf8.first == UInt8(ascii: " ") {
            refusal = "option o has a blank before\(option); write the mount options with commas alone between them"
            return
        }
        guard let advice = Self.advice.first(where: { $0.names.contains(option.key) })?.advice else { return nil }
        refusal = "option \(option.key) in o \(advice)"
    }

    private static let advice: [(names: Set<String>, advice: String)] = [
        (
            ["uid", "gid"],
            "is one of CIFS: with NFS the owners are those on the server; --opt uid=, gid= and create=true make a directory with an owner"
        ),
        (
            ["username", "password", "pass", "credentials", "cred", "domain", "file_mode", "dir_mode", "iocharset", "noperm"],
            "is one of CIFS, and this driver mounts NFS; leave it out"
        ),
        (
            [
                "no_root_squash", "root_squash", "all_squash", "no_all_squash", "subtree_check", "no_subtree_check", "insecure", "secure",
                "anonuid", "anongid", "fsid", "crossmnt", "nohide", "wdelay", "no_wdelay",
            ],
            "belongs to the export: into /etc/exports of the server"
        ),
        (
            ["nocopy", "volume-nocopy", "z", "Z", "U", "cached", "delegated", "consistent"],
            "belongs to the container: behind its path, as in -v NAME:/path:nocopy"
        ),
        (
            ["tls", "iam", "accesspoint", "awscredsuri", "awsprofile", "mounttargetip", "notls", "stunnel"],
            "is one of mount.efs, which is a program; give xprtsec=tls if the server speaks TLS, or leave it out"
        ),
    ]
}
