// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
import KernelMount
import SystemPackage
import Volumes

extension ShareCatalogue {
    var marks: UseMarks { UseMarks(catalogue: self) }
}

/// Marks in a share's catalogue: who has a volume mounted whose removal would touch its data, and who removes one.
///
/// A host that mounts writes its mark first and then looks for a removal; one that removes writes its mark first and then looks
/// for users. Whatever the order, one of them sees the other.
struct UseMarks: Sendable {
    let catalogue: ShareCatalogue

    enum Kind: String {
        case use, removing

        func file(_ name: VolumeName, _ host: String) -> String { "\(rawValue).\(name.fileName).\(host)" }

        /// The host of a mark of this kind for this volume. Names of hosts have no dot, so the last one ends the volume's name.
        func host(of file: String, _ name: VolumeName) -> String? {
            let prefix = "\(rawValue).\(name.fileName)."
            guard file.hasBytePrefix(prefix) else { return nil }
            let host = file.utf8.dropFirst(prefix.utf8.count)
            return host.contains(UInt8(ascii: ".")) || host.isEmpty ? nil : String(host)
        }

        /// The volume and the host of a mark of this kind.
        func parts(of file: String) -> (name: VolumeName, host: String)? {
            guard let dot = file.utf8.lastIndex(of: UInt8(ascii: ".")) else { return nil }
            let host = String(file[file.utf8.index(after: dot)...])
            return volume(of: file, host).map { ($0, host) }
        }

        /// The volume of a mark of this kind that a host has made.
        func volume(of file: String, _ host: String) -> VolumeName? {
            guard file.hasBytePrefix("\(rawValue)."), file.hasByteSuffix(".\(host)") else { return nil }
            return VolumeName(fileName: file.dropFirst(rawValue.count + 1).dropLast(host.count + 1))
        }
    }

    private static let folder = "uses"

    /// Says that this host is about to mount a volume.
    ///
    /// - Throws: `StorageError` if it is being removed; then nothing is left of the mark.
    func markUse(_ name: VolumeName) throws(StorageError) {
        let isNew = try mark(.use, name)
        let removing: [String]
        do throws(StorageError) { removing = try hosts(.removing, name) } catch { throw isNew ? givingUp(.use, name, error) : error }
        guard let other = removing.sorted().first else { return }
        let error = StorageError(
            .inUse,
            "its data are being removed by host \(other); finish that with \(catalogue.words.removal), or take the mark away: \(place(.removing, name, other))"
        )
        // An older mark may be that of a container that runs.
        throw isNew ? givingUp(.use, name, error) : error
    }

    /// Says that this host does not have a volume mounted any more.
    func releaseUse(of name: VolumeName) throws(StorageError) { try removeMarks(name, [.use]) }

    /// The volumes that this host has marked as used, and those that it began to remove.
    func ownMarks() throws(StorageError) -> (uses: [VolumeName], removals: [VolumeName]) {
        var own: (uses: [VolumeName], removals: [VolumeName]) = ([], [])
        guard let host = catalogue.host else { return own }
        for mark in try catalogue.names(in: Self.folder, isExpected: false).names {
            if let name = Kind.use.volume(of: mark, host) { own.uses.append(name) }
            if let name = Kind.removing.volume(of: mark, host) { own.removals.append(name) }
        }
        return own
    }

    /// Says that this host removes a volume's data.
    ///
    /// - Returns: whether the mark was made by this call, and is not one that an unfinished removal has left.
    /// - Throws: `StorageError` if another host has it mounted; then nothing is left of a mark that this call made.
    func beginRemoval(_ name: VolumeName) throws(StorageError) -> Bool {
        let isNew = try mark(.removing, name)
        do throws(StorageError) {
            guard let other = try hosts(.use, name).filter({ $0 != catalogue.host }).sorted().first else { return isNew }
            throw StorageError(
                .inUse,
                "host \(other) has it mounted; stop its \(catalogue.words.holder)s there, or if that host is gone for good, take its mark away: \(place(.use, name, other))"
            )
        } catch {
            throw isNew ? givingUp(.removing, name, error) : error
        }
    }

    /// To be asked before a definition is replaced.
    ///
    /// - Throws: `StorageError` if another host has marked the volume as used, or any host removes its data.
    func checkForUse(of name: VolumeName) throws(StorageError) {
        if let other = try hosts(.use, name).filter({ $0 != catalogue.host }).sorted().first {
            throw StorageError(
                .inUse,
                "host \(other) has it mounted; stop its \(catalogue.words.holder)s there, or if that host is gone for good, take its mark away: \(place(.use, name, other))"
            )
        }
        guard let host = try hosts(.removing, name).sorted().first else { return }
        throw StorageError(
            .inUse,
            "its data are being removed by host \(host); finish that with \(catalogue.words.removal), or take the mark away: \(place(.removing, name, host))"
        )
    }

    /// Only for a removal that has touched nothing.
    func giveUpRemoval(_ name: VolumeName) throws(StorageError) { try removeMarks(name, [.removing]) }

    /// Removes this host's marks of a volume that is gone. Another host may still be at work, and takes back its own.
    func forgetMarks(of name: VolumeName) throws(StorageError) {
        try removeMarks(name, [.use, .removing])
    }

    /// To be asked before a volume is defined: data that are still being removed are not for a new volume of that name.
    ///
    /// A host that removes data reads the definition after it has made its mark, so either it is seen here, or it sees a new one.
    ///
    /// - Throws: `StorageError` if another host removes the data of a volume that is not defined any more.
    func checkForRemoval(of name: VolumeName, begins: Bool) throws(StorageError) {
        let hosts = try hosts(.removing, name, isExpected: !begins)
        if hosts.isEmpty { return }
        if try catalogue.definitions.definition(of: name) != nil { return }
        guard let other = hosts.filter({ $0 != catalogue.host }).sorted().first else { return try forgetMarks(of: name) }
        throw StorageError(
            .inUse,
            "the data of an earlier volume of this name are being removed by host \(other); try again when it has finished, or if that host is gone for good, take its mark away: \(place(.removing, name, other))"
        )
    }

    /// To be asked after a volume has been defined: one that is inside the directory of another must not begin while that is removed.
    ///
    /// A host that removes data reads all definitions after it has made its mark, so either the mark is seen here, or it sees this one.
    ///
    /// - Throws: `StorageError` if a host removes data that are, or are to be, this volume's.
    func checkForRemovalAround(_ definition: VolumeDefinition) throws(StorageError) {
        let (names, isComplete) = try catalogue.names(in: Self.folder)
        guard isComplete else { throw tooManyMarks }
        for mark in names.compactMap(Kind.removing.parts) where mark.name != definition.name {
            guard let other = try catalogue.definitions.definition(of: mark.name), other.options.removal != .retain,
                other.disposalTouches(definition)
            else { continue }
            throw StorageError(
                .inUse,
                "its directory is being removed with volume \(mark.name) by host \(mark.host); try again when that is done, or if that host is gone for good, take its mark away: \(place(.removing, mark.name, mark.host))"
            )
        }
    }

    private var tooManyMarks: StorageError {
        StorageError(.catalogue, "\(catalogue.share.text)/\(Share.catalogueFolder)/\(Self.folder) holds too many files to read")
    }

    /// - Returns: whether it was not there before.
    private func mark(_ kind: Kind, _ name: VolumeName) throws(StorageError) -> Bool {
        guard let host = catalogue.host else {
            throw StorageError(
                .local,
                "this host has no valid /etc/machine-id, by which other hosts would know it; make one (systemd-machine-id-setup), then restart \(catalogue.words.program)"
            )
        }
        let file = kind.file(name, host)
        let content: JSONValue = ["host": .string(host), "since": .string(timestamp())]
        let (calls, made) = try catalogue.run { sequence, root in
            let folder = openMarks(root, sequence)
            // A mark that exists already serves as well.
            let made = sequence.add(.createFile(file, in: folder, mode: 0o600))
            _ = sequence.write(content.encoded(.compact), to: made, operand: file)
            sequence.add(.removeFile(file, in: folder, options: .onFailure, if: made))
            return made
        }
        guard let failed = calls.failedCall, let error = calls.error(of: failed) else { return true }
        if failed == made, error.errno == .fileExists { return false }
        throw catalogue.lost(error)
    }

    /// Takes a mark back because of an error.
    ///
    /// - Returns: the error, with why the mark stays if it does.
    private func givingUp(_ kind: Kind, _ name: VolumeName, _ error: StorageError) -> StorageError {
        do throws(StorageError) { try removeMarks(name, [kind]) } catch let second {
            return error.followed(by: second)
        }
        return error
    }

    private func removeMarks(_ name: VolumeName, _ kinds: [Kind]) throws(StorageError) {
        guard let host = catalogue.host else { return }
        let files = kinds.map { $0.file(name, host) }
        let (calls, removals) = try catalogue.run { sequence, root in
            let folder = openMarks(root, sequence)
            return files.map { sequence.add(.removeFile(Array($0.utf8), in: folder, operand: $0)) }
        }
        try catalogue.check(calls)
        for call in removals {
            if let error = calls.error(of: call), error.errno != .noSuchFileOrDirectory { throw catalogue.explained(error) }
        }
    }

    private func hosts(_ kind: Kind, _ name: VolumeName, isExpected: Bool = true) throws(StorageError) -> [String] {
        let (names, isComplete) = try catalogue.names(in: Self.folder, isExpected: isExpected)
        guard isComplete else { throw tooManyMarks }
        return names.compactMap { kind.host(of: $0, name) }
    }

    private func openMarks(_ root: SystemCallSequence.Call, _ sequence: SystemCallSequence) -> SystemCallSequence.Call {
        sequence.add(.openDirectory(Self.folder, in: catalogue.open(root, sequence), operand: "\(Share.catalogueFolder)/\(Self.folder)"))
    }

    private func place(_ kind: Kind, _ name: VolumeName, _ host: String) -> String {
        "\(catalogue.share.text)/\(Share.catalogueFolder)/\(Self.folder)/\(kind.file(name, host))"
    }
}
