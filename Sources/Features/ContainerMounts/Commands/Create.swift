// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import LinuxSystem
import MountPointChain
import OCIRuntime
import PluginClient
import SystemPackage

/// `create`, `run` and `restore`: asks the plugins, and creates the container under a ``Supervisor`` if a plugin takes part.
struct CreateCommand {
    let invocation: Invocation
    let creation: ContainerCreation

    private var id: ContainerID { creation.id }

    private var isRestore: Bool {
        if case .restore = invocation.line.command { return true }
        return false
    }

    /// Whether this program stays until the container ends.
    private var isForeground: Bool {
        if case .create = invocation.line.command { return false }
        return !creation.isDetached
    }

    func run() throws(RuntimeError) -> Int32 {
        let settings = try invocation.settings()
        let runtime = try DelegateRuntime(settings.runtimePath)
        try clearLeftovers()
        askOwed(settings)
        let hasPlugins = !settings.plugins.isEmpty
        if !hasPlugins && ContainerFolder.all(in: invocation.places.state).isEmpty { invocation.handOver(to: runtime) }
        var bundle = try openBundle(hasPlugins: hasPlugins, runtime)
        if hasPlugins { try bundle.findMounts(id: creation.id, invocation: invocation, settings: settings) }
        if bundle.shown.isEmpty { return try handOver(bundle, to: runtime) }
        if let root = invocation.line.root, access("\(root)/\(id)", F_OK) == 0 {
            throw RuntimeError(.exists, "container \(id) is there already; delete it first")
        }

        let loader = invocation.loader(timeout: settings.timeout, settings: settings)
        let chain = try chain(settings, loader)
        // Every plugin that is asked is shown the origins. The mount table is read only if a plugin is asked.
        if chain.asksForOrigin { try bundle.findOrigins() }
        guard chain.isWanted(bundle.shown) else { return try handOver(bundle, to: runtime) }
        if let flag = invocation.line.flagWithoutText {
            throw RuntimeError(
                .badArguments,
                "\(flag) has bytes that are not UTF-8, and cannot be kept with what is known of the container; use another path")
        }
        if !chain.asksForOrigin { try bundle.findOrigins() }
        let attachment = ContainerAttachment(
            id: id, bundle: bundle, chain: chain, loader: loader, runtime: runtime, settings: settings, invocation: invocation)
        guard var supervisor = try attachment.run(arguments: arguments, pidFile: creation.pidFile, isRestore: isRestore) else {
            return try handOver(bundle, to: runtime)
        }
        let console: Console?
        let statusPipe: CreationStatusPipe
        do throws(RuntimeError) {
            let hasConsole = isForeground && bundle.configuration.hasTerminal && creation.consoleSocket == nil
            console = hasConsole ? try Console(in: invocation.places.state) : nil
            statusPipe = try CreationStatusPipe()
        } catch {
            supervisor.input.sources.release()
            supervisor.aftermath.abandon()
            throw error
        }
        if let console { supervisor.arguments.addFlag("--console-socket", console.path, toCommand: isRestore ? "restore" : "create") }
        return try supervise(supervisor, console, statusPipe)
    }

    private func openBundle(hasPlugins: Bool, _ runtime: DelegateRuntime) throws(RuntimeError) -> ContainerBundle {
        let opened: OpenedBundle
        do throws(RuntimeError) { opened = try OpenedBundle(bundle: creation.bundle, config: creation.config) } catch {
            // With plugins this is an error: the delegate runtime might find a configuration that no plugin was asked about.
            if !hasPlugins { invocation.handOver(to: runtime) }
            throw error
        }
        return try ContainerBundle(opened, state: invocation.places.state)
    }

    private func chain(_ settings: RuntimeSettings, _ loader: PluginLoader) throws(RuntimeError) -> PluginChain {
        do throws(ChainError) {
            return try PluginChain(asking: settings.plugins.map { loader.plugin($0, limits: settings.limits) })
        } catch {
            throw RuntimeError(error)
        }
    }

    /// Becomes the delegate runtime, with the changed config.json and the pinned sources: the decision that no plugin wants them was about
    /// those.
    ///
    /// - Returns: the exit status, if the runtime was run as a child so that config.json can be restored afterwards.
    private func handOver(_ bundle: ContainerBundle, to runtime: DelegateRuntime) throws(RuntimeError) -> Int32 {
        if !bundle.isChanged {
            if !bundle.mounts.isEmpty { _ = try RuntimeInput(bundle, place: invocation.places.sources).enter() }
            invocation.handOver(to: runtime)
        }
        guard case .create = invocation.line.command else {
            throw RuntimeError(
                .badBundle,
                "\(bundle.file) names a namespace of the supervisor of a container; name it by the container's own process")
        }
        if try RuntimeInput(bundle, place: invocation.places.sources).enter() != nil { invocation.handOver(to: runtime) }
        try ConfigurationFile.replace(bundle.file, with: bundle.configuration.encoded())
        let status: Int32
        do throws(RuntimeError) {
            status = try invocation.passOn(to: runtime)
        } catch {
            try? ConfigurationFile.replace(bundle.file, with: bundle.bytes)
            throw error
        }
        try? ConfigurationFile.replace(bundle.file, with: bundle.bytes)
        return status
    }

    private func arguments(_ folder: ContainerFolder) -> OriginalArguments {
        let pidFile = Supervisor.pidFile(in: folder).string
        return invocation.arguments(invocation.line.handedOn(pidFile: pidFile, isDetached: isRestore, asCreate: !isRestore))
    }

    /// Asks the plugins that are owed a detach: all before the first container of a boot, and those of this id before each container.
    ///
    /// A plugin that cannot be asked now does not prevent the container: it may be gone for good. If it takes part in the new container, it
    /// has to answer for that, and is told when that one ends.
    private func askOwed(_ settings: RuntimeSettings) {
        let places = invocation.places
        do throws(RuntimeError) {
            let recovery = Recovery(places: places, log: invocation.log)
            var results = try recovery.run()
            let asking = OwedAsking(occasion: .creation, places: places, log: invocation.log) { name in
                settings.plugins.contains { $0.utf8.elementsEqual(name.utf8) }
            }
            var absent = results.filter(\.isOwed).map(\.plugin)
            results += try asking.ask(OwedDetaches(in: places, root: invocation.line.root, id: id), absent: &absent)
            for result in results {
                if let failure = result.failure { invocation.log.warning("container \(result.id): \(failure)") }
            }
        } catch {
            invocation.log.warning(error.message)
        }
    }

    /// Undoes what an earlier container of that id left because its responsible process was killed.
    private func clearLeftovers() throws(RuntimeError) {
        guard let managed = try ManagedContainer(id, invocation: invocation) else { return }
        if managed.record.process?.isAlive == true && managed.record.supervisor?.isAlive == true {
            throw RuntimeError(.exists, "container \(id) is there already, and runs")
        }
        try managed.clear(isNew: true)
    }

    private func supervise(_ supervisor: Supervisor, _ console: Console?, _ statusPipe: CreationStatusPipe) throws(RuntimeError) -> Int32 {
        var supervisor = supervisor
        let child: Int32
        do throws(SystemError) {
            child = try ChildProcess.fork()
        } catch {
            supervisor.input.sources.release()
            supervisor.aftermath.abandon()
            throw RuntimeError(.local, "cannot supervise the container: \(error)", cause: error)
        }
        if child == 0 {
            statusPipe.keepWriting()
            _exit(supervisor.run(statusPipe))
        }
        statusPipe.keepReading()
        supervisor.input.sources.release()
        supervisor.aftermath.lock.leaveToChildren()
        guard let status = statusPipe.receive() else {
            try ManagedContainer(id, invocation: invocation)?.clear(removingFromRuntime: true)
            throw RuntimeError(.killed, "the supervisor of container \(id) was killed while it was being created")
        }
        if status != 0 { return status }
        if case .create = invocation.line.command { return 0 }
        return try ForegroundContainer(
            invocation: invocation, id: id, runtime: supervisor.runtime, record: supervisor.aftermath.record, supervisor: child,
            console: console,
            isStarted: isRestore, isForeground: isForeground, isKept: creation.isKept
        ).run()
    }
}
