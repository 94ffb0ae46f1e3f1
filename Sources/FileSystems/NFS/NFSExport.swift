// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount

/// An export, as a volume's options name it: the server, the path, and what is said about how to mount it.
struct NFSExport: Sendable {
    let server: ServerName
    /// The export's path, absolute.
    let path: String
    /// nil: the host's default holds.
    let versions: VersionPolicy?
    /// Further mount options as the user wrote them; they have been checked.
    let mountOptions: String
    let canonical: [String: String]
    /// What of the options has no effect, for the log.
    let notes: [String]
    /// Whether a mount of version 3 is made without rpc.statd, as the `local` driver makes it: the kernel takes it, and locks fail.
    let acceptsMissingLocks: Bool
    /// This host's settings.
    let settings: NFSSettings
    /// Whether others than the callers of this host have written the options.
    var isForeign = false

    /// Reads and checks options; nothing is resolved or contacted.
    ///
    /// - Throws: `StorageError` (`bad-option`).
    init(_ given: [String: String], settings: NFSSettings) throws(StorageError) {
        let options = try Self.withOwnName(ofMountOptions: given)
        // Definitions that were written for the local driver have no server, and there the last of several words holds.
        let text = options["o"] ?? ""
        let mountOptions = options["server"] == nil ? try NFSOptions.lastOfEachKind(text) : text
        let words = try NFSOptions(mountOptions)
        let device = try Self.device(in: options)
        let (server, isLocalSpelling) = try Self.server(options, device, words)
        path = try Self.path(options, device)
        // That driver takes no definition without a type.
        acceptsMissingLocks = options["type"] != nil
        versions = try Self.versions(options, words, type: options["type"], isLocalSpelling: isLocalSpelling)
        self.mountOptions = mountOptions
        notes = words.notes
        self.server = server
        self.settings = settings
        var canonical = ["server": server.text, "path": path]
        canonical["nfsvers"] = versions?.text
        // With type=nfs4 there is no version 3.
        if options["type"] == "nfs" { canonical["type"] = "nfs" }
        if !mountOptions.isEmpty { canonical["o"] = mountOptions }
        self.canonical = canonical
    }

    var text: String { "\(server.sourceLabel):\(path)" }

    var effectiveVersions: VersionPolicy { versions ?? settings.versions }

    /// The words that hold: the volume's over the host's over the built-in ones. In an export that others have defined, the host's words
    /// that protect it come first.
    func options(for purpose: MountPurpose) throws(StorageError) -> NFSOptions {
        let own =
            switch purpose {
            case .volume: mountOptions
            // A cache in common with volumes of the same export would show old names.
            case .catalogue: "rw,nosharecache"
            case .disposal: mountOptions.isEmpty ? "rw" : mountOptions
            }
        var protection = ""
        if isForeign {
            try HostProtection.check(mountOptions)
            protection = try HostProtection.words(of: settings.mountOptions, over: own)
        }
        // What the daemon mounts for itself is only read, written and removed, never run or opened as a device.
        let first = purpose == .volume ? "" : "nosuid,nodev,noexec"
        return try NFSOptions(first, defaults: [protection, own, settings.mountOptions, NFSSettings.builtInOptions])
    }
}
