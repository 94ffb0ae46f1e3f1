// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem

/// Reading the options that name an export, also in the spellings of other drivers.
extension NFSExport {
    /// A server and a path in one option, and that option's name.
    typealias Device = (option: String, host: ServerName?, path: String)

    /// The same options with `o` in the place of `nfsopts`, which trajano's plugin has.
    static func withOwnName(ofMountOptions given: [String: String]) throws(StorageError) -> [String: String] {
        var options = given
        guard let text = options.removeValue(forKey: "nfsopts") else { return given }
        if let own = options["o"], !own.hasSameBytes(as: text) {
            throw StorageError(.badOption, "options o=\(own) and nfsopts=\(text) contradict each other; give one of them")
        }
        options["o"] = text
        return options
    }

    /// `device`, as Docker's `local` driver and trajano's plugin have it, or `share`, as netshare has it.
    static func device(in options: [String: String]) throws(StorageError) -> Device? {
        var found: Device?
        for option in ["device", "share"] {
            guard let text = options[option] else { continue }
            let device = try device(text, option)
            if let found, !areSame(found, device) {
                throw StorageError(
                    .badOption,
                    "options device=\(options["device"] ?? "") and share=\(text) contradict each other; give one of them")
            }
            found = found ?? device
        }
        return found
    }

    private static func areSame(_ one: Device, _ other: Device) -> Bool {
        one.host?.text.lowercased() == other.host?.text.lowercased() && tidied(one.path).hasSameBytes(as: tidied(other.path))
    }

    /// `:/path`, `host:/path` or `[2001:db8::7]:/path`.
    private static func device(_ text: String, _ option: String) throws(StorageError) -> Device {
        let start = text.utf8.first == UInt8(ascii: "[") ? text.utf8.firstIndex(of: UInt8(ascii: "]")) ?? text.startIndex : text.startIndex
        guard let colon = text.utf8[start...].firstIndex(of: UInt8(ascii: ":")) else {
            throw StorageError(.badOption, "option \(option) is not of the form HOST:/EXPORT or :/EXPORT: \(text)")
        }
        let host = String(text[..<colon])
        let path = String(text[text.utf8.index(after: colon)...])
        // As the kernel's NFS 4 client does it for the local driver: from the server's root on.
        if host.isEmpty { return (option, nil, path.utf8.first == UInt8(ascii: "/") ? path : "/" + path) }
        guard let name = ServerName(host) else {
            throw StorageError(.badOption, "option \(option) names no valid host before the colon: \(text)")
        }
        return (option, name, path)
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
            for (option, other) in [(device?.option ?? "device", device?.host), ("o=addr", words.server)] {
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
        let option = options["path"] == nil ? device?.option ?? "device" : "path"
        if let device, options["path"] != nil, !tidied(device.path).hasSameBytes(as: tidied(text)) {
            throw StorageError(
                .badOption, "options path=\(text) and \(device.option)=…:\(device.path) contradict each other; give one of them")
        }
        guard text.utf8.first == UInt8(ascii: "/") else {
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
