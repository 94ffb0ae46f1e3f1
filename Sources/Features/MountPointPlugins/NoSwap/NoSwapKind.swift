// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
public import JSON
import LinuxSystem
import SystemPackage

/// `noswap`: a tmpfs that never reaches swap, of a container's own or of all that use a volume, wiped at the end.
public struct NoSwapKind: PluginKind {
    public static var information: KindInformation {
        var information = KindInformation(name: "noswap", summary: "memory that never reaches swap, and is wiped at the end")
        information.optionsHelp = NoSwapOptions.help
        information.types = [.tmpfs]
        information.detachTimeout = 120
        return information
    }

    /// Of a mount that does not say one: what cannot be swapped out is taken from all others.
    let defaultSize: String
    /// Whether a kernel without noswap may have ramfs instead, for containers with a memory limit.
    let fallsBack: Bool
    private let places: PluginPlaces
    private let shared: SharedMemory

    public init(settings: JSONObjectReader, instance: PluginInstance) throws(JSONShapeError) {
        defaultSize = try settings.textIfPresent("default-size") ?? "64m"
        guard NoSwapOptions.isSize(defaultSize) else { throw settings.error("must be a size, such as 64m or 10%", at: "default-size") }
        let fallback = try settings.textIfPresent("fallback") ?? "deny"
        guard ["deny", "ramfs"].contains(fallback) else { throw settings.error("must be deny or ramfs", at: "fallback") }
        fallsBack = fallback == "ramfs"
        places = instance.places
        shared = SharedMemory(of: instance)
    }

    public func check(_ options: String) throws(PluginError) { _ = try NoSwapOptions(options) }

    public func plan(_ chosen: ChosenMount) throws(PluginError) -> MountPlan? {
        // All of a container's mounts are not to lose their contents.
        if !chosen.isNamed && chosen.mount.type != .tmpfs { return nil }
        let options = try NoSwapOptions(chosen.options, mount: chosen.mount)
        let isVolume = !chosen.mount.volume.name.isEmpty
        if options.scope == .volume && !isVolume {
            throw PluginError("\(chosen.mount.destination): scope=volume is for volumes, and this is none")
        }
        var type = "tmpfs"
        if !MemoryMount.knowsNoSwap {
            guard fallsBack else {
                throw PluginError(
                    "\(chosen.mount.destination): this kernel has no tmpfs that stays out of swap (Linux 6.4); set \"fallback\": \"ramfs\" or mount it without noswap"
                )
            }
            guard memoryLimit(of: chosen.containerID) > 0 else {
                throw PluginError(
                    "\(chosen.mount.destination): ramfs has no size of its own, so the container needs a memory limit (--memory)")
            }
            type = "ramfs"
        }
        var record: JSONObject = [
            "type": .string(type), "size": .string(options.size ?? defaultSize), "mode": .string(options.mode ?? "1777"),
            "uid": .string(try Self.owner(options.uid, chosen.mount.container.uidMappings)),
            "gid": .string(try Self.owner(options.gid, chosen.mount.container.gidMappings)), "inodes": .string(options.inodes ?? ""),
            "attributes": .array(options.attributes.map { .string($0) }),
        ]
        // A volume is what containers share; whoever asks for it twice expects to find what was written through the other.
        if isVolume && options.scope != .container { record["volume"] = SharedMemory.mark(chosen.mount) }
        return MountPlan(
            changes: MountPointChanges(effectiveSource: chosen.folder), record: .object(record),
            emergency: [
                .warning("noswap was away; \(chosen.mount.destination) is unmounted, and not wiped if nobody else has it"),
                .unmount(chosen.folder), .remove(chosen.folder),
            ])
    }

    /// As the mount has it on the host; root's without one.
    private static func owner(_ id: String?, _ mappings: [ContainerDescription.IDMapping]) throws(PluginError) -> String {
        String(try mappings.hostID(of: id.flatMap { UInt32($0) } ?? 0))
    }

    /// Bytes; 0 for none, and if it is not known.
    private func memoryLimit(of id: String) -> Int {
        for folder in places.dockerFolders {
            let file = folder.appending("containers").appending(id).appending("hostconfig.json")
            guard let bytes = try? readRegularFile(file, limit: 16 << 20), let object = try? JSONObjectReader(parsing: bytes) else {
                continue
            }
            return (try? object.numberIfPresent("Memory")) ?? 0
        }
        return 0
    }

    public func carryOut(_ mount: KeptMount) throws(PluginError) {
        try shared.exclusively(for: mount) { () throws(PluginError) in
            let place = try shared.peer(of: mount)
            do throws(SystemError) {
                try makeFolder(FilePath(mount.folder), mode: 0o700)
                if let place {
                    try MemoryMount.share(place, at: mount.folder, attributes: Self.attributes(of: mount))
                } else {
                    try make(mount)
                }
            } catch {
                throw PluginError("\(mount.destination): cannot make memory that stays out of swap: \(error)")
            }
        }
    }

    private static func attributes(of mount: KeptMount) -> [String] {
        (mount.record["attributes"]?.arrayValue ?? []).compactMap(\.stringValue)
    }

    private func make(_ mount: KeptMount) throws(SystemError) {
        func text(_ key: String) -> String { mount.record[key]?.stringValue ?? "" }
        var options = [("mode", text("mode"))]
        if text("type").hasSameBytes(as: "tmpfs") {
            options = [("size", text("size")), ("mode", text("mode")), ("uid", text("uid")), ("gid", text("gid"))]
            if !text("inodes").isEmpty { options.append(("nr_inodes", text("inodes"))) }
        }
        try MemoryMount.make(
            text("type"), at: mount.folder, options: options, isNoSwap: text("type").hasSameBytes(as: "tmpfs"),
            attributes: Self.attributes(of: mount))
    }

    public func undo(_ mount: KeptMount, _ end: ContainerEnd) throws(DetachError) -> DetachError? {
        do throws(PluginError) {
            try shared.exclusively(for: mount) { () throws(PluginError) in try takeOff(mount) }
        } catch {
            throw DetachError("\(mount.destination): \(error)", isRecoverable: true)
        }
        return nil
    }

    /// What cannot be wiped stays mounted: so each further attempt tries again, and says the same, until it is wiped or unmounted by hand.
    private func takeOff(_ mount: KeptMount) throws(PluginError) {
        let folder = FilePath(mount.folder)
        do throws(SystemError) {
            if let entry = try MountTable.topmost(at: mount.folder), SharedMemory.isMemory(entry) {
                let isLast = SharedMemory.isShared(mount) ? try !shared.hasPeers(entry) : true
                if isLast { try wipe(folder) }
                try MemoryMount.remove(mount.folder)
            }
            try removeEmptyFolder(folder)
        } catch {
            throw PluginError("its memory cannot be taken away: \(error)")
        }
    }

    private func wipe(_ folder: FilePath) throws(SystemError) {
        do throws(SystemError) { try wipeTree(at: folder) } catch {
            let hint = "\(error.hint.map { $0 + "; " } ?? "")it was not wiped and stays; to have it freed as it is, unmount \(folder)"
            throw SystemError(error.call, error.errno, on: error.operand, hint: hint)
        }
    }

    public static func findings(on instance: PluginInstance) -> [PluginFinding] {
        if MemoryMount.knowsNoSwap { return [PluginFinding(.ok, "noswap: this kernel keeps a tmpfs out of swap")] }
        return [PluginFinding(.failed, "noswap: this kernel cannot keep a tmpfs out of swap (Linux 6.4, as root of the host)")]
    }
}
