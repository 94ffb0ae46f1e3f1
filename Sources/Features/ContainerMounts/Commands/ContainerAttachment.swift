// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import LexicalPaths
import LinuxSystem
import MountPointChain
import OCIRuntime
import PluginClient
import SystemPackage

/// Asks the plugins about a container's mounts, and pins the sources that they give.
struct ContainerAttachment {
    let id: ContainerID
    let bundle: ContainerBundle
    let chain: PluginChain
    let loader: PluginLoader
    let runtime: DelegateRuntime
    let settings: RuntimeSettings
    let invocation: Invocation

    /// - Parameters:
    ///   - arguments: makes the delegate runtime's arguments for the container's folder, which has the pid file.
    ///   - pidFile: the file that the caller wants the supervisor's id in.
    /// - Returns: nil if no plugin attached any mount.
    func run(
        arguments: (ContainerFolder) -> OriginalArguments, pidFile: String?, isRestore: Bool
    ) throws(RuntimeError) -> Supervisor? {
        let boot = try Self.boot()
        let folder = try ContainerFolder(in: invocation.places.state, root: invocation.line.root, id: id)
        try folder.make()
        guard let lock = try folder.attemptLock() else {
            throw RuntimeError(.busy, "container \(id) is being created by somebody else, too")
        }
        let owed = OwedDetaches(in: invocation.places, root: invocation.line.root, id: id)
        let record = SupervisionState(
            boot: boot.text, id: id, runtime: runtime.path, arguments: globalArguments, configuration: bundle.file.string,
            timeout: settings.timeout, ownsProcesses: bundle.configuration.hasOwnProcesses, since: timestamp(),
            name: known(bundle.shown.first?.container.name), image: known(bundle.shown.first?.image.name))
        let attached: AttachedMounts
        let given = GivenSources()
        do throws(RuntimeError) {
            try folder.write(record)
            attached = try ask(ContainerStackStore(folder, owed, record, persistsAll: settings.persistsAll), given)
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
            try makeMissingSources(attached)
            for position in bundle.mounts.indices { try adopt(position, as: attached.mounts[position], given) }
        } catch {
            bundle.sources.release()
            given.release()
            Aftermath(folder: folder, record: record, owed: owed, lock: lock, loader: loader, log: invocation.log).abandon()
            throw error
        }
        return Supervisor(
            aftermath: Aftermath(folder: folder, record: record, owed: owed, lock: lock, loader: loader, log: invocation.log),
            runtime: runtime, arguments: arguments(folder), isRestore: isRestore,
            input: RuntimeInput(bundle, changed: changedConfiguration(attached), place: invocation.places.sources),
            pidFile: pidFile)
    }

    /// A name that the engine gave; nil if it is empty.
    private func known(_ text: String?) -> String? { text?.isEmpty == true ? nil : text }

    /// The current boot. It must be known, since a record of an unknown boot would count in every boot.
    private static func boot() throws(RuntimeError) -> Boot {
        do throws(SystemError) {
            return try Boot.current()
        } catch {
            throw RuntimeError(.state, "cannot keep the state of a container: \(error)", cause: error)
        }
    }

    private var globalArguments: [String] {
        var arguments: [String] = []
        if let root = invocation.line.root { arguments += ["--root", root] }
        if invocation.line.usesSystemdCgroup { arguments.append("--systemd-cgroup") }
        return arguments
    }

    private func ask(_ store: ContainerStackStore, _ given: GivenSources) throws(RuntimeError) -> AttachedMounts {
        let actions = HostEmergencyActions(container: id.text, log: invocation.log, timeout: loader.timeout)
        let release = {
            bundle.sources.release()
            given.release()
        }
        bundle.sources.lookForStrays()
        do throws(ChainError) {
            return try chain.attach(
                bundle.shown, of: id.text, store: store, actions: actions, now: { timestamp() }, releasing: release,
                checkingSource: { (path) throws(SourceError) in try given.pin(path) },
                findingOrigins: { (changed, mounts) throws(SourceError) in try findOrigins(changed, mounts, given) })
        } catch {
            throw RuntimeError(error)
        }
    }

    /// Pins the source of a mount as the plugins have left it.
    ///
    /// - Parameter position: in the bundle's interposed mounts.
    private func adopt(_ position: Int, as left: MountPoint, _ given: GivenSources) throws(RuntimeError) {
        let index = bundle.mounts[position].configurationIndex
        let applied = left.appliedMiddleware
        let changing = applied.lastIndex { !$0.changes.effectiveSource.isEmpty }
        let layer = bundle.mounts[position].layer
        if layer != nil, let changing {
            throw RuntimeError(
                .pluginInvalid,
                "\(applied[changing].name) gave another source for a folder of the overlay at \(quoted(left.destination)); these cannot be "
                    + "replaced, and a plugin can only allow or deny them")
        }
        if changing != nil { bundle.sources.replace(index, with: try given.source(at: left.effectiveSource)) }
        let later = applied[(changing.map { $0 + 1 } ?? 0)...].map(\.name)
        if later.isEmpty { return }
        try bundle.sources.lookAgain(index, layer: layer, at: left.destination, after: later.joined(separator: " or "))
    }

    /// Finds the origins of changed mounts. Their sources are pinned first, so that the next plugin is shown what will be mounted.
    private func findOrigins(_ changed: [Int], _ mounts: [MountPoint], _ given: GivenSources) throws(SourceError) -> [[String]] {
        do throws(RuntimeError) {
            for position in changed { try adopt(position, as: mounts[position], given) }
            return try bundle.findOrigins(of: changed, mounts.map(\.effectiveSource))
        } catch {
            throw SourceError(error.message, cause: error)
        }
    }

    /// Creates missing sources that plugins gave, for mounts whose missing source is created, as Docker does with its own.
    private func makeMissingSources(_ attached: AttachedMounts) throws(RuntimeError) {
        for after in attached.mounts where after.createSourceIfMissing {
            let source = after.appliedChanges.effectiveSource
            if source.isEmpty || (try? FileIdentity(at: source)) != nil { continue }
            do throws(SystemError) {
                try makeSource(FilePath(source))
            } catch {
                throw RuntimeError(
                    .local, "cannot make the source \(source) of the mount at \(after.destination): \(error)", cause: error)
            }
        }
    }

    /// - Returns: nil if no plugin has changed anything.
    private func changedConfiguration(_ attached: AttachedMounts) -> OCIConfiguration? {
        if !attached.mounts.contains(where: \.appliedChanges.changesMount) { return nil }
        var configuration = bundle.configuration
        for (mount, after) in zip(bundle.mounts, attached.mounts) {
            configuration.apply(after.appliedChanges, toMount: mount.configurationIndex)
        }
        return configuration
    }
}

/// Creates a folder for a mount, and the folders above it, with mode 0755 whatever the caller's umask is, as Docker's daemon does.
private func makeSource(_ path: FilePath) throws(SystemError) {
    let before = umask(0o022)
    defer { umask(before) }
    try makeFolders(path, mode: 0o755)
}

/// The sources that plugins have given, pinned from the moment of their answers.
private final class GivenSources {
    private var sources: [PinnedSources.Source] = []

    func pin(_ path: String) throws(SourceError) {
        do throws(SystemError) {
            let source = try PinnedSources.Source(at: path)
            if let failure = source.failure { throw failure }
            sources.append(source)
        } catch {
            throw SourceError("\(error)", isMissing: error.errno == .noSuchFileOrDirectory, cause: error)
        }
    }

    /// - Throws: `RuntimeError` if the source was not pinned before and cannot be looked up.
    func source(at path: String) throws(RuntimeError) -> PinnedSources.Source {
        if let known = sources.last(where: { LexicalPath.areSame($0.path, path) }) { return known }
        do throws(SystemError) {
            return try PinnedSources.Source(at: path)
        } catch {
            throw RuntimeError(.hostRefused, "the source of a mount cannot be looked up: \(error)", cause: error)
        }
    }

    func release() {
        for source in sources { source.file?.close() }
    }
}

extension OCIConfiguration {
    /// Whether all its processes end with the first one, because it is process 1 of a process id namespace.
    var hasOwnProcesses: Bool { namespace("pid").map { $0.path == nil } ?? false }
}
