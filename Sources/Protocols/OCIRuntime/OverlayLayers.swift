// SPDX-License-Identifier: AGPL-3.0-or-later

/// The folders of the host that the options of an overlay mount name. Documentation/filesystems/overlayfs.rst of Linux.
public struct OverlayLayers: Sendable, Equatable {
    /// From top to bottom; only read.
    public let lower: [String]
    public let upper: String?
    /// Not shown, but the kernel removes and makes files in it.
    public let work: String?

    /// All of them, in the order in which they are counted.
    public var folders: [String] { lower + [upper, work].compactMap { $0 } }
    public var upperNumber: Int? { upper.map { _ in lower.count } }
    public var workNumber: Int? { work.map { _ in folders.count - 1 } }

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

    /// Colons separate them. Two colons would begin folders of data alone.
    private static func folders(_ value: Substring.UTF8View, of option: String) throws(ConfigurationError) -> [String] {
        var folders: [String] = []
        for spelling in spellings(value) { folders.append(try folder(spelling, of: option)) }
        return folders
    }

    /// As they are written between the colons.
    private static func spellings(_ value: Substring.UTF8View) -> [[UInt8]] {
        var spellings: [[UInt8]] = [[]]
        var isEscaped = false
        for byte in value {
            if byte == UInt8(ascii: ":") && !isEscaped {
                spellings.append([])
            } else {
                spellings[spellings.count - 1].append(byte)
            }
            isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
        }
        return spellings
    }

    /// A backslash takes the meaning from the character after it, in each of these options.
    private static func folder(_ spelling: [UInt8], of option: String) throws(ConfigurationError) -> String {
        var folder: [UInt8] = []
        var isEscaped = false
        for byte in spelling {
            if byte == UInt8(ascii: "\\") && !isEscaped {
                isEscaped = true
            } else {
                folder.append(byte)
                isEscaped = false
            }
        }
        guard !isEscaped, folder.first == UInt8(ascii: "/") else { throw unclear(option) }
        return String(decoding: folder, as: UTF8.self)
    }

    // MARK: Other folders

    /// Bytes of what the kernel is given as one text. mount(2) drops silently what is more than a page.
    private static let sizeLimit = 4095

    /// Options that name other folders, and are otherwise the same, byte by byte.
    ///
    /// - Parameter replacements: by the number in ``folders``.
    /// - Throws: `ConfigurationError` if these are not an overlay's options, or would be too long for the kernel.
    public static func options(_ options: [String], replacing replacements: [Int: String]) throws(ConfigurationError) -> [String] {
        let layers = try OverlayLayers(options: options)
        let replaced = options.map { option in
            guard let sign = option.utf8.firstIndex(of: UInt8(ascii: "=")) else { return option }
            let value = option.utf8[option.utf8.index(after: sign)...]
            let numbers: Range<Int>
            switch String(option[..<sign]) {
            case "lowerdir": numbers = 0..<layers.lower.count
            case "upperdir": numbers = layers.upperNumber.map { $0..<$0 + 1 } ?? 0..<0
            case "workdir": numbers = layers.workNumber.map { $0..<$0 + 1 } ?? 0..<0
            default: return option
            }
            // A colon separates only folders below.
            let spellings = numbers.count == 1 ? [Array(value)] : Self.spellings(value)
            let folders = zip(numbers, spellings).map { number, spelling in replacements[number].map(escaped) ?? spelling }
            let bytes = Array(option.utf8[...sign]) + folders.joined(separator: [UInt8(ascii: ":")])
            return String(decoding: bytes, as: UTF8.self)
        }
        if replaced.map({ $0.utf8.count + 1 }).reduce(0, +) > sizeLimit {
            throw ConfigurationError("an overlay whose options are longer than the kernel takes, \(sizeLimit) bytes; use fewer folders")
        }
        return replaced
    }

    private static func escaped(_ folder: String) -> [UInt8] {
        folder.utf8.flatMap { byte in
            [UInt8(ascii: "\\"), UInt8(ascii: ":"), UInt8(ascii: ",")].contains(byte) ? [UInt8(ascii: "\\"), byte] : [byte]
        }
    }

    private static func unclear(_ option: String) -> ConfigurationError {
        ConfigurationError("an overlay with the option \(quoted(option)), of which it cannot be told which folders it names")
    }
}
