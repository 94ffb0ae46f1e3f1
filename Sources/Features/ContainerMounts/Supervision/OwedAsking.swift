// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem
import MountPointChain
import OCIRuntime
import PluginClient
import SystemPackage

/// Asks the plugins that are owed a detach.
struct OwedAsking {
    enum Occasion {
        /// A user has asked for it, and has seen why the unwinding stopped.
        case command
        /// A container with the same id is to be created. Plugins below one that stopped the unwinding are not asked, since its mounts may
        /// still exist, unless that plugin has detached now.
        case creation
        /// The host has been restarted, so no mount is left.
        case boot
    }

    /// What became of one plugin.
    struct Result {
        var id: ContainerID
        var plugin: String
        /// Whether it is still owed a detach.
        var isOwed: Bool
        /// Why it failed or is still owed a detach; nil if it has detached.
        var failure: String?
    }

    let occasion: Occasion
    let places: RuntimePlaces
    let log: RuntimeLog
    /// Whether a plugin that is away is waited for.
    var waits: (String) -> Bool = { _ in true }

    /// The time to wait for another process that is asking.
    private static let lockLimit = Duration.seconds(60)

    /// - Parameters:
    ///   - name: of the only plugin to ask; nil for all.
    ///   - absent: plugins that are not waited for any more; those that are found to be away are added.
    /// - Throws: `RuntimeError` if it cannot be found out which plugins are owed a detach.
    func ask(_ owed: OwedDetaches, only name: String? = nil, absent: inout [String]) throws(RuntimeError) -> [Result] {
        guard owed.isThere else { return [] }
        let boot = try? Boot.current()
        if try owed.list(boot).isEmpty {
            owed.forgetAsked(log)
            return []
        }
        guard let lock = try owed.lock(until: Deadline(after: Self.lockLimit)) else {
            throw RuntimeError(
                .busy, "another process has been asking plugins of container \(owed.id) to detach for \(Self.lockLimit)")
        }
        defer { owed.release(lock) }
        owed.forgetAsked(log)
        var results: [Result] = []
        var mayAskBelow = occasion == .command
        for one in try owed.list(boot) {
            let isOfEarlierBoot = boot.map { $0 != one.boot } ?? false
            if occasion == .boot && !isOfEarlierBoot { continue }
            if let name, !name.utf8.elementsEqual(one.name.utf8) { continue }
            if !isOfEarlierBoot && !one.couldNotBeAsked && !mayAskBelow && name == nil {
                results.append(
                    Result(id: owed.id, plugin: one.name, isOwed: true, failure: "undoing has stopped: \(one.stack.stopped ?? "unknown")"))
                continue
            }
            let result = ask(one, of: owed, isOfEarlierBoot: isOfEarlierBoot, absent: &absent)
            if !isOfEarlierBoot { mayAskBelow = result.failure == nil }
            results.append(result)
        }
        return results
    }

    private func ask(_ one: OwedDetach, of owed: OwedDetaches, isOfEarlierBoot: Bool, absent: inout [String]) -> Result {
        var stack = one.stack
        if isOfEarlierBoot {
            // After a reboot, nothing is left for emergency actions.
            for index in stack.plugins.indices { stack.plugins[index].state = .owed }
            stack.ending = ContainerEnding(.boot)
        }
        let isAbsent = absent.contains { $0.utf8.elementsEqual(one.name.utf8) }
        let loader = PluginLoader(
            places: places, timeout: one.timeout, patience: isAbsent || !waits(one.name) ? .none : .docker)
        let actions = HostEmergencyActions(container: owed.id.text, log: log, timeout: loader.timeout)
        let outcome = stack.askAgain(container: owed.id.text, store: owed.store(of: one.name), actions: actions) {
            (plugin) throws(ChainedPluginError) in loader.plugin(plugin)
        }
        if !stack.isEmpty && !isAbsent { absent.append(one.name) }
        let failure = outcome.failures.isEmpty ? nil : outcome.failures.joined(separator: "; ")
        return Result(id: owed.id, plugin: one.name, isOwed: !stack.isEmpty, failure: failure)
    }
}

/// Tells plugins which containers a reboot or a power cut has ended, once in a boot. A plugin that cannot be asked then is asked when a
/// container of the same id is created, or by `detach`.
struct Recovery {
    let places: RuntimePlaces
    let log: RuntimeLog

    private var mark: String { places.state + "/recovered" }

    /// Whether plugins have to be told. Costs two system calls, since it is asked before most commands.
    var isNeeded: Bool {
        guard let folder = OwedDetaches.durableAbove(places), isThere(folder.string) else { return false }
        return !isThere(mark)
    }

    /// - Parameter isAgain: run even if it has been done in this boot.
    /// - Throws: `RuntimeError` if no plugin can be told.
    func run(isAgain: Bool = false) throws(RuntimeError) -> [OwedAsking.Result] {
        guard isAgain || isNeeded else { return [] }
        let lock: FileLock?
        do throws(SystemError) {
            // Without the current boot, files of an earlier one cannot be recognised.
            _ = try Boot.current()
            try makeFolders(FilePath(places.state), mode: 0o700)
            lock = try FileLock.wait(for: FilePath(places.state + "/recovery.lock"), until: Deadline(after: .seconds(120)))
        } catch {
            throw RuntimeError(.state, "cannot tell plugins of containers that a reboot has ended: \(error)", cause: error)
        }
        guard let lock else { throw RuntimeError(.busy, "another process has been telling plugins of a reboot for two minutes") }
        defer { withExtendedLifetime(lock) {} }
        guard isAgain || isNeeded else { return [] }
        let asking = OwedAsking(occasion: .boot, places: places, log: log)
        var absent: [String] = []
        var results: [OwedAsking.Result] = []
        for owed in OwedDetaches.all(in: places) {
            do throws(RuntimeError) {
                results += try asking.ask(owed, absent: &absent)
            } catch {
                log.warning("container \(owed.id): \(error.message)")
            }
        }
        do throws(SystemError) {
            try replaceFile(FilePath(mark), with: [], durable: false)
        } catch {
            log.warning("it cannot be kept that plugins have been told of the reboot: \(error)")
        }
        return results
    }

    private func isThere(_ path: String) -> Bool { (try? FileIdentity(at: path)) != nil }
}
