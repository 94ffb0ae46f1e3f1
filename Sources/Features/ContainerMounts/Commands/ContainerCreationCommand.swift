// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import LinuxSystem
import MountPointChain
import OCIRuntime
import PluginClient
import SystemPackage

/// `create`, `run` and `restore`: asks the plugins, and has the container created under a ``Supervisor`` if one takes part.
struct ContainerCreationCommand {
    let invocation: Invocation
    let creation: ContainerCreation

    private var id: String { creation.id.text }
    private var log: RuntimeLog { invocation.log }

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
        let runtime = try RuntimeBelow(settings.runtimePath)
        try clearLeftovers()
        let file = BundleFile.path(bundle: creation.bundle, named: creation.config)
        guard !settings.plugins.isEmpty, let bytes = try BundleFile.read(file) else { throw try invocation.handOver(to: runtime) }
        let bundle = try Bundle(file: file, bytes: bytes, id: creation.id, invocation: invocation, settings: settings)
        if bundle.mounts.isEmpty { throw try invocation.handOver(to: runtime) }

        let loader = PluginLoader(places: invocation.places, timeout: settings.timeout)
        let chain: PluginChain
        do throws(ChainError) {
            chain = try PluginChain(asking: settings.plugins.map { loader.plugin($0) })
        } catch {
            throw RuntimeError("\(error)")
        }
        guard chain.isWanted(bundle.mounts.map(\.mountPoint)) else { throw try invocation.handOver(to: runtime) }
        let attaching = Attaching(
            id: id, bundle: bundle, chain: chain, loader: loader, runtime: runtime, settings: settings, invocation: invocation)
        guard var supervisor = try attaching.run(arguments: arguments, pidFile: creation.pidFile, isRestore: isRestore) else {
            throw try invocation.handOver(to: runtime)
        }
        let console =
            isForeground && bundle.configuration.hasTerminal && creation.consoleSocket == nil
            ? try Console(in: invocation.places.state) : nil
        if let console { supervisor.arguments.addFlag("--console-socket", console.path, toCommand: isRestore ? "restore" : "create") }
        return try supervise(supervisor, console)
    }

    private func arguments(_ folder: ContainerFolder) -> OriginalArguments {
        let pidFile = Supervisor.pidFile(in: folder).string
        return invocation.arguments(invocation.line.handedOn(pidFile: pidFile, isDetached: isRestore, asCreate: !isRestore))
    }

    /// What an earlier container of that id has left, if whoever was to undo it has been killed.
    private func clearLeftovers() throws(RuntimeError) {
        guard let managed = try ManagedContainer(id, invocation: invocation) else { return }
        if managed.record.process?.isAlive == true && managed.record.supervisor?.isAlive == true {
            throw RuntimeError("container \(id) is there already, and runs")
        }
        guard let lock = try managed.waitUntilNobodyIsResponsible() else { return }
        try managed.undo(loader: PluginLoader(places: invocation.places, timeout: managed.record.timeout), log: log)
        try managed.folder.remove()
        withExtendedLifetime(lock) {}
    }

    /// Undoes what a supervisor has left that was killed.
    private func recover(_ loader: PluginLoader) throws(RuntimeError) {
        guard let managed = try ManagedContainer(id, invocation: invocation), let lock = try managed.waitUntilNobodyIsResponsible() else { return }
        try managed.undo(loader: loader, log: log)
        ContainerEnd(folder: managed.folder, record: managed.record, loader: loader, log: log).removeFromRuntime()
        try managed.folder.remove()
        withExtendedLifetime(lock) {}
    }

    private func supervise(_ supervisor: Supervisor, _ console: Console?) throws(RuntimeError) -> Int32 {
        var supervisor = supervisor
        let report = try Report()
        let child: Int32
        do throws(SystemError) {
            child = try ChildProcess.fork()
        } catch {
            let end = ContainerEnd(folder: supervisor.folder, record: supervisor.record, loader: supervisor.loader, log: log)
            _ = end.tearDown(after: 1)
            try supervisor.folder.remove()
            throw RuntimeError("cannot supervise the container: \(error)")
        }
        if child == 0 {
            report.keepWriting()
            _exit(supervisor.run(report))
        }
        report.keepReading()
        supervisor.lock.leaveToChildren()
        guard let status = report.receive() else {
            try recover(supervisor.loader)
            throw RuntimeError("the supervisor of container \(id) was killed while it was being created")
        }
        if status != 0 { return status }
        if case .create = invocation.line.command { return 0 }
        return try ForegroundContainer(
            invocation: invocation, id: id, runtime: supervisor.runtime, record: supervisor.record, supervisor: child, console: console,
            isStarted: isRestore, isForeground: isForeground, isKept: creation.isKept
        ).run()
    }
}
