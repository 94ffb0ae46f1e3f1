// SPDX-License-Identifier: AGPL-3.0-or-later

public import NFSMount

/// The default share: an export, the same on every node, in which each volume without a server of its own is a directory.
public struct Share: Sendable, Equatable {
    public let server: ServerName
    /// The export's path, absolute.
    public let path: String

    /// The catalogue's folder, in the export's root.
    static let catalogueFolder = ".docker-nfsd"
    /// Prefix of the name of the folder that is the catalogue's identity.
    static let identityPrefix = "id."

    static func folder(of identity: String) -> String { "\(catalogueFolder)/\(identityPrefix)\(identity)" }

    /// Reads `server:/path`.
    ///
    /// - Throws: `StorageError`.
    public init(_ text: String) throws(StorageError) {
        let options: VolumeOptions
        do throws(StorageError) { options = try VolumeOptions(["device": text]) } catch {
            throw StorageError(.badOption, "not of the form HOST:/EXPORT")
        }
        server = options.server
        path = options.path
    }

    public var text: String { "\(server.sourceLabel):\(path)" }

    /// Whether a volume with these options is a volume of the share. It is if they name no server, neither for NFS nor for the MOUNT
    /// protocol, which would say where the export is.
    static func holds(_ options: [String: String]) -> Bool {
        guard options["server"] == nil, options["path"] == nil, options["device"] == nil else { return false }
        // What cannot be read is refused where options are read.
        guard let words = try? MountOptions(options["o"] ?? "") else { return true }
        return words.server == nil && words.mountHost == nil && !words.kernel.contains { $0.key == "mountaddr" }
    }

    /// The options of a volume in the share: its directory has the volume's encoded name unless `subdir` says otherwise, and is
    /// made when it is first used unless `create` says otherwise.
    func options(_ given: [String: String], of name: VolumeName) throws(StorageError) -> VolumeOptions {
        var options = given
        options["server"] = server.text
        options["path"] = path
        if options["subdir"] == nil { options["subdir"] = name.fileName }
        if options["create"] == nil { options["create"] = "true" }
        return try VolumeOptions(options)
    }
}
