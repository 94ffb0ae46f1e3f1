// SPDX-License-Identifier: AGPL-3.0-or-later

/// Under which paths of a mount namespace the same file or folder shows, told from the text of its mountinfo alone.
///
/// A file is known by its file system and its place in that; every mount of the file system whose root is the place, or above it,
/// shows it. A path counts only if it leads there: one that another mount covers shows something else. proc_pid_mountinfo(5).
public struct MountOrigins: Sendable {
    struct Mount: Sendable {
        let id: Int
        let parent: Int
        let device: ArraySlice<UInt8>
        /// Without a slash at the end, so that all of a file system is the empty path.
        let root: ArraySlice<UInt8>
        let mountPoint: ArraySlice<UInt8>
        /// The optional fields and what follows them.
        let rest: ArraySlice<UInt8>
        /// The types of file systems whose source has the path on the server.
        let typesWithPathInSource: [String]
    }

    fileprivate enum FileSystem: Hashable {
        /// `major:minor`
        case device(ArraySlice<UInt8>)
        /// Where the path is in the source: one export has a device for each set of options.
        case server(ArraySlice<UInt8>)
    }

    /// A folder or file of a file system.
    private struct Place: Hashable {
        let fileSystem: FileSystem
        var path: ArraySlice<UInt8>
    }

    /// A path at which something is mounted, on the mount with that id.
    private struct MountPoint: Hashable {
        let parent: Int
        let path: ArraySlice<UInt8>

        func hash(into hasher: inout Hasher) {
            hasher.combine(parent)
            path.withUnsafeBytes { hasher.combine(bytes: $0) }
        }
    }

    private static let slash = [UInt8(ascii: "/")]

    /// More paths than this are no answer.
    public static let limit = 1000

    let mounts: [Mount]
    private let indexOfID: [Int: Int]
    private let mounted: [MountPoint: Int]
    /// What is mounted on top at `/`; nil if this process has a root that nothing is mounted at.
    private let top: Int?

    /// Takes apart mountinfo's text, once for any number of questions; lines that do not have its form are passed over.
    ///
    /// - Parameter typesWithPathInSource: file systems that say `/` of every root, and whose source is `SERVER:/PATH` instead, with the
    ///   server's address in the option `addr`.
    public init(parsing mountinfo: [UInt8], typesWithPathInSource: [String] = []) {
        var mounts: [Mount] = []
        var indexOfID: [Int: Int] = [:]
        var mounted: [MountPoint: Int] = [:]
        for line in mountinfo.split(separator: UInt8(ascii: "\n")) {
            guard let mount = Mount(line, typesWithPathInSource) else { continue }
            indexOfID[mount.id] = mounts.count
            // Of two on the same mount, the later one is on top.
            mounted[MountPoint(parent: mount.parent, path: mount.mountPoint)] = mounts.count
            mounts.append(mount)
        }
        let root = mounts.firstIndex { $0.mountPoint.isEmpty && ($0.parent == $0.id || indexOfID[$0.parent] == nil) }
        self.mounts = mounts
        self.indexOfID = indexOfID
        self.mounted = mounted
        top = root.map { Self.topmost(at: [], above: $0, mounts, mounted) }
    }

    /// - Parameters:
    ///   - path: absolute, without links, `.` and `..`; it need not exist.
    ///   - mount: the id of the mount that the path leads to, where it is known better than by the path.
    ///   - resolve: gets a layer of an overlay, as the options have it and so perhaps relative, and whether the overlay is the root of all;
    ///     gives the path that it leads to, or nil if that is not known. It may ask ``mayBlock(_:)`` first.
    /// - Returns: the path itself and then the others, sorted by their bytes; nil if there are more than ``limit``.
    public func paths(
        showing path: [UInt8], on mount: Int? = nil, resolvingLayer resolve: (_ layer: [UInt8], _ isOfRoot: Bool) -> [UInt8]?
    ) -> [[UInt8]]? {
        var found: Set<[UInt8]> = [path]
        var seen: Set<Place> = []
        var pending = [mount.map { place(of: Self.withoutSlash(path[...]), on: $0) } ?? place(of: path[...])]
        while let next = pending.popLast() {
            guard let place = next, seen.insert(place).inserted else { continue }
            var layers: [ArraySlice<UInt8>]?
            for index in mounts.indices {
                guard let root = mounts[index].root(in: place.fileSystem) else { continue }
                layers = layers ?? mounts[index].layers
                guard let below = Self.rest(of: place.path, below: root) else { continue }
                let name = mounts[index].mountPoint + below
                if shown(at: name).last == index { found.insert(name.isEmpty ? Self.slash : Array(name)) }
                if mounts[index].showsProcesses(at: place.path) { found.insert(Self.slash) }
            }
            let isOfRoot = top.map { mounts[$0].fileSystem == place.fileSystem } ?? false
            for layer in layers ?? [] {
                guard let folder = resolve(Array(layer), isOfRoot), folder.first == UInt8(ascii: "/") else { continue }
                guard var inside = self.place(of: folder[...], besides: place.fileSystem) else {
                    if !isOfRoot { found.insert(Self.slash) }
                    continue
                }
                inside.path += place.path
                pending.append(inside)
            }
            if max(found.count, seen.count + pending.count) > Self.limit { return nil }
        }
        found.remove(path)
        return [path] + found.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// Whether a path can be on the mount with that id; nil if no mount has it. False if path and table are of different moments, between
    /// which something has been moved.
    public func agrees(with path: [UInt8], on mount: Int) -> Bool? {
        indexOfID[mount].map { Self.rest(of: Self.withoutSlash(path[...]), below: mounts[$0].mountPoint) != nil }
    }

    /// Whether a look-up of the path could wait for a server, a daemon or a person, as on a network file system, FUSE or autofs.
    public func mayBlock(_ path: [UInt8]) -> Bool { mayBlock(path[...], besides: []) }

    /// - Parameter overlays: those whose layers are looked at. One of them may cover its own layers by now.
    private func mayBlock(_ path: ArraySlice<UInt8>, besides overlays: Set<FileSystem>) -> Bool {
        shown(at: Self.withoutSlash(path)).contains { index in
            let mount = mounts[index]
            let fileSystem = mount.fileSystem
            if overlays.contains(fileSystem) { return false }
            if !Self.localFileSystems.contains(where: { mount.type.elementsEqual($0.utf8) }) { return true }
            let layers = mount.layers
            if layers.isEmpty { return false }
            let besides = overlays.union([fileSystem])
            return layers.contains { mayBlock($0, besides: besides) }
        }
    }

    private static let localFileSystems = [
        "bcachefs", "btrfs", "devtmpfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "iso9660", "jfs", "ntfs3", "overlay", "ramfs",
        "rootfs", "squashfs", "tmpfs", "udf", "vfat", "xfs", "zfs",
    ]

    /// The mounts that a look-up of a path passes through; the last is the one that shows it.
    private func shown(at path: ArraySlice<UInt8>) -> [Int] {
        guard let top else { return [] }
        var passed = [top]
        var current = top
        var end = path.startIndex
        while end < path.endIndex {
            end = path[(end + 1)...].firstIndex(of: UInt8(ascii: "/")) ?? path.endIndex
            let next = Self.topmost(at: path[..<end], above: current, mounts, mounted)
            if next != current { passed.append(next) }
            current = next
        }
        return passed
    }

    private static func topmost(at path: ArraySlice<UInt8>, above mount: Int, _ mounts: [Mount], _ mounted: [MountPoint: Int]) -> Int {
        var current = mount
        // A text that is not the kernel's could go round in circles.
        for _ in mounts.indices {
            guard let next = mounted[MountPoint(parent: mounts[current].id, path: path)], next != current else { break }
            current = next
        }
        return current
    }

    /// - Parameter overlay: what one of its layers may be covered by, since a layer is looked up before the overlay is mounted.
    private func place(of path: ArraySlice<UInt8>, besides overlay: FileSystem? = nil) -> Place? {
        let path = Self.withoutSlash(path)
        return shown(at: path).last { mounts[$0].fileSystem != overlay }.flatMap { place(of: path, on: mounts[$0]) }
    }

    private func place(of path: ArraySlice<UInt8>, on id: Int) -> Place? { indexOfID[id].flatMap { place(of: path, on: mounts[$0]) } }

    private func place(of path: ArraySlice<UInt8>, on mount: Mount) -> Place? {
        let fileSystem = mount.fileSystem
        guard let root = mount.root(in: fileSystem), let below = Self.rest(of: path, below: mount.mountPoint) else { return nil }
        return Place(fileSystem: fileSystem, path: root + below)
    }

    /// What follows a folder in a path: empty, or beginning with a slash; nil if the path is not in the folder.
    private static func rest(of path: ArraySlice<UInt8>, below folder: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard path.starts(with: folder) else { return nil }
        let rest = path.dropFirst(folder.count)
        return rest.isEmpty || rest.first == UInt8(ascii: "/") ? rest : nil
    }

    fileprivate static func withoutSlash(_ path: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        path.last == UInt8(ascii: "/") ? path.dropLast() : path
    }
}

extension MountOrigins.Mount {
    /// Without arrays and texts on the way: a table can have thousands of lines, and nearly all of them are passed over later.
    fileprivate init?(_ line: ArraySlice<UInt8>, _ typesWithPathInSource: [String]) {
        var rest = line
        func field() -> ArraySlice<UInt8>? {
            guard let space = rest.firstIndex(of: UInt8(ascii: " ")) else { return nil }
            defer { rest = rest[(space + 1)...] }
            return rest[..<space]
        }
        guard let id = field().flatMap(Self.number), let parent = field().flatMap(Self.number), let device = field(), let root = field(),
            let mountPoint = field(), mountPoint.first == UInt8(ascii: "/")
        else { return nil }
        self.id = id
        self.parent = parent
        self.device = device
        self.root = MountOrigins.withoutSlash(MountTable.unescapedBytes(root))
        self.mountPoint = MountOrigins.withoutSlash(MountTable.unescapedBytes(mountPoint))
        self.rest = rest
        self.typesWithPathInSource = typesWithPathInSource
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        var number = 0
        for digit in digits {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9"), number < 1 << 40 else { return nil }
            number = number * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return digits.isEmpty ? nil : number
    }

    /// Type, source and the superblock's options, as the kernel writes them.
    private func superblock(_ field: Int) -> ArraySlice<UInt8> {
        let fields = rest.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard let separator = fields.firstIndex(where: { $0.elementsEqual("-".utf8) }), separator + 1 + field < fields.count else {
            return []
        }
        return fields[separator + 1 + field]
    }

    fileprivate var type: ArraySlice<UInt8> { superblock(0) }
    private var hasPathInSource: Bool {
        let type = type
        return typesWithPathInSource.contains { type.elementsEqual($0.utf8) }
    }

    /// The values of one of the superblock's options.
    private func values(of option: String) -> [ArraySlice<UInt8>] {
        superblock(2).split(separator: UInt8(ascii: ",")).filter { $0.starts(with: "\(option)=".utf8) }
            .map { MountTable.unescapedBytes($0.dropFirst(option.utf8.count + 1)) }
    }

    fileprivate var fileSystem: MountOrigins.FileSystem {
        hasPathInSource ? values(of: "addr").first.map { .server($0) } ?? .device(device) : .device(device)
    }

    /// Which part of a file system it shows; nil if it is one of another file system, or a part that has no path any more.
    fileprivate func root(in fileSystem: MountOrigins.FileSystem) -> ArraySlice<UInt8>? {
        // Most mounts of a long table are told apart by their devices.
        if case .device(let device) = fileSystem, device != self.device { return nil }
        guard fileSystem == self.fileSystem else { return nil }
        let root = hasPathInSource ? exportedPath : self.root
        return root.hasSuffix("//deleted") || root.elementsEqual("/..".utf8) || root.starts(with: "/../".utf8) ? nil : root
    }

    /// Whether the links of processes are in it, such as `/proc/1/root`: then everything is. proc(5).
    fileprivate func showsProcesses(at path: ArraySlice<UInt8>) -> Bool {
        guard type.elementsEqual("proc".utf8) else { return false }
        let name = path.dropFirst().prefix { $0 != UInt8(ascii: "/") }
        return name.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } || name.elementsEqual("self".utf8)
            || name.elementsEqual("thread-self".utf8)
    }

    /// The path on the server, as the source has it; also of a bind of a folder in it.
    fileprivate var exportedPath: ArraySlice<UInt8> {
        let source = MountTable.unescapedBytes(superblock(1))
        guard let colon = source.indices.first(where: { source[$0...].starts(with: ":/".utf8) }) else { return source }
        return MountOrigins.withoutSlash(source[(colon + 1)...])
    }

    /// The folders that an overlay shows as one, as its options have them; of ecryptfs the one below it.
    /// Documentation/filesystems/overlayfs.rst.
    fileprivate var layers: [ArraySlice<UInt8>] {
        var layers: [ArraySlice<UInt8>] = []
        if type.elementsEqual("overlay".utf8) {
            for lower in values(of: "lowerdir") { layers += Self.splitLayers(lower) }
            layers += values(of: "lowerdir+") + values(of: "datadir+")
            // Some kernels show it as it was given, others without its escapes.
            for upper in values(of: "upperdir") { layers += [upper] + (upper.contains(UInt8(ascii: "\\")) ? [Self.unquoted(upper)] : []) }
        } else if type.elementsEqual("ecryptfs".utf8) {
            layers = [MountTable.unescapedBytes(superblock(1))]
        }
        return layers
    }

    /// Colons separate layers unless there is a backslash before them.
    private static func splitLayers(_ text: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        var layers: [ArraySlice<UInt8>] = [[]]
        var isQuoted = false
        for byte in text {
            if byte == UInt8(ascii: ":") && !isQuoted {
                layers.append([])
            } else if byte == UInt8(ascii: "\\") && !isQuoted {
                isQuoted = true
                continue
            } else {
                layers[layers.count - 1].append(byte)
            }
            isQuoted = false
        }
        return layers
    }

    private static func unquoted(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var isQuoted = false
        return text.filter { byte in
            isQuoted = byte == UInt8(ascii: "\\") && !isQuoted
            return !isQuoted
        }[...]
    }
}

extension ArraySlice<UInt8> {
    fileprivate func hasSuffix(_ text: String) -> Bool { suffix(text.utf8.count).elementsEqual(text.utf8) }
}
