// SPDX-License-Identifier: AGPL-3.0-or-later

/// A path by its text alone: `.`, `..`, doubled and trailing slashes are resolved without a look at any file system.
struct LexicalPath {
    private let isAbsolute: Bool
    /// `..` only at the start of a relative path. None for `/`, and for the empty path, which is `.`.
    private var components: [Substring.UTF8View] = []

    init(_ text: String) {
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

    /// Whether this is the other path or a directory above it.
    func isSameOrAbove(_ other: LexicalPath) -> Bool {
        guard isAbsolute == other.isAbsolute else { return false }
        // `.` and `../..` are above whatever does not climb higher, although its text does not begin with theirs.
        if !isAbsolute && climbs == components.count { return other.climbs <= climbs }
        return components.count <= other.components.count
            && zip(components, other.components).allSatisfy { $0.elementsEqual($1) }
    }
}
