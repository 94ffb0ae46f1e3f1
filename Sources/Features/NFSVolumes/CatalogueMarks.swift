// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
import NFSMount
import SystemPackage

/// Marks in a share's catalogue: who has a volume mounted whose removal would touch its data, and who removes one.
///
/// A host that mounts writes its mark first and then looks for a removal; one that removes writes its mark first and then looks
/// for users. Whatever the order, one of them sees the other.
extension ShareCatalogue {
    private enum Kind: String {
        case use, removing

        func file(_ name: VolumeName, _ host: String) -> String { "\(rawValue).\(name.fileName).\(host)" }

        /// The host of a mark of this kind for this volume. Names of hosts have no dot, so the last one ends the volume's name.
        func host(of file: String, _ name: VolumeName) -> String? {
            let prefix = "\(rawValue).\(name.fileName)."
            guard file.hasPrefix(prefix) else { return nil }
            let host = file.dropFirst(prefix.count)
            return host.contains(".") || host.isEmpty ? nil : String(host)
        }
    }

    private static let folder = "uses"

    /// Says that this host is about to mount a volume.
    ///
    /// - Throws: `CatalogueError` if it is being removed; then nothing is left of the mark.
    func markUse(_ name: VolumeName) throws(CatalogueError) {
        try mark(.use, name)
        if let other = try hosts(.removing, name).sorted().first {
            try unmark(.use, [name])
            throw CatalogueError(
                "its data are being removed by host \(other); finish that with docker volume rm, or take the mark away: \(place(.removing, name, other))"
            )
        }
    }

    /// Says that this host does not have these volumes mounted any more.
    func releaseUses(_ names: [VolumeName]) throws(CatalogueError) { try unmark(.use, names) }

    /// The volumes that this host has marked.
    func ownUses(among known: [VolumeName]) throws(CatalogueError) -> Set<VolumeName> {
        let marks = Set(try names(in: Self.folder).names)
        return Set(known.filter { marks.contains(Kind.use.file($0, host)) })
    }

    /// Says that this host removes a volume's data.
    ///
    /// - Throws: `CatalogueError` if another host has it mounted; then nothing is left of the mark.
    func beginRemoval(_ name: VolumeName) throws(CatalogueError) {
        try mark(.removing, name)
        if let other = try hosts(.use, name).filter({ $0 != host }).sorted().first {
            try unmark(.removing, [name])
            throw CatalogueError(
                "host \(other) has it mounted; stop its containers there, or if that host is gone for good, take its mark away: \(place(.use, name, other))"
            )
        }
    }

    func giveUpRemoval(_ name: VolumeName) throws(CatalogueError) { try unmark(.removing, [name]) }

    /// Removes every mark of a volume that is gone.
    func forgetMarks(of name: VolumeName) throws(CatalogueError) {
        let files = try names(in: Self.folder).names.filter {
            Kind.use.host(of: $0, name) != nil || Kind.removing.host(of: $0, name) != nil
        }
        try removeMarks(files)
    }

    private func mark(_ kind: Kind, _ name: VolumeName) throws(CatalogueError) {
        let file = kind.file(name, host)
        let content: JSONValue = ["host": .string(host), "since": .string(timestamp())]
        let (calls, made) = try run { sequence, root in
            let folder = open(root, sequence)
            // Kept open by nobody; that it is there already is as good.
            let made = sequence.createFile(file, in: folder, mode: 0o600)
            _ = sequence.write(content.encoded(.compact), to: made, operand: file)
            return made
        }
        guard let failed = calls.failedCall, let error = calls.error(of: failed) else { return }
        if failed == made, error.errno == .fileExists { return }
        throw error.errno == .noSuchFileOrDirectory ? lost : explained(error)
    }

    private func unmark(_ kind: Kind, _ volumes: [VolumeName]) throws(CatalogueError) {
        try removeMarks(volumes.map { kind.file($0, host) })
    }

    private func removeMarks(_ files: [String]) throws(CatalogueError) {
        if files.isEmpty { return }
        let (calls, removals) = try run { sequence, root in
            let folder = open(root, sequence)
            return files.map { sequence.removeFile(Array($0.utf8), in: folder, operand: $0) }
        }
        if let failed = calls.failedCall, let error = calls.error(of: failed) {
            throw error.errno == .noSuchFileOrDirectory ? lost : explained(error)
        }
        for call in removals {
            if let error = calls.error(of: call), error.errno != .noSuchFileOrDirectory { throw explained(error) }
        }
    }

    private func hosts(_ kind: Kind, _ name: VolumeName) throws(CatalogueError) -> [String] {
        let (names, isComplete) = try names(in: Self.folder)
        guard isComplete else { throw CatalogueError("\(share.text)/\(Share.catalogueFolder)/\(Self.folder) holds too many files to read") }
        return names.compactMap { kind.host(of: $0, name) }
    }

    private func open(_ root: SystemCallSequence.Call, _ sequence: SystemCallSequence) -> SystemCallSequence.Call {
        let top = sequence.openDirectory(Share.catalogueFolder, in: root, operand: Share.catalogueFolder)
        return sequence.openDirectory(Self.folder, in: top, operand: "\(Share.catalogueFolder)/\(Self.folder)")
    }

    private func place(_ kind: Kind, _ name: VolumeName, _ host: String) -> String {
        "\(share.text)/\(Share.catalogueFolder)/\(Self.folder)/\(kind.file(name, host))"
    }
}
