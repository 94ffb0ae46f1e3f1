// SPDX-License-Identifier: AGPL-3.0-or-later

/// The options of a mount of config.json, made narrower. mount(8), and the OCI runtime specification for those that begin with an `r`.
public struct MountOptionList: Sendable, Equatable {
    public private(set) var options: [String]

    private static let propagations = ["private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"]
    /// What says the opposite, and would count if it stood behind.
    private static let opposites = [
        "ro": ["rw", "rrw"], "nosuid": ["suid"], "nodev": ["dev"], "noexec": ["exec"], "nosymfollow": ["symfollow"],
        "noatime": ["atime", "relatime", "strictatime"],
    ]

    public init(_ options: [String]) { self.options = options }

    /// - Parameter recursively: whether the runtime and the kernel can make mounts below it read-only as well (`rro`).
    public mutating func makeReadOnly(recursively: Bool) {
        add("ro")
        // A runtime that does not know it takes it for one of the file system's options, of which a bind mount has none.
        if recursively && options.contains("rbind") && !options.contains("rro") { options.append("rro") }
    }

    public mutating func add(_ option: String) {
        let opposites = Self.opposites[option] ?? []
        options.removeAll { opposites.contains($0) }
        if !options.contains(option) { options.append(option) }
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
