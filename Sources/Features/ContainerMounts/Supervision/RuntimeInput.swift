// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import OCIRuntime
import SystemPackage

/// What the delegate runtime creates a container from: the changed config.json and the pinned sources.
///
/// The delegate runtime runs in a copy of the host's mount namespace. There, each source is mounted at a place that no other process can
/// reach, and a config.json that names these places is mounted over the bundle's. Both disappear when the runtime ends, even if it is
/// killed, and the bundle itself is never changed. The mounts keep the peers, the submounts and the roots that they would have had.
///
/// If the kernel or a missing privilege forbids that, config.json is replaced until the container has been created, the runtime looks
/// sources up by path, and its mounts are compared with the pinned sources, except for folders of overlays.
struct RuntimeInput {
    /// The bundle's config.json, absolute.
    let file: FilePath
    /// As read.
    let bytes: [UInt8]
    /// The configuration for the delegate runtime, without the changed sources.
    let configuration: OCIConfiguration
    /// Whether it differs from what was read.
    let isChanged: Bool
    let sources: PinnedSources
    /// A folder in which sources are mounted. Outside of the copied namespace it is empty.
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

    /// Moves this process into the copy of its mount namespace in which the delegate runtime is to run, and closes the sources.
    ///
    /// - Returns: nil if the kernel refuses that; the process is then in its original namespace.
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
        throw RuntimeError(.hostRefused, "the sources of the container's mounts cannot be prepared: \(refusal)", cause: refusal)
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
            // With all submounts. The mount's options say which of them the container gets, and runtimes differ in reading these.
            clones.append(try SourceClone(of: file, recursively: true, target: FilePath(target(of: source, index))))
        }
        for overlay in overlays { clones += try overlay.clones() }
        if clones.isEmpty { try Self.tryCloning() }
        return clones
    }

    /// Tests the privilege before this process enters a namespace that it could not leave without it.
    private static func tryCloning() throws(SystemError) {
        do throws(SystemError) {
            _ = try PinnedFile(at: "/").clone(recursively: false)
        } catch  where error.errno == .invalidArgument {
            // The privilege is there, but in a user namespace a mount cannot be cloned without its submounts.
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
        // Mode 0711, so that root of a user namespace can pass.
        try copy.mountMemory(at: place, mode: 0o711)
        // These names cannot clash with sources, which are below folders named by numbers.
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
            // The result is ignored: before Linux 5.14 links cannot be forbidden, but the contents are compared in any case.
            if !mount.contents.isEmpty { _ = try copy.forbidLinks(at: target) }
            try mount.verifyContents()
        }
        let next = place.appending("config.json")
        try replaceFile(next, with: configurationInPlace(overlays).encoded(), mode: ConfigurationFile.mode(file), durable: false)
        try copy.mountFile(next, over: file)
        copy.rejoin()
    }

    /// The configuration with the places of the sources. A missing source gets a place too, so that a link that another process puts at its
    /// original path has no effect.
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
        _ runtime: DelegateRuntime, _ arguments: OriginalArguments, in folder: ContainerFolder, noting record: inout SupervisionState
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
            throw RuntimeError(
                .local, "the mount namespace in which the container is created cannot be left: \(error)", cause: error)
        }
    }

    // MARK: By path

    private func replaceConfiguration(_ folder: ContainerFolder, _ record: inout SupervisionState) throws(RuntimeError) {
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

    /// Compares the runtime's mounts with the pinned sources before the container's process runs, and closes the sources.
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
            throw RuntimeError(.local, "cannot check what is mounted in the container: \(error)", cause: error)
        }
        if let wrong = MountedSources.firstMissing(of: pinned, in: mounted) {
            throw RuntimeError(
                .hostRefused,
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
    /// The folder in which the delegate runtime finds sources. It is outside of the folder of states, which root of a user namespace may not
    /// enter.
    var sources: String { state + "-sources" }
}
