// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
public import JSON
import LinuxSystem
public import Logging
import SystemPackage

/// `ownership`: the owner of a mount's source appears as the container's user, or the files belong to that user while it runs.
public struct OwnershipKind: PluginKind {
    public static var information: KindInformation {
        var information = KindInformation(
            name: "ownership", summary: "have the owner of files appear as the container's user, and keep what is made theirs")
        information.optionsHelp = OwnershipOptions.help
        information.isPersistent = true
        // For a million files; longer, and a host would wait so long for a plugin that is away.
        information.attachTimeout = 120
        information.detachTimeout = 120
        return information
    }

    private let defaultMode: OwnershipMode
    private let instance: PluginInstance
    private let transfers: Transfers

    public init(settings: JSONObjectReader, instance: PluginInstance) throws(JSONShapeError) {
        let text = try settings.textIfPresent("mode") ?? OwnershipMode.map.rawValue
        guard let mode = OwnershipMode(rawValue: text) else { throw settings.error("must be \(OwnershipMode.words)", at: "mode") }
        defaultMode = mode
        self.instance = instance
        transfers = Transfers(in: instance.state)
    }

    /// With the defaults.
    init(_ instance: PluginInstance) {
        defaultMode = .map
        self.instance = instance
        transfers = Transfers(in: instance.state)
    }

    public func check(_ options: String) throws(PluginError) { _ = try OwnershipOptions(options) }

    public func plan(_ chosen: ChosenMount) throws(PluginError) -> MountPlan? {
        if chosen.mount.type == .tmpfs { return nil }
        let options = try OwnershipOptions(chosen.options)
        let source = try OwnedSource(chosen.mount.effectiveSource)
        switch options.mode ?? defaultMode {
        case .map: return try mapPlan(chosen, options, source)
        case .transfer: return try transferPlan(chosen, options, source, isGiven: true)
        case .giveBack: return try transferPlan(chosen, options, source, isGiven: false)
        case .auto:
            // A tree that others have is shared with them, also where it could be mapped.
            if try transfers.transfer(around: source.location()) == nil, let plan = try? mapPlan(chosen, options, source) { return plan }
            return try transferPlan(chosen, options, source, isGiven: true)
        }
    }

    public func carryOut(_ mount: KeptMount) throws(PluginError) {
        if let transfer = try Self.transfer(of: mount) { return try transfers.take(transfer) }
        let source = try OwnedSource(mount.source)
        // Another may have got the tree since this was planned. By now each sees what the other has written down.
        if let other = try transfers.transfer(around: source.location()) { throw PluginError(other.denial(of: mount.source)) }
        let mapped = try source.mapped(IDRanges(mount.record))
        do throws(SystemError) { try PlacedMount.make(mapped, at: mount.folder, isFolder: source.isFolder) } catch {
            throw PluginError("the owners of \(mount.source) cannot be mapped: \(error)")
        }
    }

    public func undo(_ mount: KeptMount, _ end: ContainerEnd) throws(DetachError) -> DetachError? {
        do throws(PluginError) { _ = try giveBack(mount) } catch { throw DetachError("\(error)", isRecoverable: true) }
        return nil
    }

    /// Undoes what was done for a mount, and says what became of a tree that was given.
    func giveBack(_ mount: KeptMount) throws(PluginError) -> [ReturnedTree] {
        guard try Self.transfer(of: mount) == nil else { return try transfers.release(Self.key(of: mount.folder)) }
        do throws(SystemError) { try PlacedMount.remove(mount.folder) } catch {
            throw PluginError(
                "the id-mapped mount of \(mount.source) cannot be taken away: \(error); see who uses it with fuser -m \(mount.folder)")
        }
        return []
    }

    /// Gives back what no container has any more and no container's file leads to.
    public func recover(_ logger: Logger) {
        do throws(PluginError) {
            for (number, _) in try transfers.abandoned() {
                do throws(PluginError) { _ = try transfers.giveBack(number) } catch { logger.error("\(error)") }
            }
        } catch {
            logger.error("\(error)")
        }
    }

    /// Forgets what was to be undone for a mount, whatever became of the tree.
    func forget(_ mount: KeptMount) throws(PluginError) { try transfers.forget(heldBy: Self.key(of: mount.folder)) }

    /// - Returns: nil for one that is mapped.
    static func transfer(of mount: KeptMount) throws(PluginError) -> KeptTransfer? {
        guard let record = mount.record["transfer"] else { return nil }
        do throws(JSONShapeError) {
            return try KeptTransfer(JSONObjectReader(record))
        } catch {
            throw PluginError("what is kept of \(mount.destination) is damaged: \(error)")
        }
    }

    /// Of the mount among all of the instance: the last name of its place.
    private static func key(of folder: String) -> String { FilePath(folder).lastComponent?.string ?? folder }

    public static func findings(on instance: PluginInstance) -> [PluginFinding] {
        let path = instance.places.docker.string
        do throws(PluginError) {
            let one = [IDRange(inside: 0, outside: 0, count: 1)]
            _ = try OwnedSource(path).mapped(IDRanges(users: one, groups: one))
            return [PluginFinding(.ok, "ownership: mounts of what is in \(path) can be id-mapped")]
        } catch {
            return [PluginFinding(.failed, "ownership: \(error)")]
        }
    }
}

// MARK: Plans

extension OwnershipKind {
    private func mapPlan(
        _ chosen: ChosenMount, _ options: OwnershipOptions, _ source: OwnedSource
    ) throws(PluginError) -> MountPlan? {
        let mount = chosen.mount
        if !["", "rprivate", "private"].contains(mount.propagation.rawValue) {
            let word = mount.propagation.rawValue
            throw PluginError(
                "\(mount.destination): an id-mapped mount cannot have the propagation \(word); leave it out, or take mode=transfer")
        }
        let location = try source.location()
        if let other = try transfers.transfer(around: location) {
            throw PluginError("\(mount.destination): \(other.denial(of: mount.effectiveSource))")
        }
        let maps = try options.maps(owner: source.owner, mount.container)
        if options.keepsOthers && maps.users.isIdentity && maps.groups.isIdentity { return nil }
        let ranges = IDRanges(
            users: options.keepsOthers ? maps.users.total : maps.users.wanted,
            groups: options.keepsOthers ? maps.groups.total : maps.groups.wanted)
        try Self.checkMappable(mount, source, ranges)
        var record = MappedMounts.record(of: location)
        record["folder"] = .bool(source.isFolder)
        (record["users"], record["groups"]) = (ranges.users.json, ranges.groups.json)
        return MountPlan(
            changes: MountPointChanges(effectiveSource: chosen.folder),
            record: .object(record),
            emergency: PlacedMount.emergency(chosen.folder, copyOf: source.place))
    }

    /// Tries it before anything is written, so that a file system that cannot do it leaves nothing to undo.
    private static func checkMappable(_ mount: MountPoint, _ source: OwnedSource, _ ranges: IDRanges) throws(PluginError) {
        do throws(PluginError) { _ = try source.mapped(ranges) } catch {
            guard let mover = mount.mover, (try? OwnedSource(mount.source).mapped(ranges)) != nil else { throw error }
            throw PluginError(
                "\(mount.destination): \(mover) has been asked before ownership and has moved \(mount.source) to where it cannot be id-mapped; let ownership come before \(mover) in the chain"
            )
        }
    }

    /// - Parameter isGiven: false if nothing is to be done at the start.
    private func transferPlan(
        _ chosen: ChosenMount, _ options: OwnershipOptions, _ source: OwnedSource, isGiven: Bool
    ) throws(PluginError) -> MountPlan? {
        let mount = chosen.mount
        let location = try source.location()
        let owner = try transfers.originalOwner(of: source, location)
        let maps = try options.maps(owner: owner, mount.container)
        let ranges = IDRanges(users: maps.users.wanted, groups: maps.groups.wanted).changing
        if ranges.isEmpty { return nil }
        let boot: String
        do throws(SystemError) { boot = try Boot.current().text } catch { throw PluginError("cannot tell which boot this is: \(error)") }
        let holder = KeptTransfer.Holder(key: Self.key(of: chosen.folder), id: chosen.containerID, name: mount.container.name)
        let transfer = KeptTransfer(
            source: mount.effectiveSource, place: source.place, location: location, inode: source.inode, isFolder: source.isFolder,
            owner: owner, ranges: ranges, isGiven: isGiven, since: .ofLastTick(), boot: boot, excluded: [], holders: [holder])
        do throws(PluginError) { try transfers.check(transfer) } catch { throw PluginError("\(mount.destination): \(error)") }
        let verb = "mountpoint-plugin ownership give-back \(chosen.containerID.prefix(12))"
        let command = instance.name.hasSameBytes(as: instance.kind) ? verb : "\(verb) --instance \(instance.name)"
        let text =
            isGiven
            ? "\(mount.effectiveSource) still belongs to \(ranges.given(owner))"
            : "what was made in \(mount.effectiveSource) was not given to \(owner)"
        return MountPlan(record: ["transfer": transfer.json], emergency: [.error("\(text); run \(command)")])
    }
}
