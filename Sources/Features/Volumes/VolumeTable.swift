// SPDX-License-Identifier: AGPL-3.0-or-later

package import KernelMount
package import LinuxSystem
import Synchronization
import SystemPackage

/// Which volumes exist on this host, and what is known of each.
///
/// Reading is cheap, and never waits for a disk or a server. A caller that changes a volume holds its lock (``VolumeLocks``). Nothing here
/// mounts.
package final class VolumeTable: Sendable {
    private struct State: Sendable {
        var records: [VolumeName: VolumeRecord] = [:]
        /// Names for people by the ID of a reference, as far as they are known.
        var holderNames: [String: String] = [:]
        /// What is about to be defined.
        var creations: [VolumeName: VolumeDefinition] = [:]
        /// The volumes whose directories are being archived or deleted.
        var disposals: [VolumeName: VolumeDefinition] = [:]

        /// What is shown of a volume, made if it has changed since it was looked at last.
        mutating func view(of name: VolumeName, _ words: CallerWords, _ places: any MountPlaces) -> VolumeView? {
            guard let record = records[name] else { return nil }
            if let shown = record.shown { return shown }
            let view = record.view(at: places.place(of: name).string, holderNames: holderNames, words)
            records[name]?.shown = view
            return view
        }
    }

    private let state = Mutex(State())
    private let files: VolumeFiles
    private let words: CallerWords
    private let places: any MountPlaces

    init(files: VolumeFiles, words: CallerWords, places: any MountPlaces) {
        self.files = files
        self.words = words
        self.places = places
    }

    /// Where a volume is mounted, if it is.
    func place(of name: VolumeName) -> FilePath { places.place(of: name) }

    // MARK: Reading

    package func record(_ name: VolumeName) -> VolumeRecord? { state.withLock { $0.records[name] } }

    package func definition(of name: VolumeName) -> VolumeDefinition? { record(name)?.definition }

    /// What is shown of a volume of this owner.
    func view(of name: VolumeName, owner: String) -> VolumeView? {
        state.withLock { state in
            guard state.records[name]?.definition.owner == owner else { return nil }
            return state.view(of: name, words, places)
        }
    }

    /// What is shown of all volumes of this owner, in no order.
    func views(owner: String) -> [VolumeView] {
        state.withLock { state in
            let names = state.records.values.filter { $0.definition.owner == owner }.map(\.definition.name)
            return names.compactMap { state.view(of: $0, words, places) }
        }
    }

    /// All volumes as they are at this moment, in no order.
    package var records: [VolumeRecord] { state.withLock { Array($0.records.values) } }

    package func contains(where matches: (VolumeRecord) -> Bool) -> Bool { state.withLock { $0.records.values.contains(where: matches) } }

    /// The IDs of all references.
    package var holders: Set<String> { state.withLock { state in Set(state.records.values.flatMap { $0.references.holders.keys }) } }

    /// Names for people by the ID of a reference, as far as they are known.
    package var holderNames: [String: String] { state.withLock { $0.holderNames } }

    // MARK: Directories

    /// Says that a volume is about to be defined. From then on no other volume's disposal touches its directory, until
    /// ``endCreation(of:)``.
    ///
    /// - Throws: `StorageError` (`in-use`) if the directory is being archived or deleted with another volume.
    func beginCreation(of definition: VolumeDefinition) throws(StorageError) {
        let other: VolumeName? = state.withLock { state in
            let touching = state.disposals.values.first { $0.name != definition.name && $0.disposalTouches(definition) }
            if touching == nil { state.creations[definition.name] = definition }
            return touching?.name
        }
        if let other {
            throw StorageError(.inUse, "its directory is being removed with volume \(other); try again when that is done")
        }
    }

    func endCreation(of name: VolumeName) { state.withLock { state in state.creations[name] = nil } }

    /// Says that a volume's directory is about to be archived or deleted. From then on no volume is made in it, until
    /// ``endDisposal(of:)``.
    ///
    /// - Returns: a volume whose directory would be touched; the disposal may not begin then. nil if there is none.
    func beginDisposal(of definition: VolumeDefinition) -> VolumeName? {
        state.withLock { state in
            let others = state.records.values.map(\.definition) + state.creations.values
            if let other = others.first(where: { $0.name != definition.name && definition.disposalTouches($0) }) { return other.name }
            state.disposals[definition.name] = definition
            return nil
        }
    }

    func endDisposal(of name: VolumeName) { state.withLock { state in state.disposals[name] = nil } }

    // MARK: Changing

    /// Puts in a volume that is on disk already.
    func insert(_ record: VolumeRecord) {
        let name = record.definition.name
        state.withLock { state in
            state.records[name] = record
            // The first list after a start is to be as quick as any other.
            _ = state.view(of: name, words, places)
        }
    }

    /// Puts in a volume or replaces its definition, on disk first. Blocks on a local file.
    ///
    /// - Throws: `StorageError` (`local`) if it cannot be stored, or (`in-use`) if its directory is just being removed with another
    ///   volume.
    package func define(_ definition: VolumeDefinition) throws(StorageError) {
        try beginCreation(of: definition)
        defer { endCreation(of: definition.name) }
        do throws(SystemError) { try files.write(definition) } catch {
            // A file whose folder could not be synced is there all the same, and would come back with the next start.
            if record(definition.name) == nil { try? files.removeDefinition(of: definition.name) }
            throw StorageError(.local, "its definition cannot be stored: \(error)", cause: error)
        }
        insert(VolumeRecord(definition))
    }

    /// Replaces the definition of a volume that is there, on disk first. Blocks on a local file.
    ///
    /// - Throws: `StorageError` as ``define(_:)``.
    func redefine(_ definition: VolumeDefinition) throws(StorageError) {
        let failure = record(definition.name)?.lastFailure
        try define(definition)
        change(definition.name) { $0.lastFailure = failure }
    }

    /// Takes a volume out, on disk first. Blocks on a local file.
    package func remove(_ name: VolumeName) throws(SystemError) {
        do throws(SystemError) { try files.removeDefinition(of: name) } catch {
            // It is gone already if its folder could not be synced. Whoever is told of a failure must find the volume again.
            if let definition = definition(of: name) { try? files.write(definition) }
            throw error
        }
        // A failure that stays on disk is shown by the next volume of that name until it is mounted, and keeps no volume from going.
        try? files.failures.write(nil, of: name)
        state.withLock { state in _ = state.records.removeValue(forKey: name) }
    }

    /// Changes a volume's record, and so what is shown of it. Does nothing if there is no such volume.
    func change(_ name: VolumeName, _ body: (inout VolumeRecord) -> Void) {
        state.withLock { state in
            guard var record = state.records[name] else { return }
            body(&record)
            record.shown = nil
            state.records[name] = record
        }
    }

    /// Notes that the kernel has mounted a volume. Blocks on a local file.
    ///
    /// - Throws: `SystemError` if an earlier failure stays on disk; in memory it is gone.
    func mounted(_ name: VolumeName, _ entry: MountTableEntry) throws(SystemError) {
        let hadFailed = record(name)?.lastFailure != nil
        change(name) { $0.mounted(entry) }
        if hadFailed { try files.failures.write(nil, of: name) }
    }

    /// Notes why a volume could not be mounted just now. Blocks on a local file.
    ///
    /// - Throws: `SystemError` if that cannot be stored; in memory it is known.
    package func mountFailed(_ name: VolumeName, _ error: StorageError) throws(SystemError) {
        let failure = MountFailure(error)
        change(name) { $0.lastFailure = failure }
        try files.failures.write(failure, of: name)
    }

    /// Replaces a volume's references, on disk first. Blocks on a local file.
    func store(_ references: References, of name: VolumeName) throws(SystemError) {
        try files.write(references, of: name)
        change(name) { $0.references = references }
    }

    /// Replaces a volume's references in memory, whether or not they can be stored: what is missing on disk is missed after a restart
    /// only. Blocks on a local file.
    func replace(_ references: References, of name: VolumeName) throws(SystemError) {
        change(name) { $0.references = references }
        try files.write(references, of: name)
    }

    /// Replaces the names that references are shown with.
    package func nameHolders(_ names: [String: String]) {
        state.withLock { state in
            state.holderNames = names
            for name in state.records.keys where state.records[name]?.references.isEmpty == false { state.records[name]?.shown = nil }
        }
    }
}
