// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
public import JSON
import LinuxSystem
import SystemPackage

/// `noswap`: a tmpfs of a container's own that never reaches swap, wiped at the end.
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
    private let containers: FilePath

    public init(settings: JSONObjectReader, instance: PluginInstance) throws(JSONShapeError) {
        defaultSize = try settings.textIfPresent("default-size") ?? "64m"
        guard NoSwapOptions.isSize(defaultSize) else { throw settings.error("must be a size, such as 64m or 10%", at: "default-size") }
        let fallback = try settings.textIfPresent("fallback") ?? "deny"
        guard ["deny", "ramfs"].contains(fallback) else { throw settings.error("must be deny or ramfs", at: "fallback") }
        fallsBack = fallback == "ramfs"
        containers = instance.places.docker.appending("containers")
    }

    public func check(_ options: String) throws(PluginError) { _ = try NoSwapOptions(options) }

    public func plan(_ chosen: ChosenMount) throws(PluginError) -> MountPlan? {
        // All of a container's mounts are not to lose their contents.
        if !chosen.isNamed && chosen.mount.type != .tmpfs { return nil }
        let options = try NoSwapOptions(chosen.options, mount: chosen.mount)
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
        let list = options.attributes.map { JSONValue.string($0) }
        return MountPlan(
            changes: MountPointChanges(effectiveSource: chosen.folder),
            record: [
                "type": .string(type), "size": .string(options.size ?? defaultSize), "mode": .string(options.mode),
                "uid": .string(options.uid),
                "gid": .string(options.gid), "inodes": .string(options.inodes ?? ""), "attributes": .array(list),
            ],
            emergency: [
                .warning("noswap was away; \(chosen.mount.destination) is unmounted without being wiped"), .unmount(chosen.folder),
                .remove(chosen.folder),
            ])
    }

    /// Bytes; 0 for none, and if it is not known.
    private func memoryLimit(of id: String) -> Int {
        let file = containers.appending(id).appending("hostconfig.json")
        guard let bytes = try? readRegularFile(file, limit: 16 << 20), let object = try? JSONObjectReader(parsing: bytes) else { return 0 }
        return (try? object.numberIfPresent("Memory")) ?? 0
    }

    public func carryOut(_ mount: KeptMount) throws(PluginError) {
        func text(_ key: String) -> String { mount.record[key]?.stringValue ?? "" }
        let words = (mount.record["attributes"]?.arrayValue ?? []).compactMap(\.stringValue)
        var options = [("mode", text("mode"))]
        if text("type").hasSameBytes(as: "tmpfs") {
            options = [("size", text("size")), ("mode", text("mode")), ("uid", text("uid")), ("gid", text("gid"))]
            if !text("inodes").isEmpty { options.append(("nr_inodes", text("inodes"))) }
        }
        do throws(SystemError) {
            try makeFolder(FilePath(mount.folder), mode: 0o700)
            try MemoryMount.make(
                text("type"), at: mount.folder, options: options, isNoSwap: text("type").hasSameBytes(as: "tmpfs"), attributes: words)
        } catch {
            throw PluginError("\(mount.destination): cannot make memory that stays out of swap: \(error)")
        }
    }

    public func undo(_ mount: KeptMount, _ end: ContainerEnd) throws(DetachError) {
        let folder = FilePath(mount.folder)
        do throws(SystemError) {
            var failure: SystemError?
            if let entry = try MountTable.topmost(at: mount.folder), ["tmpfs", "ramfs"].contains(entry.fileSystem) {
                do throws(SystemError) { try wipeTree(at: folder) } catch { failure = error }
                try MemoryMount.remove(mount.folder)
            }
            try removeEmptyFolder(folder)
            if let failure { throw failure }
        } catch {
            throw DetachError("\(mount.destination) was not wiped, or is still there: \(error)", isRecoverable: true)
        }
    }

    public static func findings(on instance: PluginInstance) -> [PluginFinding] {
        if MemoryMount.knowsNoSwap { return [PluginFinding(.ok, "noswap: this kernel keeps a tmpfs out of swap")] }
        return [PluginFinding(.failed, "noswap: this kernel cannot keep a tmpfs out of swap (Linux 6.4, as root of the host)")]
    }
}
