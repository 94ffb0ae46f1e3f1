// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
import LinuxSystem
public import Logging
import SystemPackage

/// An instance, as mountpoint-runc asks it.
///
/// All that is known of a container is in its file, so a new process goes on where the last one was.
public final class InstancePlugin: MountPointPlugin {
    private let kind: any PluginKind
    private let information: KindInformation
    private let choosing: MountChoosing
    private let files: ContainerFiles
    private let instance: PluginInstance
    private let boot: String
    private let logger: Logger

    /// Reads the settings.
    ///
    /// - Throws: `PluginError` for a setting that is unknown or wrong.
    public init(of type: any PluginKind.Type, _ instance: PluginInstance, logger: Logger) throws(PluginError) {
        let settings = try InstanceSettings(of: type, instance)
        kind = settings.kind
        choosing = settings.choosing
        information = type.information
        files = ContainerFiles(in: instance.state)
        self.instance = instance
        self.logger = logger
        do throws(SystemError) { boot = try Boot.current().text } catch { throw PluginError("cannot tell which boot this is: \(error)") }
    }

    public var properties: MountPointProperties {
        // A label that names no mount is found also if there are none.
        let types = information.types + (information.isChosenByUsers ? [.container] : [])
        return MountPointProperties(
            patterns: choosing.patterns + kind.patterns, mounted: information.wantsMounted, types: types,
            attachTimeout: information.attachTimeout, detachTimeout: information.detachTimeout, persistent: information.isPersistent)
    }

    // MARK: What the host asks

    public func attach(_ request: MountPointAttachRequest) async throws(PluginError) -> [Attachment] {
        try await blocking("attach") { [self] in Result { () throws(PluginError) in try attached(request) } }
    }

    public func detach(_ request: MountPointDetachRequest) async throws(DetachError) {
        let end = ContainerEnd(reason: request.reason, exitStatus: request.exitStatus)
        let result: Result<Result<Void, DetachError>, any Error>
        do {
            result = .success(
                try await BlockingThread.run(named: "detach") { [self] in
                    Result { () throws(DetachError) in if let said = try undo(request.id, end) { throw said } }
                })
        } catch {
            result = .failure(error)
        }
        switch result {
        case .success(let outcome): try outcome.get()
        case .failure(let error): throw DetachError("cannot detach: \(error)", isRecoverable: true)
        }
    }

    public func mounted(_ request: MountPointMountedRequest) async throws(PluginError) {
        guard let process = Int32(exactly: request.pid) else { throw PluginError("\(request.pid) is no process") }
        try await blocking("mounted") { [self] in
            Result { () throws(PluginError) in
                guard let container = try files.read(request.id) else { throw PluginError("container \(request.id) has not been attached") }
                for mount in container.mounts where request.mounts.contains(where: { $0.destination.hasSameBytes(as: mount.destination) }) {
                    try kind.mounted(mount, in: process)
                }
            }
        }
    }

    private func blocking<Value: Sendable>(
        _ name: String, _ body: @escaping @Sendable () -> Result<Value, PluginError>
    ) async throws(PluginError) -> Value {
        let result: Result<Value, PluginError>
        do {
            result = try await BlockingThread.run(named: name, body)
        } catch {
            throw PluginError("no thread for the call: \(error)")
        }
        return try result.get()
    }

    // MARK: Attaching

    private func attached(_ request: MountPointAttachRequest) throws(PluginError) -> [Attachment] {
        let choices = try choosing.choices(for: request.mounts, checking: kind)
        var attachments = request.mounts.map { _ in Attachment(attach: false) }
        var kept: [KeptMount] = []
        let chosen = request.mounts.indices.compactMap { index -> (index: Int, mount: ChosenMount)? in
            let choice = choices[index]
            if request.mounts[index].type == .container { return nil }
            if information.isChosenByUsers && !information.looksAtOthers && choice == nil { return nil }
            let mount = ChosenMount(
                mount: request.mounts[index], containerID: request.id, options: choice?.options ?? "", choice: choice?.choice ?? "",
                isNamed: choice?.isNamed ?? true, folder: files.place(of: request.id, mount: index))
            return (index, mount)
        }
        do throws(PluginError) {
            for (index, mount) in chosen {
                guard let plan = try kind.plan(mount) else { continue }
                attachments[index] = Attachment(attach: true, emergencyDetach: plan.emergency, changes: plan.changes)
                kept.append(KeptMount(mount, plan))
            }
        } catch {
            kind.denied(chosen.map(\.mount))
            throw error
        }
        if kept.isEmpty { return attachments }
        // A container that starts again under its id, after a host that could not ask to detach.
        do throws(DetachError) {
            if let said = try undo(request.id, ContainerEnd(reason: .recovered)) { logger.warning("\(said.message)") }
        } catch {
            throw PluginError("what is left of the container's last run cannot be undone: \(error.message)")
        }
        let described = request.mounts.first
        try files.write(
            KeptContainer(
                id: request.id, name: described?.container.name ?? "", image: described?.image.name ?? "", since: timestamp(), boot: boot,
                mounts: kept))
        for mount in kept {
            do throws(PluginError) {
                try kind.carryOut(mount)
            } catch {
                try giveUp(request.id, error)
            }
        }
        return attachments
    }

    /// Undoes all that was planned, and throws why.
    private func giveUp(_ id: String, _ cause: PluginError) throws(PluginError) {
        do throws(DetachError) {
            if let said = try undo(id, ContainerEnd(reason: .notStarted)) { logger.warning("\(said.message)") }
        } catch {
            throw PluginError("\(cause); undoing failed too: \(error.message)")
        }
        throw cause
    }

    // MARK: Undoing

    /// Last mount first. What cannot be undone is tried again by the next process, and by the next call.
    ///
    /// - Returns: what the host is told although all is undone.
    private func undo(_ id: String, _ end: ContainerEnd) throws(DetachError) -> DetachError? {
        guard let container = try recoverably({ () throws(PluginError) in try files.read(id) }) else { return nil }
        var failure: DetachError?
        var said: DetachError?
        for mount in container.mounts.reversed() {
            do throws(DetachError) {
                said = Self.joined(said, try kind.undo(mount, end))
            } catch {
                failure = Self.joined(failure, error)
            }
        }
        if let failure { throw Self.joined(failure, said) ?? failure }
        try recoverably { () throws(PluginError) in try files.remove(id) }
        return said
    }

    /// Both are told, for a further call says only what is still so.
    private static func joined(_ one: DetachError?, _ other: DetachError?) -> DetachError? {
        guard let one, let other else { return one ?? other }
        return DetachError("\(one.message); \(other.message)", isRecoverable: one.isRecoverable && other.isRecoverable)
    }

    private func recoverably<Value>(_ body: () throws(PluginError) -> Value) throws(DetachError) -> Value {
        do throws(PluginError) { return try body() } catch { throw DetachError("\(error)", isRecoverable: true) }
    }

    /// Undoes what belongs to containers that are gone, as after a kill of this plugin or a reboot, and leaves what runs.
    ///
    /// Call it before the first request is answered, and on a thread that may block.
    public func recover() {
        files.removeDrafts()
        kind.recover(logger)
        do throws(PluginError) {
            let ids = try files.ids()
            if ids.isEmpty { return }
            guard let running = RunningContainers(of: instance.places).ids() else {
                logger.warning("cannot tell which containers run (\(instance.places.runtime)); all is left as it is")
                return
            }
            for id in ids where !running.contains(where: { $0.hasSameBytes(as: id) }) { recover(id) }
        } catch {
            logger.error("\(error)")
        }
    }

    private func recover(_ id: String) {
        do throws(PluginError) {
            let isOfThisBoot = try files.read(id)?.boot.hasSameBytes(as: boot) ?? true
            do throws(DetachError) {
                let said = try undo(id, ContainerEnd(reason: isOfThisBoot ? .recovered : .boot))
                logger.notice("undone: container \(id) is gone")
                if let said { logger.error("container \(id): \(said.message)") }
            } catch {
                logger.error("container \(id) is gone, and what was done for it cannot be undone: \(error.message)")
            }
        } catch {
            logger.error("\(error)")
        }
    }
}
