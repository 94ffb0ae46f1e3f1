// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import SystemPackage

/// Extended attributes: keys with the namespace that they are in, such as `user.note`, and values of any bytes. xattr(7)
///
/// Without a name, all are of the folder itself. No symbolic link is followed.
extension OpenFolder {
    /// More than the kernel gives for one key, or for the list of keys (XATTR_SIZE_MAX, XATTR_LIST_MAX).
    private static let limit = 64 << 10

    private static func terminated(_ name: EntryName?) -> [CChar] { name?.terminated ?? [CChar(UInt8(ascii: ".")), 0] }

    private func text(of name: EntryName?, _ key: String) -> String { "\(key) of \(name.map(path(of:)) ?? text)" }

    /// Whether there is one of that key: for many files, of which few have one. getxattrat(2), Linux 6.13, else lgetxattr(2)
    public func hasAttribute(_ key: String, of name: EntryName) throws(SystemError) -> Bool {
        try systemCall("lgetxattr", on: text(of: name, key)) { CLinux_has_attribute(descriptor, name.terminated, key) } == 1
    }

    /// - Returns: nil if there is none of that key, or its file system has no such attributes.
    public func attribute(_ key: String, of name: EntryName? = nil) throws(SystemError) -> [UInt8]? {
        let entry = Self.terminated(name)
        // Most are short, and ask no second time.
        var size = 256
        while true {
            var value = [UInt8](repeating: 0, count: size)
            do throws(SystemError) {
                let count = try systemCall("lgetxattr", on: text(of: name, key)) {
                    CLinux_get_attribute(descriptor, entry, key, &value, value.count)
                }
                return Array(value.prefix(count))
            } catch {
                switch error.errno {
                case .noData, .notSupported: return nil
                case .outOfRange where size < Self.limit: size = Self.limit
                default: throw error
                }
            }
        }
    }

    /// - Returns: none if its file system has no such attributes.
    public func attributeKeys(of name: EntryName? = nil) throws(SystemError) -> [String] {
        let entry = Self.terminated(name)
        var size = 512
        while true {
            var list = [CChar](repeating: 0, count: size)
            do throws(SystemError) {
                let count = try systemCall("llistxattr", on: text(of: name, "the attributes")) {
                    CLinux_list_attributes(descriptor, entry, &list, list.count)
                }
                return list.prefix(count).split(separator: 0).map { key in
                    String(decoding: key.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                }
            } catch {
                switch error.errno {
                case .notSupported: return []
                case .outOfRange where size < Self.limit: size = Self.limit
                default: throw error
                }
            }
        }
    }

    public func setAttribute(_ key: String, of name: EntryName? = nil, to value: [UInt8]) throws(SystemError) {
        let entry = Self.terminated(name)
        try systemCall("lsetxattr", on: text(of: name, key)) {
            CLinux_set_attribute(descriptor, entry, key, value, value.count)
        }
    }

    /// Also if there is none.
    public func removeAttribute(_ key: String, of name: EntryName? = nil) throws(SystemError) {
        let entry = Self.terminated(name)
        do throws(SystemError) {
            try systemCall("lremovexattr", on: text(of: name, key)) { CLinux_remove_attribute(descriptor, entry, key) }
        } catch {
            if error.errno != .noData { throw error }
        }
    }
}
