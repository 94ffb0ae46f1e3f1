// SPDX-License-Identifier: AGPL-3.0-or-later

/// The options of a mount of config.json, made narrower. mount(8), and the OCI runtime specification for those that begin with an `r`.
public struct MountOptionList: Sendable, Equatable {
    public private(set) var options: [String]

    private static let propagations = ["private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"]
    /// What says the opposite, and would count if it stood behind.
    private static let opposites = [
        "ro": ["rw", "rrw"], "nosuid": ["suid", "rsuid"], "nodev": ["dev", "rdev"], "noexec": ["exec", "rexec"],
        "nosymfollow": ["symfollow"],
        "noatime": ["atime", "relatime", "strictatime"],
    ]

    public init(_ options: [String]) { self.options = options }

    /// What forbids something, and in which form it does so for mounts below as well.
    private static let recursiveForms = ["ro": "rro", "nosuid": "rnosuid", "nodev": "rnodev", "noexec": "rnoexec"]

    /// Adds an option, and takes away what says the opposite.
    ///
    /// - Parameter recursively: whether the kernel can give it to the mounts below a recursive bind mount as well; only for `ro`, `nosuid`,
    ///   `nodev` and `noexec`. A runtime that does not know that form ignores it: it takes it for an option of the file system's, of which
    ///   bind mounts have none.
    public mutating func add(_ option: String, recursively: Bool) {
        let opposites = Self.opposites[option] ?? []
        options.removeAll { opposites.contains($0) }
        var added = [option]
        if recursively && options.contains("rbind"), let form = Self.recursiveForms[option] { added.append(form) }
        options += added.filter { !options.contains($0) }
    }

    public mutating func setPropagation(_ propagation: String) {
        options.removeAll { Self.propagations.contains($0) }
        options.append(propagation)
    }

    /// For a bind mount that takes the place of one that has these: what forbids something stays, what is of the file system goes.
    public var forBindMount: MountOptionList {
        let kept = options.filter { ["ro", "nosuid", "nodev", "noexec"].contains($0) || Self.propagations.contains($0) }
        return MountOptionList(["rbind"] + kept)
    }
}
