// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerFiles
import DockerPluginAPI
import Glibc
import JSON
import LexicalPaths
import LinuxSystem
import MountPointChain
import OCIRuntime
import PluginClient
import SystemPackage

/// `ask`: which plugins of the chain would be asked about given mounts, and what they answer, without a container.
struct AskCommand {
    private let asked: AskedMounts

    /// - Parameter words: behind the command's name.
    init(_ words: [String]) throws(RuntimeError) { asked = try AskedMounts(words) }

    func run(_ invocation: Invocation) throws(RuntimeError) -> Int32 {
        if asked.wantsHelp {
            TerminalOutput.write(AskedMounts.usage + "\n")
            return 0
        }
        let settings = try invocation.settings()
        if settings.plugins.isEmpty {
            throw RuntimeError(
                .badSettings,
                "ask: the chain is empty, so no plugin is asked about any mount; name plugins in \(invocation.places.settings)")
        }
        let signals: SignalQueue
        do throws(SystemError) {
            // Signals are blocked from here on, so that plugins which have attached are asked to detach before this program ends.
            signals = try SignalQueue()
        } catch {
            throw RuntimeError(.local, "ask: cannot wait for signals: \(error)", cause: error)
        }
        var isInterrupted = false
        let loader = invocation.loader(timeout: settings.timeout, settings: settings)
        let answer = try answer(
            settings: settings, loader: loader, log: invocation.log, dataRoots: try ContainerBundle.dataRoots(settings, invocation.places),
            scopes: VolumeScopes(places: invocation.places, loader: loader).scope
        ) {
            while let signal = signals.take() {
                if Self.interrupting.contains(signal.number) { isInterrupted = true }
            }
            return isInterrupted
        }
        TerminalOutput.write(asked.isJSON ? TerminalOutput.text(of: answer.json) : answer.text)
        return answer.status
    }

    private static let interrupting = [SIGHUP, SIGINT, SIGQUIT, SIGTERM]

    /// - Parameters:
    ///   - dataRoots: where Docker's files may be, for what it knows of volumes.
    ///   - isInterrupted: asked before each plugin.
    /// - Throws: `RuntimeError` if a plugin of the chain cannot be loaded, with which no container starts either.
    func answer(
        settings: RuntimeSettings, loader: PluginLoader, log: RuntimeLog, dataRoots: [String],
        scopes: (String) -> MountPoint.Scope? = { _ in nil }, isInterrupted: @escaping () -> Bool
    ) throws(RuntimeError) -> AskedAnswer {
        let plugins = settings.plugins.map { AskedPlugin(loader.plugin($0, limits: settings.limits), isInterrupted: isInterrupted) }
        let chain: PluginChain
        do throws(ChainError) {
            chain = try PluginChain(asking: plugins)
        } catch {
            throw RuntimeError(error)
        }
        let id = Self.madeUpID()
        var answer = AskedAnswer(id: id, isDryRun: asked.isDryRun, plugins: plugins)
        var mounts = asked.mountPoints(dataRoots: dataRoots, scopes: scopes, notes: &answer.notes)
        for (index, origin) in zip(mounts.indices, try Self.origins(of: mounts)) { mounts[index].origin = origin }
        if asked.isDryRun {
            for plugin in plugins { plugin.wouldBeAsked(id, about: mounts) }
            return answer
        }
        let store = TransientStackStore()
        let actions = HostEmergencyActions(container: id, log: log, timeout: loader.timeout)
        do throws(ChainError) {
            var attached = try chain.attach(
                mounts, of: id, store: store, actions: actions,
                checkingSource: Self.checkSource,
                findingOrigins: { (changed, mounts) throws(SourceError) in
                    do throws(RuntimeError) {
                        return try Self.origins(of: changed.map { mounts[$0] })
                    } catch {
                        throw SourceError(error.message, cause: error)
                    }
                })
            answer.mounts = attached.mounts.filter { $0.type != .container }
            let outcome = attached.stack.unwind(container: id, reason: .notStarted, store: store, actions: actions) {
                (name) throws(ChainedPluginError) in
                guard let plugin = plugins.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) else {
                    throw ChainedPluginError(.notSent, "it is not in the chain")
                }
                return plugin
            }
            answer.failures = outcome.failures
        } catch {
            answer.failures = error.undoing.failures
            var denial = error
            denial.undoing = UnwindingOutcome()
            answer.denial = RuntimeError(denial)
        }
        return answer
    }

    private static func checkSource(_ path: String) throws(SourceError) {
        do throws(SystemError) { _ = try FileIdentity(at: path) } catch {
            throw SourceError("\(error)", isMissing: error.errno == .noSuchFileOrDirectory, cause: error)
        }
    }

    private static func origins(of mounts: [MountPoint]) throws(RuntimeError) -> [[String]] {
        try SourceOrigins.find(
            mounts.map { SourceOrigins.Source(path: $0.effectiveSource, file: try? PinnedFile(at: $0.effectiveSource)) })
    }

    /// A random id in the form of Docker's.
    private static func madeUpID() -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: (0..<64).map { _ in digits[Int.random(in: 0..<16)] }, as: UTF8.self)
    }
}

extension AskedMounts {
    /// The mounts as plugins would be shown them.
    ///
    /// - Parameters:
    ///   - scopes: says how far a volume driver's volumes reach.
    ///   - notes: gets what could not be found out.
    func mountPoints(dataRoots: [String], scopes: (String) -> MountPoint.Scope?, notes: inout [String]) -> [MountPoint] {
        var points: [MountPoint] = []
        for mount in mounts {
            var point = MountPoint(
                type: mount.isVolume ? .volume : .bind, source: mount.source, destination: mount.destination, readOnly: mount.isReadOnly,
                mode: mount.mode, propagation: MountPoint.Propagation(rawValue: mount.propagation),
                createSourceIfMissing: mount.createsSource, consistency: Consistency(rawValue: mount.consistency),
                container: container, image: MountPoint.Image(labels: imageLabels, name: image))
            if mount.isVolume { describe(mount, &point, dataRoots, scopes, &notes) }
            point.effectiveSource = point.source.isEmpty ? "" : resolvingSymbolicLinks(FilePath(point.source)).string
            points.append(point)
        }
        // In the order in which a container's mounts are shown to plugins.
        return points.sorted { $0.destination.utf8.lexicographicallyPrecedes($1.destination.utf8) }
            + (container.isAddressed ? [MountPoint(of: container)] : [])
    }

    private func describe(
        _ mount: Mount, _ point: inout MountPoint, _ dataRoots: [String], _ scopes: (String) -> MountPoint.Scope?, _ notes: inout [String]
    ) {
        let driver = mount.driver.isEmpty ? volumeDriver : mount.driver
        let isLocal = driver.utf8.elementsEqual("local".utf8)
        point.source = ""
        point.volume = MountPoint.Volume(
            name: mount.source, driver: driver, labels: mount.labels, driverOptions: mount.driverOptions,
            scope: isLocal ? .local : scopes(driver) ?? .unspecified)
        guard let root = dataRoots.first(where: { (try? FileIdentity(at: $0 + "/volumes"))?.isFolder == true }),
            LexicalPath.isComponent(mount.source)
        else {
            notes.append("where the volume at \(mount.destination) would be is not known here, so it is asked about without a source")
            return
        }
        if isLocal {
            point.source = "\(root)/volumes/\(mount.source)/_data"
        } else {
            notes.append("where the driver \(driver) mounts \(mount.source) is known when it does, so it is asked about without a source")
        }
        do throws(EngineFilesError) {
            let volume = try DockerVolumes([(mount.source, driver)], folder: root).volume(mount.source)
            if mount.labels.isEmpty { point.volume.labels = volume.labels }
            point.volume.options = volume.options
        } catch {
            notes.append("what Docker knows of the volume \(mount.source) is not known here: \(error)")
        }
    }
}
