// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem

/// In what a mount differs from the definition that it was made for.
///
/// Only words of the definition are looked for, and only where the kernel shows what it has made of them: a default of this host may have
/// changed, and a server may have agreed to less than it was asked for. Linux, fs/nfs/super.c, `nfs_show_mount_options`.
extension NFSExport {
    func drift(from entry: MountTableEntry) -> [String] {
        // In a definition by others, what protects this host is this host's.
        let protection = isForeign ? (try? HostProtection.words(of: settings.mountOptions, over: mountOptions)) ?? "" : ""
        // What cannot be read any more cannot be compared.
        guard let own = try? NFSOptions(protection, defaults: [mountOptions]) else { return [] }
        var found: [String] = []
        func compare(_ name: String, _ wanted: String, _ mounted: String?, _ isMet: Bool) {
            if let mounted, !isMet { found.append("\(name): the definition says \(wanted), mounted is \(mounted)") }
        }
        if let versions, let mounted = entry.value(of: "vers") {
            compare("nfsvers", versions.text, mounted, versions.candidates.contains { $0.rawValue == mounted })
        }
        if let wanted = Self.lastWord(of: ["hard", "soft", "softerr"], in: own) {
            let mounted = ["softerr", "soft", "hard"].first(where: entry.superblockOptions.contains)
            compare("o", wanted, mounted, mounted == wanted)
        }
        if let wanted = Self.access("\(mountOptions),\(protection)") {
            let mounted = entry.options.contains("ro") ? "ro" : "rw"
            compare("o", wanted, mounted, mounted == wanted)
        }
        for key in ["timeo", "retrans", "nconnect"] {
            // Zero and what is above the kernel's own limits mean something else.
            guard let wanted = Self.number(key, in: own), let mounted = entry.value(of: key), wanted > 0, wanted <= 6000 else { continue }
            compare(key, String(wanted), mounted, Int(mounted) == wanted)
        }
        for key in ["rsize", "wsize"] {
            // A server may allow less, and the kernel takes whole pages.
            guard let wanted = Self.number(key, in: own), let mounted = entry.value(of: key), wanted >= 4096 else { continue }
            compare(key, String(wanted), mounted, (Int(mounted) ?? 0) <= wanted)
        }
        if let wanted = own.kernel.last(where: { $0.key == "sec" })?.value, !wanted.utf8.contains(UInt8(ascii: ":")) {
            compare("sec", wanted, entry.value(of: "sec"), entry.value(of: "sec") == wanted)
        }
        if let wanted = own.transport, let mounted = entry.value(of: "proto") {
            compare("proto", wanted, mounted, mounted == wanted || mounted == wanted + "6")
        }
        for word in ["nocto", "noac", "nosharecache", "noresvport", "nordirplus"] {
            guard Self.lastWord(of: [word, String(word.dropFirst(2))], in: own) == word, !entry.superblockOptions.contains(word) else {
                continue
            }
            found.append("o: the definition says \(word), and the mount is without it")
        }
        return found
    }

    private static func lastWord(of words: [String], in options: NFSOptions) -> String? {
        options.kernel.last { $0.value == nil && words.contains($0.key) }?.key
    }

    /// `ro` or `rw`, if one of them is among the words.
    private static func access(_ text: String) -> String? {
        text.split(separator: ",").last { $0 == "ro" || $0 == "rw" }.map(String.init)
    }

    private static func number(_ key: String, in options: NFSOptions) -> Int? {
        options.kernel.last { $0.key == key }?.value.flatMap { Int($0) }
    }
}
