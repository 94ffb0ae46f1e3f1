// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
public import JSON
import LinuxSystem
import SystemPackage

/// `ownership`: the owner of a mount's source appears as the container's user, by an id-mapped mount. Nothing on the disk changes.
public struct OwnershipKind: PluginKind {
    public static var information: KindInformation {
        var information = KindInformation(
            name: "ownership", summary: "have the owner of files appear as the container's user, and keep what is made theirs")
        information.optionsHelp = OwnershipOptions.help
        return information
    }

    public init(settings: JSONObjectReader, instance: PluginInstance) throws(JSONShapeError) {}

    public func check(_ options: String) throws(PluginError) { _ = try OwnershipOptions(options) }

    public func plan(_ chosen: ChosenMount) throws(PluginError) -> MountPlan? {
        let mount = chosen.mount
        if mount.type == .tmpfs { return nil }
        if !["", "rprivate", "private"].contains(mount.propagation.rawValue) {
            let word = mount.propagation.rawValue
            throw PluginError("\(mount.destination): an id-mapped mount cannot have the propagation \(word); leave it out")
        }
        let options = try OwnershipOptions(chosen.options)
        let source = try OwnedSource(mount.effectiveSource)
        let maps = try options.maps(owner: source.owner, mount.container)
        if options.keepsOthers && maps.users.isIdentity && maps.groups.isIdentity { return nil }
        let ranges = IDRanges(
            users: options.keepsOthers ? maps.users.total : maps.users.wanted,
            groups: options.keepsOthers ? maps.groups.total : maps.groups.wanted)
        // Tried before anything is written, so that a file system that cannot do it leaves nothing to undo.
        _ = try source.mapped(ranges)
        return MountPlan(
            changes: MountPointChanges(effectiveSource: chosen.folder),
            record: ["folder": .bool(source.isFolder), "users": ranges.users.json, "groups": ranges.groups.json],
            emergency: PlacedMount.emergency(chosen.folder, copyOf: source.place))
    }

    public func carryOut(_ mount: KeptMount) throws(PluginError) {
        let source = try OwnedSource(mount.source)
        let mapped = try source.mapped(IDRanges(users: [IDRange](mount.record["users"]), groups: [IDRange](mount.record["groups"])))
        do throws(SystemError) { try PlacedMount.make(mapped, at: mount.folder, isFolder: source.isFolder) } catch {
            throw PluginError("the owners of \(mount.source) cannot be mapped: \(error)")
        }
    }

    public func undo(_ mount: KeptMount, _ end: ContainerEnd) throws(DetachError) {
        do throws(SystemError) { try PlacedMount.remove(mount.folder) } catch {
            throw DetachError(
                "the id-mapped mount of \(mount.source) cannot be taken away: \(error); see who uses it with fuser -m \(mount.folder)",
                isRecoverable: true)
        }
    }

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

/// What an id-mapped mount maps.
struct IDRanges: Sendable, Equatable {
    var users: [IDRange]
    var groups: [IDRange]
}

extension [IDRange] {
    fileprivate var json: JSONValue {
        .array(map { .array([JSONValue($0.inside), JSONValue($0.outside), JSONValue($0.count)]) })
    }

    fileprivate init(_ json: JSONValue?) {
        self = (json?.arrayValue ?? []).compactMap { range in
            let numbers = (range.arrayValue ?? []).compactMap { $0.intValue.flatMap(UInt32.init(exactly:)) }
            return numbers.count == 3 ? IDRange(inside: numbers[0], outside: numbers[1], count: numbers[2]) : nil
        }
    }
}
