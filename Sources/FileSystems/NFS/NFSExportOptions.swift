// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount

/// Reading the options that name an export, also in the spelling of Docker's `local` driver.
extension NFSExport {
    typealias Device = (host: ServerName?, path: String)

    /// `:/path`, `host:/path` or `[2001:db8::7]:/path`.
    static func device(_ text: String?) throws(StorageError) -> Device? {
        guard let text else { return nil }
        let start = text.hasPrefix("[") ? text.firstIndex(of: "]") ?? text.startIndex : text.startIndex
        guard let colon = text[start...].firstIndex(of: ":") else {
            throw StorageError(.badOption, "option device is not of the form HOST:/EXPORT or :/EXPORT: \(text)")
        }
        let host = String(text[..<colon])
        let path = String(text[text.index(after: colon)...])
        // As the kernel's NFS 4 client does it for the local driver: from the server's root on.
        if host.isEmpty { return (nil, path.utf8.first == UInt8(ascii: "/") ? path : "/" + path) }
        guard let name = ServerName(host) else {
            throw StorageError(.badOption, "option device names no valid host before the colon: \(text)")
        }
        return (name, path)
    }

    static func server(
        _ options: [String: String], _ device: Device?, _ words: NFSOptions
    ) throws(StorageError) -> (ServerName, isLocalSpelling: Bool) {
        if let text = options["server"] {
            guard let name = ServerName(text) else {
                throw StorageError(
                    .badOption,
                    "option server is not a host name, an IPv4 or an IPv6 address: \(text); the export goes into path, as in --opt server=HOST --opt path=/EXPORT"
                )
            }
            for (option, other) in [("device", device?.host), ("o=addr", words.server)] {
                guard let other, other.text.lowercased() != name.text.lowercased() else { continue }
                throw StorageError(
                    .badOption, "options server=\(name.text) and \(option)=\(other.text) contradict each other; give one of them")
            }
            return (name, false)
        }
        // The local driver takes addr for the server, and the host in device for a mere label.
        if let name = words.server ?? device?.host { return (name, true) }
        throw StorageError(.badOption, "option server is missing; give the NFS server, as in --opt server=HOST --opt path=/EXPORT")
    }

    static func path(_ options: [String: String], _ device: Device?) throws(StorageError) -> String {
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

    static func versions(
        _ options: [String: String], _ words: NFSOptions, type: String?, isLocalSpelling: Bool
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
            return given.first?.policy ?? (isLocalSpelling ? .four : nil)
        case .some(let type): throw StorageError(.badOption, "option type=\(type) is not NFS; give type=nfs or type=nfs4, or leave it out")
        }
    }
}
