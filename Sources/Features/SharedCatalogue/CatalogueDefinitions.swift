// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
import KernelMount
import SystemPackage
import Volumes

extension ShareCatalogue {
    var definitions: CatalogueDefinitions { CatalogueDefinitions(catalogue: self) }
}

/// The definitions in a share's catalogue. All methods block on the server.
struct CatalogueDefinitions: Sendable {
    let catalogue: ShareCatalogue

    static let longestDefinition = 16 << 10
    private static let suffix = ".json"
    private static let draftSuffix = ".new"
    /// Definitions read by one sequence of calls.
    private static let batch = 64

    /// What the file of a volume's definition is called.
    static func file(of name: VolumeName) -> String { name.fileName + suffix }

    /// Writes a definition unless there is one of that name: of several hosts that do so at once, one is first, and the others
    /// get what it has written.
    ///
    /// - Parameters:
    ///   - begins: false if there must be a catalogue already; one that is gone means another file system is exported.
    ///   - identity: to be given to a catalogue that has none.
    /// - Returns: the definition that holds, and whether it is certain that this call has made it.
    func create(
        _ definition: VolumeDefinition, begins: Bool, identity new: String?
    ) throws(StorageError) -> (definition: VolumeDefinition, isNew: Bool) {
        let name = Self.file(of: definition.name)
        let draft = "\(ownDrafts)\(UInt64.random(in: 0 ... .max))\(Self.draftSuffix)"
        let content = definition.catalogueJSON.encoded(.pretty)
        guard content.count < Self.longestDefinition else {
            throw StorageError(.badOption, "its options are longer than the catalogue takes")
        }
        let (calls, work) = try catalogue.run { sequence, root in
            if begins { sequence.add(.makeDirectory(Share.catalogueFolder, in: root, mode: 0o700, operand: Share.catalogueFolder)) }
            let folder = catalogue.open(root, sequence)
            // Must be there before a definition is.
            let named = new.map { new in
                let made = sequence.add(
                    .makeDirectory(ShareCatalogue.identityPrefix + new, in: folder, mode: 0o700, operand: "its identity"))
                let opened = sequence.add(.openDirectory(ShareCatalogue.identityPrefix + new, in: folder, operand: "its identity"))
                return (made: made, opened: opened)
            }
            if begins { for name in ["volumes", "uses"] { sequence.add(.makeDirectory(name, in: folder, mode: 0o700, operand: name)) } }
            let volumes = openVolumes(in: folder, sequence)
            let file = sequence.add(.createFile(draft, in: volumes, mode: 0o600))
            let (written, _) = sequence.write(content, to: file, operand: draft)
            sequence.add(.close(file))
            // Only the content decides who was first: over NFS, a repeated link(2) can find its own work and say EEXIST.
            let linked = sequence.add(.link(draft, in: volumes, to: name))
            let found = read(name, in: volumes, sequence)
            sequence.add(.removeFile(draft, in: volumes, options: .final, if: file))
            return (folder: folder, named: named, file: file, written: written, linked: linked, found: found)
        }
        if let error = calls.error(of: work.folder), error.errno == .noSuchFileOrDirectory { throw catalogue.lost(error) }
        if let failed = calls.failedCall, let error = calls.error(of: failed) {
            // Why it could not be made is the better answer than that it is not there.
            let cause = work.named.flatMap { $0.opened == failed ? calls.error(of: $0.made) : nil }
            throw catalogue.explained(cause ?? error)
        }
        guard case .success(content.count) = calls.result(of: work.written) else {
            throw StorageError(.catalogue, "\(catalogue.share.text) took only a part of the definition: is it full?")
        }
        guard let bytes = try self.content(of: work.found, calls) else {
            throw calls.error(of: work.linked).map(catalogue.explained)
                ?? StorageError(.catalogue, "\(name) was removed meanwhile; try again", mayPass: true)
        }
        return (try usable(bytes, as: name), calls.error(of: work.linked) == nil)
    }

    /// Puts a definition in the place of the one that is there, at once.
    ///
    /// - Throws: `StorageError`; `no-such-volume` if none is there, for another host may have removed it a moment ago.
    func replace(with definition: VolumeDefinition) throws(StorageError) {
        let name = definition.name.fileName + Self.suffix
        let draft = "\(ownDrafts)\(UInt64.random(in: 0 ... .max))\(Self.draftSuffix)"
        let content = definition.catalogueJSON.encoded(.pretty)
        guard content.count < Self.longestDefinition else {
            throw StorageError(.badOption, "its options are longer than the catalogue takes")
        }
        let (calls, work) = try catalogue.run { sequence, root in
            let volumes = openVolumes(in: catalogue.open(root, sequence), sequence)
            let file = sequence.add(.createFile(draft, in: volumes, mode: 0o600))
            let (written, _) = sequence.write(content, to: file, operand: draft)
            sequence.add(.close(file))
            let found = sequence.add(.find(name, in: volumes))
            sequence.add(.rename(draft, in: volumes, to: name, operand: name))
            sequence.add(.removeFile(draft, in: volumes, options: .onFailure, if: file))
            return (written: written, found: found)
        }
        if calls.error(of: work.found)?.errno == .noSuchFileOrDirectory {
            throw StorageError(.noSuchVolume, "it was removed on another host")
        }
        try catalogue.check(calls)
        guard case .success(content.count) = calls.result(of: work.written) else {
            throw StorageError(.catalogue, "\(catalogue.share.text) took only a part of the definition: is it full?")
        }
    }

    /// The definition that is on the share now; nil if there is none of that name.
    func definition(of name: VolumeName) throws(StorageError) -> VolumeDefinition? {
        let file = Self.file(of: name)
        let (calls, found) = try catalogue.run { sequence, root in
            read(file, in: openVolumes(in: catalogue.open(root, sequence), sequence), sequence)
        }
        try catalogue.check(calls)
        guard let bytes = try content(of: found, calls) else { return nil }
        return try usable(bytes, as: file)
    }

    /// Removes a definition. One that is not there is not an error.
    func remove(_ name: VolumeName) throws(StorageError) {
        let file = Self.file(of: name)
        let (calls, removed) = try catalogue.run { sequence, root in
            sequence.add(.removeFile(Array(file.utf8), in: openVolumes(in: catalogue.open(root, sequence), sequence), operand: file))
        }
        try catalogue.check(calls)
        if let error = calls.error(of: removed), error.errno != .noSuchFileOrDirectory { throw catalogue.explained(error) }
    }

    /// What a look at the catalogue found.
    struct Reading: Sendable {
        /// The same as long as no name has come or gone.
        var stamp: [UInt8]
        var definitions: [VolumeDefinition] = []
        /// Of all definitions, also of those that cannot be used.
        var fileNames: Set<String> = []
        /// What is wrong, by file.
        var damaged: [String: String] = [:]
        /// What this host's creations have left, and those that are under way.
        var drafts: [String] = []
        /// False if there are more than can be read.
        var isComplete = true
        /// Of what was read, in bytes.
        var size = 0
    }

    enum Look: Sendable {
        /// There is no catalogue yet.
        case nothing
        case unchanged
        case read(Reading)
    }

    /// Reads all definitions, unless the stamp is still that of an earlier reading.
    ///
    /// - Parameter expected: there must be a catalogue.
    func look(unless stamp: [UInt8]?, expected: Bool) throws(StorageError) -> Look {
        let (calls, work) = try catalogue.run { sequence, root in
            let volumes = openVolumes(in: catalogue.open(root, sequence), sequence)
            let status = sequence.buffer(SystemCallSequence.statusSize)
            sequence.add(.status(of: volumes, into: status, operand: "\(Share.catalogueFolder)/volumes"))
            return status
        }
        if let failed = calls.failedCall, let error = calls.error(of: failed) {
            guard error.errno == .noSuchFileOrDirectory else { throw catalogue.explained(error) }
            // An export whose own disk is not mounted looks like this. Nothing may be forgotten because of it.
            if expected { throw catalogue.lost(error) }
            return .nothing
        }
        var reading = Reading(stamp: calls.changeStamp(in: work))
        if reading.stamp == stamp { return .unchanged }
        let (names, isComplete) = try catalogue.names(in: "volumes")
        reading.isComplete = isComplete
        reading.drafts = names.filter { $0.hasBytePrefix(ownDrafts) && $0.hasByteSuffix(Self.draftSuffix) }
        let files = names.filter { $0.hasByteSuffix(Self.suffix) && !$0.hasBytePrefix(".") }
        reading.fileNames = Set(files.map { String($0.dropLast(Self.suffix.count)) })
        _ = try read(files, into: &reading)
        return .read(reading)
    }

    /// The first definition, in the order of names, for which something holds. Those that cannot be used are passed over: no host mounts
    /// them. Reads all that are there, however many.
    func first(where matches: (VolumeDefinition) -> Bool) throws(StorageError) -> VolumeDefinition? {
        let (names, isComplete) = try catalogue.names(in: "volumes")
        guard isComplete else {
            throw StorageError(.catalogue, "\(catalogue.share.text)/\(Share.catalogueFolder)/volumes holds too many files to read")
        }
        let files = names.filter { $0.hasByteSuffix(Self.suffix) && !$0.hasBytePrefix(".") }
        for start in stride(from: 0, to: files.count, by: Self.batch) {
            var reading = Reading(stamp: [])
            try readBatch(Array(files[start..<min(start + Self.batch, files.count)]), into: &reading)
            if let found = reading.definitions.first(where: matches) { return found }
        }
        return nil
    }

    /// Removes what creations have left that were cut short.
    func remove(drafts: [String]) throws(StorageError) {
        for start in stride(from: 0, to: drafts.count, by: Self.batch) {
            let (calls, _) = try catalogue.run { sequence, root in
                let volumes = openVolumes(in: catalogue.open(root, sequence), sequence)
                for draft in drafts[start..<min(start + Self.batch, drafts.count)] {
                    sequence.add(.removeFile(Array(draft.utf8), in: volumes, operand: draft))
                }
            }
            try catalogue.check(calls)
        }
    }

    /// Reads those files again that could not be used.
    func readDamagedAgain(_ reading: inout Reading) throws(StorageError) {
        let earlier = reading.damaged
        let files = earlier.keys.sorted()
        reading.damaged = [:]
        let count = try read(files, into: &reading)
        for file in files.dropFirst(count) { reading.damaged[file] = earlier[file] }
    }

    /// - Returns: how many of the files were read.
    private func read(_ files: [String], into reading: inout Reading) throws(StorageError) -> Int {
        reading.size = 0
        for start in stride(from: 0, to: files.count, by: Self.batch) {
            guard reading.size < catalogue.longestReading else {
                reading.isComplete = false
                return start
            }
            try readBatch(Array(files[start..<min(start + Self.batch, files.count)]), into: &reading)
        }
        return files.count
    }

    private func readBatch(_ files: [String], into reading: inout Reading) throws(StorageError) {
        let (calls, found) = try catalogue.run { sequence, root in
            let volumes = openVolumes(in: catalogue.open(root, sequence), sequence)
            return files.map { read($0, in: volumes, sequence) }
        }
        if let failed = calls.failedCall, let error = calls.error(of: failed) { throw catalogue.explained(error) }
        for (file, found) in zip(files, found) {
            if let reason = notAFile(found, calls) {
                reading.damaged[file] = reason
                continue
            }
            do throws(StorageError) {
                // Removed since its name was read.
                guard let bytes = try content(of: found, calls) else {
                    reading.fileNames.remove(String(file.dropLast(Self.suffix.count)))
                    continue
                }
                reading.size += bytes.count
                do throws(StorageError) {
                    reading.definitions.append(try parse(bytes, as: file))
                } catch {
                    reading.damaged[file] = error.description
                }
            } catch {
                // That it cannot be read now says nothing about what is in it.
                reading.stamp = []
                reading.damaged[file] = error.description
            }
        }
    }

    private typealias Found = (file: SystemCallSequence.Call, count: SystemCallSequence.Call, buffer: SystemCallSequence.Buffer)

    private func read(_ name: String, in directory: SystemCallSequence.Call, _ sequence: SystemCallSequence) -> Found {
        let buffer = sequence.buffer(Self.longestDefinition + 1)
        let file = sequence.add(.openFile(name, in: directory))
        let count = sequence.add(.read(file, into: buffer, on: name))
        sequence.add(.close(file))
        return (file, count, buffer)
    }

    /// Why something that has a definition's name can be none, whatever is tried.
    private func notAFile(_ found: Found, _ calls: SystemCallSequence) -> String? {
        // ENXIO: a socket
        guard let error = calls.error(of: found.file) ?? calls.error(of: found.count),
            [.isDirectory, .tooManySymbolicLinkLevels, .noSuchAddressOrDevice].contains(error.errno)
        else { return nil }
        return "it is not a file (\(error.errno.symbol))"
    }

    /// nil if there is no such file.
    private func content(of found: Found, _ calls: SystemCallSequence) throws(StorageError) -> [UInt8]? {
        if let error = calls.error(of: found.file) {
            if error.errno == .noSuchFileOrDirectory { return nil }
            throw catalogue.explained(error)
        }
        if let error = calls.error(of: found.count) { throw catalogue.explained(error) }
        guard case .success(let count) = calls.result(of: found.count) else { return nil }
        return calls.bytes(of: found.buffer, count: count)
    }

    private func usable(_ bytes: [UInt8], as file: String) throws(StorageError) -> VolumeDefinition {
        do throws(StorageError) { return try parse(bytes, as: file) } catch {
            throw StorageError(
                .damaged,
                "\(catalogue.share.text)/\(Share.catalogueFolder)/volumes/\(file) is damaged: \(error); correct or remove it there",
                cause: error)
        }
    }

    private func parse(_ bytes: [UInt8], as file: String) throws(StorageError) -> VolumeDefinition {
        guard bytes.count <= Self.longestDefinition else {
            throw StorageError(.damaged, "it is longer than \(Self.longestDefinition) bytes")
        }
        let definition = try VolumeDefinition(parsing: bytes, kind: catalogue.export.kind, in: catalogue.share)
        try definition.checkAsForeign(owners: catalogue.owners)
        guard Self.file(of: definition.name).hasSameBytes(as: file) else {
            throw StorageError(.damaged, "it speaks of volume \(definition.name)")
        }
        return definition
    }

    private func openVolumes(in folder: SystemCallSequence.Call, _ sequence: SystemCallSequence) -> SystemCallSequence.Call {
        sequence.add(.openDirectory("volumes", in: folder, operand: "\(Share.catalogueFolder)/volumes"))
    }

    /// What the names of this host's drafts of definitions begin with.
    private var ownDrafts: String { ".\(catalogue.host ?? "unnamed-host")." }
}
