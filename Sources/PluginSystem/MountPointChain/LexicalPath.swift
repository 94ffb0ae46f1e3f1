// SPDX-License-Identifier: AGPL-3.0-or-later

/// A path by its text alone: `.`, `..`, doubled and trailing slashes are resolved without a look at any file system.
struct LexicalPath {
    private let isAbsolute: Bool
    /// `..` only at the start of a relative path. None for `/`, and for the empty path, which is `.`.
    private var components: [Substring.UTF8View] = []

    private init(_ text: String) {
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

    private func isSameOrAbove(_ other: LexicalPath) -> Bool {
        guard isAbsolute == other.isAbsolute else { return false }
        // `.` and `../..` are above whatever does not climb higher, although its text does not begin with theirs.
        if !isAbsolute && climbs == components.count { return other.climbs <= climbs }
        return components.count <= other.components.count
            && zip(components, other.components).allSatisfy { $0.elementsEqual($1) }
    }

    /// Whether a path is another or a directory above it.
    static func isSameOrAbove(_ upper: String, _ lower: String) -> Bool {
        // Nearly all paths are clean, and each mount is held against each pattern, so these are compared without making arrays.
        if isClean(upper.utf8) && isClean(lower.utf8) {
            guard lower.utf8.starts(with: upper.utf8) else { return false }
            let rest = lower.utf8.dropFirst(upper.utf8.count)
            return rest.isEmpty || rest.first == UInt8(ascii: "/")
        }
        return LexicalPath(upper).isSameOrAbove(LexicalPath(lower))
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
