// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
public import JSON
import LinuxSystem
public import Logging
import SystemPackage

/// `copy-on-write`: the container writes, and the source stays as it is, by a layer of overlayfs. At the end the changes are dropped, kept
/// for somebody to decide about, or committed.
public struct CopyOnWriteKind: PluginKind {
    public static var information: KindInformation {
        var information = KindInformation(
            name: "copy-on-write", summary: "let a container change a tree that stays as it is; drop, keep or commit the changes")
        information.optionsHelp = CopyOnWriteOptions.help
        information.isPersistent = true
        information.attachTimeout = 60
        information.detachTimeout = 900
        return information
    }

    let sets: ChangeSets

    public init(settings: JSONObjectReader, instance: PluginInstance) throws(JSONShapeError) {
        let folders = try settings.texts("folders")
        for folder in folders where folder.utf8.first != UInt8(ascii: "/") {
            throw settings.error("must have absolute paths", at: "folders")
        }
        sets = ChangeSets(of: instance, besides: folders.map { FilePath($0) })
    }

    public func check(_ options: String) throws(PluginError) { _ = try CopyOnWriteOptions(options) }

    public func recover(_ logger: Logger) { sets.removeRemains() }

    // MARK: Attaching

    public func plan(_ chosen: ChosenMount) throws(PluginError) -> MountPlan? {
        let mount = chosen.mount
        if mount.type == .tmpfs { return nil }
        if mount.readOnly {
            if !chosen.isNamed { return nil }
            throw PluginError("\(mount.destination) is mounted read-only, so there is nothing to copy; leave out one of both")
        }
        if !["", "rprivate", "private"].contains(mount.propagation.rawValue) {
            throw PluginError("\(mount.destination): copy-on-write cannot have the propagation \(mount.propagation.rawValue); leave it out")
        }
        let options = try CopyOnWriteOptions(chosen.options)
        let source = try CopyOnWriteSource(mount.effectiveSource)
        if options.end == .commit && source.isReadOnly {
            throw PluginError("\(mount.effectiveSource) is on a file system that is mounted read-only, so nothing can be committed to it")
        }
        let name = options.reuse ?? ChangeSets.name(of: chosen)
        let folder = try sets.folder(for: name, on: source, inMemory: options.memory != nil)
        if let present = try ChangeSet.read(folder) {
            try Self.check(present, takenUpBy: chosen, source, options, sets)
        }
        let record: JSONValue = [
            "set": .string(folder.string), "container": .string(chosen.containerID), "containerName": .string(mount.container.name),
            "inner": .array(source.inner.map(\.json)),
        ]
        let shown = source.file.map { "\(chosen.folder)/\($0)" } ?? chosen.folder
        return MountPlan(
            changes: MountPointChanges(effectiveSource: shown), record: record,
            emergency: Self.emergency(chosen, options, source, name))
    }

    /// Kept changes are taken up by their own container, and by `reuse`; all others are in the way.
    private static func check(
        _ set: ChangeSet, takenUpBy chosen: ChosenMount, _ source: CopyOnWriteSource, _ options: CopyOnWriteOptions, _ sets: ChangeSets
    ) throws(PluginError) {
        let record = set.record
        let who = record.containerName.isEmpty ? String(record.container.prefix(12)) : record.containerName
        switch record.state {
        case .committing, .stopped:
            throw PluginError(
                "the changes \(set.name) are being committed, or that could not be finished: mountpoint-plugin copy-on-write commit \(set.name), then try again"
            )
        case .attached where !record.container.hasSameBytes(as: chosen.containerID) && sets.isInUse(set):
            throw PluginError("the changes \(set.name) are in use by the container \(who); wait for its end, or take another name")
        case .attached, .kept: break
        }
        guard record.sourceInode == source.status.inode, record.sourceDevice == source.status.device,
            record.file.map({ $0.hasSameBytes(as: source.file ?? "") }) ?? (source.file == nil)
        else {
            throw PluginError("the changes \(set.name) were made over \(record.source), not over \(source.place); take another name")
        }
    }

    private static func emergency(
        _ chosen: ChosenMount, _ options: CopyOnWriteOptions, _ source: CopyOnWriteSource, _ name: String
    ) -> [EmergencyAction] {
        let destination = chosen.mount.destination
        let words =
            switch options.end {
            case .discard: "copy-on-write was away: the changes of \(destination) are dropped when it starts again"
            case .keep: "copy-on-write was away: the changes of \(destination) are kept as \(name)"
            case .commit:
                "copy-on-write was away: the changes of \(destination) are not committed but kept; see mountpoint-plugin copy-on-write diff \(name)"
            }
        let first: EmergencyAction = options.end == .commit ? .error(words) : .warning(words)
        return [first] + source.inner.reversed().map { .unmount("\(chosen.folder)/\($0.path)") }
            + [.unmount(chosen.folder), .remove(chosen.folder)]
    }

    public func carryOut(_ mount: KeptMount) throws(PluginError) {
        let inner = mount.record["inner"]?.arrayValue?.compactMap(InnerMount.init)
        let source = try CopyOnWriteSource(mount.source, inner: inner)
        let options = try CopyOnWriteOptions(mount.options)
        guard let folder = mount.record["set"]?.stringValue.map({ FilePath($0) }) else { throw PluginError("its file is damaged") }
        do throws(SystemError) {
            let set = try sets.begin(folder, mount, source, options)
            try source.folder.clone(recursively: false).placeLower(at: set.lower)
            try makeFolder(FilePath(mount.folder), mode: 0o700)
            try OverlayMount.make(set, at: mount.folder, source.attributes, isLasting: options.end != .discard && options.memory == nil)
            // The overlay holds it by itself from here on.
            try PlacedMount.remove(set.lower.string)
            let shown = try PinnedFile(at: mount.folder)
            for inner in source.inner { try inner.show(from: source.folder, in: shown) }
        } catch {
            throw PluginError("\(mount.destination): changes cannot be kept apart from \(mount.source): \(Self.explained(error, source))")
        }
    }

    private static func explained(_ error: SystemError, _ source: CopyOnWriteSource) -> String {
        let said = "\(error)"
        guard error.errno == .invalidArgument, error.call.hasBytePrefix("fsconfig") else { return said }
        return said
            + "; a source that is two overlays deep already cannot have a third, and the changes must be on a file system with trusted extended attributes: name another of the setting \"folders\", or give memory=SIZE"
    }

    // MARK: Undoing

    public func undo(_ mount: KeptMount, _ end: ContainerEnd) throws(DetachError) -> DetachError? {
        guard let folder = mount.record["set"]?.stringValue.map({ FilePath($0) }) else { return nil }
        do throws(SystemError) {
            try PlacedMount.remove(mount.folder)
            try PlacedMount.remove(folder.appending("lower").string)
        } catch {
            throw DetachError(
                "the changes of \(mount.destination) cannot be taken off: \(error); see who uses them with fuser -m \(mount.folder)",
                isRecoverable: true)
        }
        // With options that nobody can read nothing is dropped.
        let options = (try? CopyOnWriteOptions(mount.options)) ?? CopyOnWriteOptions(end: .keep)
        do throws(CommitError) {
            try sets.finish(folder, of: mount.record["container"]?.stringValue ?? "", options, end)
            return nil
        } catch {
            let failure = DetachError("\(mount.destination): \(error)", isRecoverable: true)
            if sets.isLeftToUsers(folder) { return failure }
            throw failure
        }
    }

    // MARK: Doctor

    public static func findings(on instance: PluginInstance) -> [PluginFinding] {
        do throws(PluginError) {
            let sets = try InstanceSettings(of: Self.self, instance).kind as? CopyOnWriteKind
            return (sets?.sets.folders ?? []).map { folder in
                do throws(SystemError) {
                    try ChangeSets.probe(folder)
                    return PluginFinding(.ok, "copy-on-write: changes can be kept in \(folder)")
                } catch {
                    return PluginFinding(
                        .failed, "copy-on-write: changes cannot be kept in \(folder): \(error); name another of the setting \"folders\"")
                }
            }
        } catch {
            return []
        }
    }
}

extension DetachedMount {
    /// Attaches it where an overlay is to find it, and nobody can write through it.
    fileprivate func placeLower(at place: FilePath) throws(SystemError) {
        try set(.readOnly, becomesPrivate: true)
        try PlacedMount.make(self, at: place.string, isFolder: true)
    }
}
