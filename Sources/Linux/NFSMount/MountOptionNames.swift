// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem

/// What a generic option of mount(8) means to the two mount interfaces.
struct GenericOption: Sendable {
    var sets: MountAttributes = []
    var clears: MountAttributes = []
    var setsFlags: MountFlags = []
    var clearsFlags: MountFlags = []
    /// The word for fsconfig(2) where the option belongs to the superblock.
    var superblockWord: String?

    private static let accessTimes: MountAttributes = [.noAccessTime, .strictAccessTime]
    private static let accessTimeFlags: MountFlags = [.noAccessTime, .strictAccessTime, .relativeAccessTime]

    static let table: [String: GenericOption] = [
        "ro": GenericOption(sets: .readOnly, setsFlags: .readOnly, superblockWord: "ro"),
        "rw": GenericOption(clears: .readOnly, clearsFlags: .readOnly),
        "nosuid": GenericOption(sets: .noSetUID, setsFlags: .noSetUID),
        "suid": GenericOption(clears: .noSetUID, clearsFlags: .noSetUID),
        "nodev": GenericOption(sets: .noDevices, setsFlags: .noDevices),
        "dev": GenericOption(clears: .noDevices, clearsFlags: .noDevices),
        "noexec": GenericOption(sets: .noExecution, setsFlags: .noExecution),
        "exec": GenericOption(clears: .noExecution, clearsFlags: .noExecution),
        "noatime": GenericOption(sets: .noAccessTime, clears: accessTimes, setsFlags: .noAccessTime, clearsFlags: accessTimeFlags),
        "strictatime": GenericOption(
            sets: .strictAccessTime, clears: accessTimes, setsFlags: .strictAccessTime, clearsFlags: accessTimeFlags),
        "relatime": GenericOption(clears: accessTimes, setsFlags: .relativeAccessTime, clearsFlags: accessTimeFlags),
        "atime": GenericOption(clears: accessTimes, clearsFlags: accessTimeFlags),
        "norelatime": GenericOption(clears: accessTimes, clearsFlags: accessTimeFlags),
        "nostrictatime": GenericOption(clears: accessTimes, clearsFlags: accessTimeFlags),
        "nodiratime": GenericOption(sets: .noDirectoryAccessTime, setsFlags: .noDirectoryAccessTime),
        "diratime": GenericOption(clears: .noDirectoryAccessTime, clearsFlags: .noDirectoryAccessTime),
        "sync": GenericOption(setsFlags: .synchronous, superblockWord: "sync"),
        "async": GenericOption(clearsFlags: .synchronous),
        "dirsync": GenericOption(setsFlags: .synchronousDirectories, superblockWord: "dirsync"),
        "lazytime": GenericOption(setsFlags: .lazyTime, superblockWord: "lazytime"),
        "nolazytime": GenericOption(clearsFlags: .lazyTime),
        // Nothing to hand over: the first two speak about messages, the others about what NFS does not do.
        "silent": GenericOption(), "loud": GenericOption(), "mand": GenericOption(), "nomand": GenericOption(),
        "iversion": GenericOption(), "noiversion": GenericOption(),
    ]
}

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

/// The candidate with the smallest edit distance to a word, if that is at most `limit`.
public func nearestWord(to word: String, among candidates: some Sequence<String>, within limit: Int) -> String? {
    var best: (distance: Int, word: String)?
    for candidate in candidates.sorted() {
        let distance = editDistance(Array(word.lowercased().utf8), Array(candidate.utf8))
        // A short word is near to everything; it must share more than half of itself.
        guard distance <= limit, distance * 2 < max(candidate.utf8.count, 2) else { continue }
        if distance < best?.distance ?? .max { best = (distance, candidate) }
    }
    return best?.word
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other (optimal string alignment).
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var rows = [Array(0...right.count)]
    for (i, a) in left.enumerated() {
        var row = [i + 1]
        for (j, b) in right.enumerated() {
            var best = min(rows[i][j] + (a == b ? 0 : 1), row[j] + 1, rows[i][j + 1] + 1)
            if i > 0, j > 0, a == right[j - 1], b == left[i - 1] { best = min(best, rows[i - 1][j - 1] + 1) }
            row.append(best)
        }
        rows.append(row)
    }
    return rows[left.count][right.count]
}

extension MountOptions {
    /// Whether this is the name of an option of NFS or of mount(8).
    public static func isKnownName(_ name: String) -> Bool {
        NFSOptionNames.all.contains(name) || (name.hasPrefix("no") && NFSOptionNames.all.contains(String(name.dropFirst(2))))
    }
}
