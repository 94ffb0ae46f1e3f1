// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

/// How an upper layer of overlayfs says what became of the layer below it. Documentation/filesystems/overlayfs.rst; Linux 6.18.
enum OverlayLayer {
    /// Of the kernel's marks. A container's own attributes of such names have the prefix twice there (Linux 6.7).
    static let prefix = "trusted.overlay."
    private static let escaped = "trusted.overlay.overlay."
    /// Of marks of this plugin's own. Only a container that may do what root of the host may can make such.
    static let ownPrefix = "trusted.mountpoint."

    /// Whether it says that there is nothing of that name any more.
    static func isRemoval(_ status: EntryStatus) -> Bool { status.kind == .characterDevice && status.node == 0 }

    /// Whether nothing of the layer below is seen through a folder.
    static func isOpaque(_ folder: OpenFolder) throws(SystemError) -> Bool {
        try folder.attribute(prefix + "opaque")?.elementsEqual("y".utf8) ?? false
    }

    static let opaqueKey = prefix + "opaque"
    static let redirectKey = prefix + "redirect"

    /// Whether a folder was made by overlayfs, or by ``LayerIndex``, because something in a folder of the layer below was changed.
    static func covers(_ folder: OpenFolder) throws(SystemError) -> Bool {
        if try folder.attribute(prefix + "origin") != nil { return true }
        return try folder.attribute(coversKey) != nil
    }

    /// No mark of the kernel's, but with its prefix, which no container sees.
    static let coversKey = prefix + "covers"

    /// Where a folder's contents come from, if it was renamed: a path from the root of the layer below.
    ///
    /// - Parameter base: what the folder above it comes from; nil for nothing.
    static func origin(of folder: OpenFolder, parentBase base: EntryPath?) throws(SystemError) -> EntryPath? {
        guard let value = try folder.attribute(redirectKey) else { return nil }
        if value.first == UInt8(ascii: "/") { return EntryPath(bytes: value) }
        return EntryName(bytes: value).flatMap { name in base?.appending(name) }
    }

    /// The file of the layer below that a file was copied from.
    enum Origin: Equatable {
        /// It is new, or its layer does not tell.
        case none
        /// Removed by somebody since.
        case gone
        case file(EntryStatus)
    }

    /// - Parameter base: a folder of the layer below.
    static func origin(of name: EntryName, in folder: OpenFolder, base: OpenFolder) throws(SystemError) -> Origin {
        // struct ovl_fb of fs/overlayfs/overlayfs.h: version 0, magic 0xfb, length, flags, type, 16 bytes of a UUID, the handle.
        guard let value = try folder.attribute(prefix + "origin", of: name), value.count > 21, value[0] == 0, value[1] == 0xfb,
            Int(value[2]) <= value.count, value[2] > 21
        else { return .none }
        do throws(SystemError) {
            let found = try entryStatus(ofHandle: value[4], Array(value[21..<Int(value[2])]), on: base)
            return found.map { .file($0) } ?? .gone
        } catch {
            if error.errno == .notSupported { return .none }
            throw error
        }
    }

    /// As whom the container knows an attribute that is on the disk under this key; nil if it is a mark.
    static func key(inContainer key: String) -> String? {
        if key.hasBytePrefix(escaped) { return prefix + String(decoding: key.utf8.dropFirst(escaped.utf8.count), as: UTF8.self) }
        return key.hasBytePrefix(prefix) || key.hasBytePrefix(ownPrefix) ? nil : key
    }

    /// Takes all marks off, so that it is an ordinary file or folder.
    static func removeMarks(of name: EntryName?, in folder: OpenFolder) throws(SystemError) {
        for key in try folder.attributeKeys(of: name) {
            let shown = Self.key(inContainer: key)
            if let shown, shown.hasSameBytes(as: key) { continue }
            if let shown, let value = try folder.attribute(key, of: name) { try folder.setAttribute(shown, of: name, to: value) }
            try folder.removeAttribute(key, of: name)
        }
    }

    /// Takes this plugin's own marks off a folder.
    static func removeOwnMarks(of folder: OpenFolder) throws(SystemError) {
        for key in try folder.attributeKeys() where key.hasBytePrefix(ownPrefix) { try folder.removeAttribute(key) }
    }

    /// Whether it has a mark, other than that it is opaque.
    static func hasMarks(_ name: EntryName?, in folder: OpenFolder) throws(SystemError) -> Bool {
        try folder.attributeKeys(of: name).contains { $0.hasBytePrefix(prefix) || $0.hasBytePrefix(ownPrefix) }
    }
}

/// Owner, mode, times and extended attributes of something, on their way to another place.
struct EntryAttributes {
    var status: EntryStatus
    var attributes: [(key: String, value: [UInt8])] = []

    /// - Parameter name: nil for the folder itself.
    init(of name: EntryName?, in folder: OpenFolder) throws(SystemError) {
        if let name { status = try folder.status(of: name) } else { status = try folder.status() }
        for key in try folder.attributeKeys(of: name) where !Self.isFileSystemsOwn(key) {
            guard let shown = OverlayLayer.key(inContainer: key), let value = try folder.attribute(key, of: name) else { continue }
            attributes.append((shown, value))
        }
        attributes.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }

    /// Whether a key is another form of owner and mode, by which a file system shows what its server has, such as `system.nfs4_acl`: it
    /// cannot be taken off, and no other file system takes it.
    private static func isFileSystemsOwn(_ key: String) -> Bool {
        key.hasBytePrefix("system.") && !key.hasBytePrefix("system.posix_acl_")
    }

    /// Whether all but times is the same.
    func isSame(as other: EntryAttributes) -> Bool {
        let (one, two) = (status, other.status)
        return one.user == two.user && one.group == two.group && (one.kind == .link || one.mode == two.mode)
            && attributes.elementsEqual(other.attributes) { $0.key.hasSameBytes(as: $1.key) && $0.value == $1.value }
    }

    /// Gives them to what is in another place: the owner first, for that takes set-uid and capabilities away.
    ///
    /// A file system that has no attributes of a kind gets none of it.
    func apply(to name: EntryName, in folder: OpenFolder) throws(SystemError) {
        let present = try EntryAttributes(of: name, in: folder)
        if present.status.user != status.user || present.status.group != status.group {
            try folder.setOwner(of: name, user: status.user, group: status.group)
        }
        try applyAttributes(to: name, in: folder, instead: present)
        if status.kind != .link { try folder.setMode(of: name, to: status.mode) }
    }

    /// The same to a folder itself.
    func apply(to folder: OpenFolder) throws(SystemError) {
        let present = try EntryAttributes(of: nil, in: folder)
        if present.status.user != status.user || present.status.group != status.group {
            try folder.setOwner(user: status.user, group: status.group)
        }
        try applyAttributes(to: nil, in: folder, instead: present)
        if present.status.mode != status.mode || present.status.user != status.user { try folder.setMode(to: status.mode) }
    }

    private func applyAttributes(
        to name: EntryName?, in folder: OpenFolder, instead present: EntryAttributes
    ) throws(SystemError) {
        for old in present.attributes where !attributes.contains(where: { $0.key.hasSameBytes(as: old.key) }) {
            try Self.ifKnown { () throws(SystemError) in try folder.removeAttribute(old.key, of: name) }
        }
        for (key, value) in attributes
        where !present.attributes.contains(where: { $0.key.hasSameBytes(as: key) && $0.value == value }) {
            try Self.ifKnown { () throws(SystemError) in try folder.setAttribute(key, of: name, to: value) }
        }
    }

    private static func ifKnown(_ body: () throws(SystemError) -> Void) throws(SystemError) {
        do throws(SystemError) { try body() } catch { if error.errno != .notSupported { throw error } }
    }
}
