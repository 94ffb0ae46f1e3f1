// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem

/// What a tmpfs is made with: words with commas between them, as tmpfs(5) has them, and who shares it.
struct NoSwapOptions: Sendable, Equatable {
    enum Scope: String, Sendable {
        /// Each container has one of its own.
        case container
        /// All containers that use the volume at a time have the same.
        case volume
    }

    // nil for what is not said.

    /// As the kernel reads it: digits, with `k`, `m`, `g` or `%` behind them.
    var size: String?
    /// Octal.
    var mode: String?
    var uid: String?
    var gid: String?
    var inodes: String?
    var scope: Scope?
    var attributes: [String] = ["nosuid", "nodev", "noexec"]

    static let help = "size=SIZE, mode=OCTAL, uid=UID, gid=GID, nr_inodes=NUMBER, exec, scope=volume, scope=container, separated by commas"

    /// - Parameter mount: one of type tmpfs begins with the options that it was asked for with; others with none.
    /// - Throws: `PluginError` for a word that is not known, or whose value is none.
    init(_ text: String, mount: MountPoint? = nil) throws(PluginError) {
        if let mount, mount.type == .tmpfs {
            let words = mount.mode.split(atByte: ",")
            attributes = attributes.filter { word in words.contains { $0.hasSameBytes(as: word) } }
            // The engine has taken these; what the kernel does not know of a tmpfs is the engine's own.
            for word in words where Self.keys.contains(where: { word.hasBytePrefix($0 + "=") }) { try read(word) }
        }
        for word in text.split(atByte: ",") { try read(word) }
    }

    private static let keys = ["size", "mode", "uid", "gid", "nr_inodes"]

    private mutating func read(_ word: String) throws(PluginError) {
        let parts = word.split(atByte: "=", maxSplits: 1, omittingEmpty: false)
        let value = parts.count == 2 ? parts[1] : ""
        let isKnown =
            switch parts.first ?? "" {
            case "size": Self.set(&size, value, Self.isSize)
            case "nr_inodes": Self.set(&inodes, value, Self.isSize)
            case "mode": Self.set(&mode, value) { !$0.isEmpty && $0.utf8.count <= 5 && UInt16($0, radix: 8).map { $0 <= 0o7777 } ?? false }
            case "uid": Self.set(&uid, value) { UInt32($0).map { $0 != .max } ?? false }
            case "gid": Self.set(&gid, value) { UInt32($0).map { $0 != .max } ?? false }
            case "exec" where parts.count == 1: Self.remove("noexec", from: &attributes)
            case "scope": Self.set(&scope, Scope(rawValue: value))
            default: false
            }
        if !isKnown { throw PluginError("\(word) is not known, or its value is wrong; there are \(Self.help)") }
    }

    private static func set(_ place: inout String?, _ value: String, _ isRight: (String) -> Bool) -> Bool {
        place = value
        return isRight(value)
    }

    private static func set(_ place: inout Scope?, _ value: Scope?) -> Bool {
        place = value
        return value != nil
    }

    private static func remove(_ word: String, from list: inout [String]) -> Bool {
        list.removeAll { $0.hasSameBytes(as: word) }
        return true
    }

    /// Without a number, or with 0, there would be no limit.
    static func isSize(_ text: String) -> Bool {
        let digits = text.utf8.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        let unit = String(decoding: text.utf8.dropFirst(digits.count), as: UTF8.self)
        return digits.contains { $0 != UInt8(ascii: "0") } && digits.count <= 15 && ["", "k", "m", "g", "%"].contains(unit.lowercased())
    }

    // MARK: One that is there already

    /// Words of a tmpfs that is mounted which are not what was said; none for what was not said.
    ///
    /// - Parameter entry: as the kernel shows it: it leaves out what is as it is by default, and shows nothing but the mode of a ramfs.
    func differences(from entry: MountTableEntry) -> [String] {
        var words = Self.difference("mode", mode, entry.value(of: "mode") ?? "1777") { UInt64($0, radix: 8) }
        guard entry.fileSystem.hasSameBytes(as: "tmpfs") else { return words }
        words += Self.difference("size", size, entry.value(of: "size"), Self.pages)
        words += Self.difference("uid", uid, entry.value(of: "uid") ?? "0") { UInt64($0) }
        words += Self.difference("gid", gid, entry.value(of: "gid") ?? "0") { UInt64($0) }
        words += Self.difference("nr_inodes", inodes, entry.value(of: "nr_inodes"), Self.number)
        return words
    }

    private static func difference(_ key: String, _ said: String?, _ shown: String?, _ value: (String) -> UInt64?) -> [String] {
        guard let said, let shown, let one = value(said), let other = value(shown), one != other else { return [] }
        return ["\(key)=\(shown)"]
    }

    /// nil for a part of the memory, in per cent.
    private static func number(_ text: String) -> UInt64? {
        let digits = text.utf8.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        let factors: [String: UInt64] = ["": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
        guard let number = UInt64(String(decoding: digits, as: UTF8.self)),
            let factor = factors[String(decoding: text.utf8.dropFirst(digits.count), as: UTF8.self).lowercased()]
        else { return nil }
        return number.multipliedReportingOverflow(by: factor).partialValue
    }

    private static func pages(_ text: String) -> UInt64? {
        // The kernel rounds up to whole pages; a size has 15 digits at most.
        number(text).map { $0 / 4096 + ($0 % 4096 == 0 ? 0 : 1) }
    }
}
