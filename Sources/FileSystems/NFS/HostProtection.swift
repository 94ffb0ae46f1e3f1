// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount

/// What this host's settings say that a definition written by others, such as one of a share's catalogue, may not weaken.
enum HostProtection {
    /// The options of the settings that hold over the words of a definition: of each kind that protects this host the host's own,
    /// unless the definition's word is at least as strict.
    ///
    /// - Parameters:
    ///   - host: the options of this host's settings.
    ///   - words: the definition's.
    static func words(of host: String, over words: String) throws(StorageError) -> String {
        let theirs = try MountOption.list(words)
        let protecting = try MountOption.list(host).filter { own in
            guard let order = strictness[NFSOptions.kind(of: own)] else { return false }
            return !theirs.contains { isAtLeast($0, own, order) }
        }
        return NFSOptions.text(of: protecting)
    }

    /// Refuses what only this host's settings may say: ports and addresses of servers and of this host, and keys of its key ring.
    ///
    /// - Throws: `StorageError` (`bad-option`) that names the option.
    static func check(_ words: String) throws(StorageError) {
        guard let option = try MountOption.list(words).first(where: { reserved.contains($0.key) }) else { return }
        throw StorageError(
            .badOption,
            "option \(option.key) in o is not taken from the share: ports, addresses and keys are for each host to say; set it in options of this host's settings"
        )
    }

    private static let reserved: Set<String> = [
        "port", "mountport", "addr", "mountaddr", "mounthost", "clientaddr", "cert_serial", "privkey_serial",
    ]

    /// By kind, the options from the weakest to the strictest. In a kind without an order the host's option holds.
    private static let strictness: [String: [String]] = [
        "suid": ["suid", "nosuid"], "dev": ["dev", "nodev"], "exec": ["exec", "noexec"], "ro/rw": ["rw", "ro"],
        "resvport": ["noresvport", "resvport"], "sec": ["sec=none", "sec=sys", "sec=krb5", "sec=krb5i", "sec=krb5p"],
        "xprtsec": ["xprtsec=none", "xprtsec=tls", "xprtsec=mtls"], "proto": [], "mountproto": [], "context": [], "fscontext": [],
        "defcontext": [], "rootcontext": [], "migration": ["migration", "nomigration"],
    ]

    private static func isAtLeast(_ option: MountOption, _ own: MountOption, _ order: [String]) -> Bool {
        guard let rank = order.firstIndex(of: option.description), let needed = order.firstIndex(of: own.description) else { return false }
        return rank >= needed
    }
}
