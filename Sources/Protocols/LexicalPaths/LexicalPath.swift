// SPDX-License-Identifier: AGPL-3.0-or-later

/// A path by its text alone: `.`, `..`, doubled and trailing slashes are resolved without a look at any file system, and names are
/// compared by their bytes, for `é` in one code point and in two are two files.
public struct LexicalPath: Sendable {
    private let isAbsolute: Bool
    /// `..` only at the start of a relative path. None for `/`, and for the empty path, which is `.`.
    private var components: [Substring.UTF8View] = []

    public init(_ text: String) {
        isAbsolute = text.utf8.first == UInt8(ascii: "/")
        for component in text[...].utf8.split(separator: UInt8(ascii: "/")) {
            if component.elementsEqual(".".utf8) { continue }
            if !component.elementsEqual("..".utf8) {
                components.append(component)
            } else if let last = components.last, !last.elementsEqual("..".utf8) {
                components.removeLast()
            } else if !isAbsolute {
                components.append(component)
            }
        }
    }

    private var climbs: Int { components.prefix { $0.elementsEqual("..".utf8) }.count }

    /// Whether it is the other path or a folder above it. A relative path has no place below an absolute one, nor the other way round.
    public func isSameOrAbove(_ other: LexicalPath) -> Bool {
        guard isAbsolute == other.isAbsolute else { return false }
        // `.` and `../..` are above whatever does not climb higher, although its text does not begin with theirs.
        if !isAbsolute && climbs == components.count { return other.climbs <= climbs }
        return components.count <= other.components.count
            && zip(components, other.components).allSatisfy { $0.elementsEqual($1) }
    }
}

extension LexicalPath {
    /// The path as seen from the root, as Go's `filepath.Clean("/" + path)` spells it. A relative one is taken for one below the root,
    /// which is what runc makes of a mount's relative destination.
    public static func absolute(_ path: String) -> String {
        if isClean(path.utf8) { return path }
        var cleaned: [UInt8] = []
        cleaned.reserveCapacity(path.utf8.count + 1)
        for component in LexicalPath("/" + path).components {
            cleaned.append(UInt8(ascii: "/"))
            cleaned.append(contentsOf: component)
        }
        return cleaned.isEmpty ? "/" : String(decoding: cleaned, as: UTF8.self)
    }

    /// The names in ``absolute(_:)``.
    public static func components(of path: String) -> [String] {
        LexicalPath("/" + path).components.map { String(decoding: $0, as: UTF8.self) }
    }

    /// Whether a text can be the name of a file or folder, and leads nowhere else.
    public static func isComponent(_ text: String) -> Bool {
        !text.isEmpty && text != "." && text != ".." && !text.utf8.contains { $0 == UInt8(ascii: "/") || $0 == 0 }
    }

    /// Whether both texts are the same bytes.
    public static func areSame(_ path: String, _ other: String) -> Bool { path.utf8.elementsEqual(other.utf8) }

    /// Whether a path is the other one or a folder above it.
    public static func isSame(_ path: String, orAbove other: String) -> Bool {
        // Nearly all paths are clean, and each mount is held against each pattern, so these are compared without making arrays.
        if isClean(path.utf8) && isClean(other.utf8) {
            guard other.utf8.starts(with: path.utf8) else { return false }
            let rest = other.utf8.dropFirst(path.utf8.count)
            return rest.isEmpty || rest.first == UInt8(ascii: "/")
        }
        return LexicalPath(path).isSameOrAbove(LexicalPath(other))
    }

    /// Whether it is an absolute path other than `/` in which there is nothing to resolve. In doubt, it is not.
    private static func isClean(_ path: String.UTF8View) -> Bool {
        let slash = UInt8(ascii: "/")
        guard path.first == slash, path.last != slash else { return false }
        var last: UInt8 = 0
        for byte in path {
            if last == slash && (byte == slash || byte == UInt8(ascii: ".")) { return false }
            last = byte
        }
        return true
    }
}
