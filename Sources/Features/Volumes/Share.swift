// SPDX-License-Identifier: AGPL-3.0-or-later

public import KernelMount
import LinuxSystem

/// The default share: an export, the same on every node, in which each volume without a server of its own is a directory.
public struct Share: Sendable, Equatable {
    /// As the mount table and messages show it, such as `host:/path`.
    public let text: String
    /// The volume options that name it, in one spelling.
    package let options: [String: String]

    /// A folder in the export's root that is no volume's: what the hosts of a share have in common is kept there.
    package static let catalogueFolder = ".docker-nfsd"

    /// Reads `server:/path`.
    ///
    /// - Throws: `StorageError` (`bad-option`).
    public init(_ text: String, kind: any FileSystemKind) throws(StorageError) {
        let source: any FileSystemSource
        do throws(StorageError) { source = try kind.source(["device": text]) } catch {
            throw StorageError(.badOption, "not of the form HOST:/EXPORT")
        }
        self.text = source.text
        options = source.canonical
    }

    public static func == (left: Self, right: Self) -> Bool { left.text.hasSameBytes(as: right.text) }

    /// The options of a volume in the share: its directory has the volume's encoded name unless `subdir` says otherwise, and is
    /// made when it is first used unless `create` says otherwise.
    package func options(_ given: [String: String], of name: VolumeName, kind: any FileSystemKind) throws(StorageError) -> VolumeOptions {
        var all = given.merging(options) { $1 }
        if all["subdir"] == nil { all["subdir"] = name.fileName }
        if all["create"] == nil { all["create"] = "true" }
        return try VolumeOptions(all, kind: kind)
    }
}
