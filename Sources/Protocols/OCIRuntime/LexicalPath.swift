// SPDX-License-Identifier: AGPL-3.0-or-later

/// Paths as text: `.`, `..`, doubled and trailing slashes resolved without asking a file system.
public enum LexicalPath {
    /// The path as seen from the root, as Go's `filepath.Clean("/" + path)` spells it. A relative one is taken for one below the root,
    /// which is what runc makes of a mount's relative destination.
    public static func absolute(_ path: String) -> String {
        var cleaned: [UInt8] = []
        cleaned.reserveCapacity(path.utf8.count + 1)
        for component in cleanedComponents(of: path) {
            cleaned.append(UInt8(ascii: "/"))
            cleaned.append(contentsOf: component)
        }
        return cleaned.isEmpty ? "/" : String(decoding: cleaned, as: UTF8.self)
    }

    /// The names in ``absolute(_:)``.
    public static func components(of path: String) -> [String] {
        cleanedComponents(of: path).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func cleanedComponents(of path: String) -> [Substring.UTF8View] {
        var components: [Substring.UTF8View] = []
        for component in path.utf8.split(separator: UInt8(ascii: "/")) {
            if component.elementsEqual(".".utf8) { continue }
            if component.elementsEqual("..".utf8) {
                _ = components.popLast()
            } else {
                components.append(component)
            }
        }
        return components
    }

    /// Whether both texts are the same bytes. `==` would also take `é` in one code point for `é` in two, which are two files.
    public static func areSame(_ path: String, _ other: String) -> Bool {
        path.utf8.elementsEqual(other.utf8)
    }
}
