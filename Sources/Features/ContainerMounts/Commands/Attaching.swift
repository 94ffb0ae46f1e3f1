// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem
import MountPointChain
import OCIRuntime
import PluginClient

/// Asks the plugins about a container's mounts and changes its config.json as they say.
struct Attaching {
    let id: ContainerID
    let bundle: Bundle
    let chain: PluginChain
    let loader: PluginLoader
    let runtime: RuntimeBelow
    let settings: RuntimeSettings
    let invocation: Invocation

    /// - Parameters:
    ///   - arguments: for the runtime below, once there is a folder for its pid file.
    ///   - pidFile: where the caller wants the supervisor's id.
    /// - Returns: nil if no plugin takes part after all.
    func run(
        arguments: (ContainerFolder) -> OriginalArguments, pidFile: String?, isRestore: Bool
    ) throws(RuntimeError) -> Supervisor? {
        let folder = try ContainerFolder(in: invocation.places.state, root: invocation.line.root, id: id)
        try folder.make()
        guard let lock = try folder.attemptLock() else { throw RuntimeError("container \(id) is being created by somebody else, too") }
        var record = ContainerRecord(
            boot: bootIdentity(), id: id, runtime: runtime.path, arguments: globalArguments, configuration: bundle.file,
            timeout: settings.timeout, ownsProcesses: bundle.configuration.hasOwnProcesses)
        let attached: AttachedMounts
        let sources: MountSources
        do throws(RuntimeError) {
            try folder.write(record)
            (attached, sources) = try ask(folder)
        } catch {
            try? folder.remove()
            throw error
        }
        if attached.stack.isEmpty {
            try folder.remove()
            withExtendedLifetime(lock) {}
            return nil
        }
        do throws(RuntimeError) {
            let changed = changedSources(attached)
            if !changed.isEmpty || bundle.isChanged { try change(changed, folder, &record) }
        } catch {
            Aftermath(folder: folder, record: record, lock: lock, loader: loader, log: invocation.log).abandon()
            throw error
        }
        return Supervisor(
            aftermath: Aftermath(folder: folder, record: record, lock: lock, loader: loader, log: invocation.log), runtime: runtime,
            arguments: arguments(folder), isRestore: isRestore, mounts: bundle.configuration.mounts, sources: sources, pidFile: pidFile)
    }

    private var globalArguments: [String] {
        var arguments: [String] = []
        if let root = invocation.line.root { arguments += ["--root", root] }
        if invocation.line.usesSystemdCgroup { arguments.append("--systemd-cgroup") }
        return arguments
    }

    private func ask(_ folder: ContainerFolder) throws(RuntimeError) -> (AttachedMounts, MountSources) {
        var sources = MountSources()
        for mount in bundle.mounts { sources.holdIfThere(mount.mountPoint.effectiveSource, of: mount.configurationIndex) }
        let given = HeldSources()
        let actions = HostEmergencyActions(container: id.text, log: invocation.log, timeout: loader.timeout)
        let attached: AttachedMounts
        do throws(ChainError) {
            attached = try chain.attach(bundle.mounts.map(\.mountPoint), of: id.text, record: folder, actions: actions) {
                (path) throws(SourceFailure) in try given.hold(path)
            }
        } catch {
            throw RuntimeError("\(error)")
        }
        for (mount, after) in zip(bundle.mounts, attached.mounts) {
            let index = mount.configurationIndex
            let changing = after.appliedMiddleware.lastIndex { !$0.changes.effectiveSource.isEmpty }
            if changing != nil { sources.take(given.identity(of: after.effectiveSource), at: after.effectiveSource, of: index) }
            if !after.appliedMiddleware.isEmpty && changing != after.appliedMiddleware.indices.last { sources.holdAgain(index) }
        }
        return (attached, sources)
    }

    private func changedSources(_ attached: AttachedMounts) -> [(index: Int, source: String)] {
        zip(bundle.mounts, attached.mounts).compactMap { mount, after in
            LexicalPath.areSame(mount.mountPoint.effectiveSource, after.effectiveSource)
                ? nil : (mount.configurationIndex, after.effectiveSource)
        }
    }

    private func change(
        _ changes: [(index: Int, source: String)], _ folder: ContainerFolder, _ record: inout ContainerRecord
    ) throws(RuntimeError) {
        var configuration = bundle.configuration
        for change in changes { configuration.setSource(ofMount: change.index, to: change.source) }
        try folder.saveConfiguration(bundle.bytes)
        var noted = record
        try BundleFile.replace(bundle.file, with: configuration.encoded()) { (file) throws(RuntimeError) in
            noted.writtenConfiguration = [file.device, file.inode]
            try folder.write(noted)
        }
        record = noted
    }
}

/// What plugins have given as sources, held from the moment of their answers.
private final class HeldSources {
    private var identities: [(path: String, identity: FileIdentity)] = []

    func hold(_ path: String) throws(SourceFailure) {
        do throws(SystemError) {
            identities.append((path, try FileIdentity(at: path)))
        } catch {
            throw SourceFailure("\(error)")
        }
    }

    func identity(of path: String) -> FileIdentity? { identities.last { LexicalPath.areSame($0.path, path) }?.identity }
}

extension OCIConfiguration {
    /// Whether all its processes end with its first one, which then is the first of a process id namespace.
    var hasOwnProcesses: Bool { namespace("pid").map { $0.path == nil } ?? false }
}
