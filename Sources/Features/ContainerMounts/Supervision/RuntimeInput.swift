// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import OCIRuntime
import SystemPackage

/// What the runtime below gets to create a container from: config.json as it is to be, and as sources what is pinned.
///
/// It runs in a mount namespace of its own, a copy of the host's, in which each source has been mounted at a place that nobody else
/// reaches, and in which another config.json, which names these places, covers the bundle's. Both are gone with the runtime, in whatever
/// way it ends, and the bundle is never changed. What is mounted has the peers, the mounts below and the roots that it would have had.
///
/// Where the kernel or a missing privilege forbids that, config.json is replaced until the container has been created, the runtime looks
/// sources up by their paths, and what it has mounted is compared with what is pinned, but for the folders of overlays.
struct RuntimeInput {
    /// The bundle's config.json, absolute.
    let file: FilePath
    /// As read.
    let bytes: [UInt8]
    /// As the runtime below has to see it, but for the sources.
    let configuration: OCIConfiguration
    /// Whether it differs from what was read.
    let isChanged: Bool
    let sources: PinnedSources
    /// A folder in which sources are mounted. It is empty for everybody else.
    let place: String

    /// Whether the runtime has looked sources up itself.
    private(set) var isByPath = false

    /// - Parameter changed: the configuration as plugins have changed it, if they have.
    init(_ bundle: ContainerBundle, changed: OCIConfiguration? = nil, place: String) {
        (file, bytes, sources, self.place) = (bundle.file, bundle.bytes, bundle.sources, place)
        configuration = changed ?? bundle.configuration
        isChanged = changed != nil || bundle.isChanged
    }

    // MARK: In a namespace

    /// Moves this process into the copy of its mount namespace in which the runtime below is to run, and lets the sources go.
    ///
    /// - Returns: nil if that is refused; the process then is where it was.
    func enter() throws(RuntimeError) -> MountNamespaceCopy? {
        var refusal: SystemError?
        let overlays = try overlays()
        do throws(SystemError) {
            let mounts = try clones(overlays)
            try makeFolders(FilePath(place), mode: 0o711)
            let copy = try MountNamespaceCopy()
            do throws(SystemError) {
                let mask = umask(0)
                defer { umask(mask) }
                try fill(copy, mounts, overlays)
            } catch {
                try copy.leave()
                throw error
            }
            sources.release()
            return copy
        } catch {
            refusal = error
        }
        guard let refusal, !refusal.isRefusal else { return nil }
        throw RuntimeError("the sources of the container's mounts cannot be prepared: \(refusal)")
    }

    private func overlays() throws(RuntimeError) -> [OverlayInput] {
        var overlays: [OverlayInput] = []
        for (index, layers) in sources.layers.sorted(by: { $0.key < $1.key }) {
            overlays.append(try OverlayInput(configuration.mounts[index], at: index, layers, place: place))
        }
        return overlays
    }

    /// Mounts of the sources, from the namespace in which they are.
    private func clones(_ overlays: [OverlayInput]) throws(SystemError) -> [SourceClone] {
        var clones: [SourceClone] = []
        for (index, source) in sources.sources.sorted(by: { $0.key < $1.key }) {
            guard let file = try source.fileIfThere() else { continue }
            // With all below: what of that the container gets, runtimes read out of the options, and not all alike.
            clones.append(try SourceClone(of: file, recursively: true, target: FilePath(target(of: source, index))))
        }
        for overlay in overlays { clones += try overlay.clones() }
        if clones.isEmpty { try Self.tryCloning() }
        return clones
    }

    /// Whoever may not do this may not come back from another namespace either.
    private static func tryCloning() throws(SystemError) {
        do throws(SystemError) {
            _ = try PinnedFile(at: "/").clone(recursively: false)
        } catch  where error.errno == .invalidArgument {
            // The privilege is there. But in a user namespace no mount may be had without those below it.
        }
    }

    /// Ends as the source's path does, for the runtime's error messages.
    private func target(of source: PinnedSources.Source, _ index: Int) -> String {
        let isLong = source.text.utf8.count > 3500 || source.text.utf8.split(separator: UInt8(ascii: "/")).contains { $0.count > 250 }
        return FilePath("\(place)/\(index)\(isLong ? "/source" : source.text)").string
    }

    private func fill(_ copy: MountNamespaceCopy, _ mounts: [SourceClone], _ overlays: [OverlayInput]) throws(SystemError) {
        let place = resolvingSymbolicLinks(FilePath(place))
        let file = resolvingSymbolicLinks(file)
        try copy.separate([place, file])
        // Root of a user namespace has to find its way, too.
        try copy.mountMemory(at: place, mode: 0o711)
        // Sources are below folders that have numbers for names.
        let folderWay = place.appending("way")
        let fileWay = place.appending("way-of-files")
        try makeFolder(folderWay, mode: 0o700)
        try replaceFile(fileWay, with: [], mode: 0o400, durable: false)
        for mount in mounts {
            let target = mount.target
            try makeFolders(mount.isFolder ? target : target.removingLastComponent(), mode: 0o711)
            if !mount.isFolder { try replaceFile(target, with: [], mode: 0o444, durable: false) }
            do throws(SystemError) {
                try copy.attach(mount.mount, to: target.string, by: mount.isFolder ? folderWay.string : fileWay.string)
            } catch  where error.errno == .noSuchFileOrDirectory {
                var error = error
                error.hint = "it has been removed since the plugins were asked"
                throw error
            }
            // Before Linux 5.14, what is found there is compared all the same.
            if !mount.contents.isEmpty { _ = try copy.forbidLinks(at: target) }
            try mount.verifyContents()
        }
        let next = place.appending("config.json")
        try replaceFile(next, with: configurationInPlace(overlays).encoded(), mode: ConfigurationFile.mode(file), durable: false)
        try copy.mountFile(next, over: file)
        copy.rejoin()
    }

    /// A source that is not there is looked for in the place, too: somebody could put a link to something else where it was missing.
    private func configurationInPlace(_ overlays: [OverlayInput]) -> OCIConfiguration {
        var configuration = configuration
        for overlay in overlays { configuration.setOptions(ofMount: overlay.index, to: overlay.options) }
        for (index, source) in sources.sources { configuration.setSource(ofMount: index, to: target(of: source, index)) }
        return configuration
    }

    // MARK: Starting the runtime

    /// Starts the runtime's command.
    ///
    /// - Returns: its process.
    mutating func start(
        _ runtime: DelegateRuntime, _ arguments: OriginalArguments, in folder: ContainerFolder, noting record: inout ContainerRecord
    ) throws(RuntimeError) -> Int32 {
        guard let copy = try enter() else {
            isByPath = true
            try replaceConfiguration(folder, &record)
            return try runtime.start(arguments)
        }
        let child: Int32
        do throws(RuntimeError) {
            child = try runtime.start(arguments)
        } catch {
            try? copy.leave()
            throw error
        }
        do throws(SystemError) {
            try copy.leave()
            return child
        } catch {
            kill(child, SIGKILL)
            _ = try? ChildProcess.wait(for: child)
            throw RuntimeError("the mount namespace in which the container is created cannot be left: \(error)")
        }
    }

    // MARK: By path

    private func replaceConfiguration(_ folder: ContainerFolder, _ record: inout ContainerRecord) throws(RuntimeError) {
        let given = sources.sources.filter(\.value.isGiven)
        if given.isEmpty && !isChanged { return }
        var configuration = configuration
        for (index, source) in given { configuration.setSource(ofMount: index, to: source.path) }
        try folder.saveConfiguration(bytes)
        var noted = record
        try ConfigurationFile.replace(file, with: configuration.encoded()) { (file) throws(RuntimeError) in
            noted.writtenConfiguration = [file.device, file.inode]
            try folder.write(noted)
        }
        record = noted
    }

    /// Compares what the runtime has mounted with what is pinned, before the container's process runs, and lets the sources go.
    ///
    /// - Parameter process: in the container's mount namespace and root.
    func verify(in process: Int32) throws(RuntimeError) {
        defer { sources.release() }
        if !isByPath { return }
        let mounted: MountTable
        let pinned: [MountedSources.Expected]
        do throws(SystemError) {
            let table = try MountTable(of: process)
            let root = try? PinnedFile(at: "/proc/\(process)/root")
            pinned = try MountedSources.expected(sources.sources, mounts: configuration.mounts, table: MountTable()) { destination in
                root.flatMap { MountedSources.place(of: destination, in: $0, table) }
            }
            mounted = table
        } catch {
            throw RuntimeError("cannot check what is mounted in the container: \(error)")
        }
        if let wrong = MountedSources.firstMissing(of: pinned, in: mounted) {
            throw RuntimeError(
                "the source \(wrong.path) of the mount at \(wrong.destination) has changed since the plugins were asked; the container is "
                    + "not started")
        }
    }
}

extension SystemError {
    /// Whether a privilege is missing, or the kernel does not know the call.
    fileprivate var isRefusal: Bool { [.notPermitted, .permissionDenied, .noFunction].contains(errno) && Self.mounting.contains(call) }

    private static let mounting = ["open_tree", "move_mount", "mount", "unshare"]
}

extension RuntimePlaces {
    /// Where the runtime below finds sources. Not in the folder of states, which root of a user namespace may not go through.
    var sources: String { state + "-sources" }
}
