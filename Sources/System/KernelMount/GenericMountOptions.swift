// SPDX-License-Identifier: AGPL-3.0-or-later

public import LinuxSystem

/// The options of mount(8) that belong to the VFS and not to a file system, in the forms of both mount interfaces.
public struct GenericMountOptions: Sendable, Equatable {
    /// For fsmount(2).
    public private(set) var attributes: MountAttributes = []
    /// For mount(2).
    public private(set) var flags: MountFlags = []
    /// Words for the superblock that the VFS itself reads: `ro`, `sync`, `dirsync`, `lazytime`.
    public private(set) var superblockWords: [String] = []

    public init() {}

    /// Adds an option if it is one of these.
    ///
    /// - Returns: false if the option is none of these.
    /// - Throws: `StorageError` (`bad-option`) if it has a value.
    public mutating func accept(_ option: MountOption) throws(StorageError) -> Bool {
        guard let meaning = Meaning.table[option.key] else { return false }
        if option.value != nil { throw StorageError(.badOption, "option \(option.key) in o takes no value: \(option)") }
        attributes.subtract(meaning.clears)
        attributes.formUnion(meaning.sets)
        flags.subtract(meaning.clearsFlags)
        flags.formUnion(meaning.setsFlags)
        if let word = meaning.superblockWord, !superblockWords.contains(word) { superblockWords.append(word) }
        return true
    }
}

/// What one option means to the two mount interfaces.
private struct Meaning: Sendable {
    var sets: MountAttributes = []
    var clears: MountAttributes = []
    var setsFlags: MountFlags = []
    var clearsFlags: MountFlags = []
    /// The word for fsconfig(2) where the option belongs to the superblock.
    var superblockWord: String?

    private static let accessTimes: MountAttributes = [.noAccessTime, .strictAccessTime]
    private static let accessTimeFlags: MountFlags = [.noAccessTime, .strictAccessTime, .relativeAccessTime]

    static let table: [String: Meaning] = [
        "ro": Meaning(sets: .readOnly, setsFlags: .readOnly, superblockWord: "ro"),
        "rw": Meaning(clears: .readOnly, clearsFlags: .readOnly),
        "nosuid": Meaning(sets: .noSetUID, setsFlags: .noSetUID),
        "suid": Meaning(clears: .noSetUID, clearsFlags: .noSetUID),
        "nodev": Meaning(sets: .noDevices, setsFlags: .noDevices),
        "dev": Meaning(clears: .noDevices, clearsFlags: .noDevices),
        "noexec": Meaning(sets: .noExecution, setsFlags: .noExecution),
        "exec": Meaning(clears: .noExecution, clearsFlags: .noExecution),
        "noatime": Meaning(sets: .noAccessTime, clears: accessTimes, setsFlags: .noAccessTime, clearsFlags: accessTimeFlags),
        "strictatime": Meaning(
            sets: .strictAccessTime, clears: accessTimes, setsFlags: .strictAccessTime, clearsFlags: accessTimeFlags),
        "relatime": Meaning(clears: accessTimes, setsFlags: .relativeAccessTime, clearsFlags: accessTimeFlags),
        "atime": Meaning(clears: accessTimes, clearsFlags: accessTimeFlags),
        "norelatime": Meaning(clears: accessTimes, clearsFlags: accessTimeFlags),
        "nostrictatime": Meaning(clears: accessTimes, clearsFlags: accessTimeFlags),
        "nodiratime": Meaning(sets: .noDirectoryAccessTime, setsFlags: .noDirectoryAccessTime),
        "diratime": Meaning(clears: .noDirectoryAccessTime, clearsFlags: .noDirectoryAccessTime),
        "sync": Meaning(setsFlags: .synchronous, superblockWord: "sync"),
        "async": Meaning(clearsFlags: .synchronous),
        "dirsync": Meaning(setsFlags: .synchronousDirectories, superblockWord: "dirsync"),
        "lazytime": Meaning(setsFlags: .lazyTime, superblockWord: "lazytime"),
        "nolazytime": Meaning(clearsFlags: .lazyTime),
        // Nothing to hand over: the first two are about messages, the others about what network file systems do not do.
        "silent": Meaning(), "loud": Meaning(), "mand": Meaning(), "nomand": Meaning(),
        "iversion": Meaning(), "noiversion": Meaning(),
    ]
}
