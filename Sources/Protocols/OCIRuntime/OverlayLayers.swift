// SPDX-License-Identifier: AGPL-3.0-or-later

/// The folders of the host that the options of an overlay mount name. Documentation/filesystems/overlayfs.rst of Linux.
public struct OverlayLayers: Sendable, Equatable {
    /// From top to bottom; only read.
    public let lower: [String]
    public let upper: String?
    /// Not shown, but the kernel removes and makes files in it.
    public let work: String?

    /// Options with a value that names no folder.
    private static let plainKeys = [
        "context", "fscontext", "defcontext", "rootcontext", "fsync", "index", "metacopy", "nfs_export", "redirect_dir", "uuid", "verity",
        "xino",
    ]

    /// - Throws: `ConfigurationError` for options that ways of mounting differ in, or that are not known: they could name a folder.
    public init(options: [String]) throws(ConfigurationError) {
        var lower: [String]?
        var upper: String?
        var work: String?
        for option in options {
            let bytes = option.utf8
            // mount(2) takes all options as one text with commas in between, and fsconfig(2) each by itself.
            if bytes.contains(UInt8(ascii: ",")) { throw Self.unclear(option) }
            guard let sign = bytes.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let key = bytes[..<sign]
            let value = bytes[bytes.index(after: sign)...]
            if key.elementsEqual("lowerdir".utf8), lower == nil {
                lower = try Self.folders(value, of: option)
            } else if key.elementsEqual("upperdir".utf8), upper == nil {
                upper = try Self.folder(Array(value), of: option)
            } else if key.elementsEqual("workdir".utf8), work == nil {
                work = try Self.folder(Array(value), of: option)
            } else if !Self.plainKeys.contains(where: { key.elementsEqual($0.utf8) }) {
                throw Self.unclear(option)
            }
        }
        guard let lower else { throw ConfigurationError("an overlay without lowerdir") }
        (self.lower, self.upper, self.work) = (lower, upper, work)
    }

    /// Colons separate them, and a backslash takes the meaning from the character after it. Two colons would begin folders of data alone.
    private static func folders(_ value: Substring.UTF8View, of option: String) throws(ConfigurationError) -> [String] {
        var folders: [String] = []
        var folder: [UInt8] = []
        var isEscaped = false
        for byte in value {
            switch byte {
            case _ where isEscaped:
                folder.append(byte)
                isEscaped = false
            case UInt8(ascii: "\\"): isEscaped = true
            case UInt8(ascii: ":"):
                folders.append(try self.folder(folder, of: option))
                folder = []
            default: folder.append(byte)
            }
        }
        if isEscaped { throw unclear(option) }
        folders.append(try self.folder(folder, of: option))
        return folders
    }

    private static func folder(_ bytes: [UInt8], of option: String) throws(ConfigurationError) -> String {
        guard bytes.first == UInt8(ascii: "/") else { throw unclear(option) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func unclear(_ option: String) -> ConfigurationError {
        ConfigurationError("an overlay with the option \(quoted(option)), of which it cannot be told which folders it names")
    }
}
