// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem
import SystemPackage

/// Makes the mount in which the source is seen with the changes over it.
enum OverlayMount {
    private static let limit = Duration.seconds(20)

    /// - Parameters:
    ///   - set: whose folders are there.
    ///   - target: a folder.
    ///   - attributes: of the source's own mount.
    ///   - isLasting: whether the changes are to be there after a loss of power.
    /// - Throws: `SystemError` with what the kernel says about it.
    static func make(_ set: ChangeSet, at target: String, _ attributes: MountAttributes, isLasting: Bool) throws(SystemError) {
        let sequence = SystemCallSequence()
        let folder = sequence.add(.openDirectory(set.folder.string, operand: set.folder.string))
        // Names relative to it: a comma or a colon in a path would end an option.
        sequence.add(.changeDirectory(folder, operand: set.folder.string))
        let context = sequence.add(.fsopen("overlay"))
        // Defaults that each host may have set differently. Without the first a folder cannot be renamed, without the second a file with two
        // names becomes two with the first write, and with the third a layer has no data of what only changed its owner.
        var options: [(String, String?)] = [
            ("source", "copy-on-write"), ("lowerdir", "lower"), ("upperdir", "layer/upper"), ("workdir", "layer/work"),
            ("redirect_dir", "on"), ("index", "on"), ("metacopy", "off"),
        ]
        if !isLasting { options.append(("volatile", nil)) }
        for (key, value) in options { sequence.add(.fsconfig(context, key, value)) }
        sequence.add(.fsconfigCreate(context, on: "copy-on-write"))
        let mount = sequence.add(.fsmount(context, attributes, on: "copy-on-write"))
        sequence.add(.moveMount(mount, to: target))
        let said = sequence.buffer(512)
        let log = sequence.add(.read(context, into: said, operand: "the kernel's words"))
        try run(sequence) { error in
            guard case .success(let count) = sequence.result(of: log) else { return error }
            var error = error
            error.hint = String(decoding: sequence.bytes(of: said, count: count), as: UTF8.self).split(separator: "\n").first.map(
                String.init)
            return error
        }
    }

    private static func run(_ sequence: SystemCallSequence, _ explained: (SystemError) -> SystemError) throws(SystemError) {
        guard case .finished = try sequence.run(until: Deadline(after: limit)) else {
            throw SystemError("mount", .timedOut, on: "copy-on-write")
        }
        if let failure = sequence.failure { throw explained(failure.error) }
    }
}

/// What an overlay of a source would not show as it is, and is put over it: mounts, for overlayfs looks at one file system, and sockets,
/// for a connection goes by the file's inode, which is another in an overlay.
struct InnerMount: Sendable, Equatable {
    /// Below the source.
    var path: String
    var isSocket: Bool

    /// Puts it where it belongs. What earlier changes have removed, or moved away, has no place any more and is not shown.
    ///
    /// A container that had these changes before may have put a link on the way, and nothing is mounted outside.
    func show(from source: PinnedFile, in shown: PinnedFile) throws(SystemError) {
        let target: PinnedFile
        do throws(SystemError) { target = try PinnedFile(at: path, beneath: shown) } catch {
            if error.isMissing || error.errno == .improperLink { return }
            throw error
        }
        let original = try PinnedFile(at: path, beneath: source)
        guard target.isFolder == original.isFolder, try isSocket == (target.status().kind == .socket) else { return }
        // One that has been unmounted meanwhile is a folder of the source like others, which the layer has.
        if !isSocket, try !original.status().isMountRoot { return }
        let clone = try original.clone(recursively: false)
        if isSocket { try clone.leavePeers() } else { try clone.set(.readOnly, becomesPrivate: true) }
        try clone.attach(over: target)
    }

    /// - Parameters:
    ///   - place: of the source, without links.
    ///   - table: of this process.
    static func all(below place: String, _ table: MountTable) -> [InnerMount] {
        let prefix = place == "/" ? "" : place
        let mounts = table.mounts(below: prefix).map(\.mountPoint).filter { $0.utf8.count > prefix.utf8.count + 1 }
            .map { InnerMount(path: String(decoding: $0.utf8.dropFirst(prefix.utf8.count + 1), as: UTF8.self), isSocket: false) }
        return mounts + SocketSearch(below: place, table).paths.map { InnerMount(path: $0, isSocket: true) }
    }
}

extension InnerMount {
    init?(_ record: JSONValue) {
        guard let path = record["path"]?.stringValue, let isSocket = record["isSocket"]?.boolValue else { return nil }
        self.init(path: path, isSocket: isSocket)
    }

    var json: JSONValue { ["path": .string(path), "isSocket": .bool(isSocket)] }
}

/// Finds UNIX sockets in a tree, with a limit: a tree may have millions of files. Past it, those that processes of this host have bound by
/// their paths are found all the same.
private struct SocketSearch {
    private(set) var paths: [String] = []
    /// Entries that are looked at.
    private static let limit = 1000

    init(below place: String, _ table: MountTable) {
        let prefix = place == "/" ? "/" : place + "/"
        var found: Set<[UInt8]> = []
        if let top = try? OpenFolder(at: FilePath(place)) { found = Self.look(top) }
        if let bound = try? readWholeFile("/proc/net/unix", limit: 16 << 20) {
            for line in bound.split(separator: UInt8(ascii: "\n")) {
                // The eighth field, which may have blanks in it.
                let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 7)
                guard fields.count == 8, fields[7].starts(with: prefix.utf8) else { continue }
                found.insert(Array(fields[7].dropFirst(prefix.utf8.count)))
            }
        }
        // One that is in another mount comes with that mount.
        let inner = table.mounts(below: place == "/" ? "" : place).map(\.mountPoint).filter { $0.utf8.count > prefix.utf8.count }
        paths = found.sorted { $0.lexicographicallyPrecedes($1) }.compactMap { bytes in
            guard let path = String(validating: bytes, as: UTF8.self), let entry = EntryPath(path),
                !inner.contains(where: { (prefix + path).hasBytePrefix($0 + "/") }),
                let top = try? OpenFolder(at: FilePath(place)), (try? top.statusIfThere(at: entry))?.kind == .socket
            else { return nil }
            return path
        }
    }

    private static func look(_ top: OpenFolder) -> Set<[UInt8]> {
        var found: Set<[UInt8]> = []
        var left = limit
        var folders = [(folder: top, path: EntryPath())]
        var next = 0
        while next < folders.count, left > 0 {
            let (folder, path) = folders[next]
            next += 1
            guard let (entries, count) = try? folder.names(of: [.socket, .folder], atMost: left) else { continue }
            left -= count
            for entry in entries {
                if entry.kind == .socket { found.insert(path.appending(entry.name).bytes) }
                if entry.kind == .folder, folders.count - next < 64, let inner = try? OpenFolder(entry.name, in: folder) {
                    folders.append((inner, path.appending(entry.name)))
                }
            }
            folders[next - 1].folder = top
        }
        return found
    }
}
