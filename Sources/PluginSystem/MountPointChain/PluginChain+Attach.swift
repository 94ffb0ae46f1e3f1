// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
import JSON

/// The result of asking all plugins of a chain.
public struct AttachedMounts: Sendable, Equatable {
    /// The mounts in their order, with what the plugins made of them; ``DockerPluginAPI/MountPoint/appliedChanges`` says what that is.
    public var mounts: [MountPoint]
    public var stack: AppliedStack

    public init(mounts: [MountPoint], stack: AppliedStack) {
        self.mounts = mounts
        self.stack = stack
    }
}

extension PluginChain {
    /// Asks each plugin about the mounts that it wants, as the plugins before it have left them.
    ///
    /// - Parameters:
    ///   - mounts: those of one container, which no plugin has been asked about.
    ///   - store: keeps the stack from the moment of the first request on.
    ///   - release: closes the sources. Called before plugins are asked to detach, since they may want to unmount them.
    ///   - now: the time for the record, of each plugin when it is asked; nil leaves it out.
    ///   - check: throws if a source that a plugin gave cannot be mounted. Called before the next plugin is asked. A missing source is
    ///     allowed for a mount whose missing source is created; the caller creates it after all plugins have been asked.
    ///   - findOrigins: says which paths show the same as the effective sources of the mounts at some indices. Called if a plugin has
    ///     attached these, and so may have changed what is there, and another plugin follows.
    /// - Throws: `ChainError`. Those that had attached have been asked to detach, last first, and so has the plugin that failed if it
    ///   has attached, or may have.
    public func attach(
        _ mounts: [MountPoint], of container: String, store: some AppliedStackStore, actions: some EmergencyActions,
        now: () -> String? = { nil }, releasing release: () -> Void = {},
        checkingSource check: (String) throws(SourceError) -> Void,
        findingOrigins findOrigins: (_ changed: [Int], _ mounts: [MountPoint]) throws(SourceError) -> [[String]] = { changed, mounts in
            changed.map { [mounts[$0].effectiveSource] }
        }
    ) throws(ChainError) -> AttachedMounts {
        var attached = AttachedMounts(mounts: mounts, stack: AppliedStack())
        // How many plugins had attached each mount when its origin was found.
        var known = mounts.map(\.appliedMiddleware.count)
        for link in links {
            do throws(ChainError) {
                try Self.updateOrigins(of: &attached.mounts, known: &known, findOrigins)
                let wanted = attached.mounts.indices.filter { link.properties.wants(attached.mounts[$0]) }
                if wanted.isEmpty { continue }
                try ask(link, about: wanted, in: &attached, of: container, store: store, since: now(), checkingSource: check)
            } catch {
                release()
                try undo(attached.stack, after: error, of: container, store: store, actions: actions)
            }
        }
        return attached
    }

    /// - Throws: `ChainError`; the stack then has the plugin in it if it is to be asked to detach.
    private func ask(
        _ link: Link, about wanted: [Int], in attached: inout AttachedMounts, of container: String, store: some AppliedStackStore,
        since: String?, checkingSource check: (String) throws(SourceError) -> Void
    ) throws(ChainError) {
        let name = link.plugin.name
        let before = attached.stack
        let entry = AppliedPlugin(
            name: name, state: .attaching, wantsMounted: link.properties.mounted, detachTimeout: link.properties.detachTimeout,
            persistent: link.properties.persistent, since: since)
        attached.stack.plugins.append(entry)
        let request = MountPointAttachRequest(
            id: container, mounts: wanted.map { attached.mounts[$0] }, hasFlatVolume: link.properties.hasFlatVolume)
        let attachments: [Attachment]
        do throws(ChainedPluginError) {
            attachments = try link.plugin.attach(request, committing: try Self.prepare(attached.stack, in: store))
        } catch {
            if error.kind != .unclear { attached.stack = before }
            if error.kind == .notRecorded {
                throw ChainError(
                    .notRecorded, plugin: nil,
                    message: "cannot record that plugin:\(name) is asked to attach, so it was not: \(error.message)", cause: error)
            }
            throw ChainError(error, of: name)
        }

        attached.stack = before
        try Self.apply(attachments, of: entry, to: wanted, in: &attached, checkingSource: check)
        do throws(StackStoreError) {
            try store.write(attached.stack)
        } catch {
            throw ChainError(
                .notRecorded, plugin: nil, message: "cannot record what plugin:\(name) has attached: \(error.message)", cause: error)
        }
    }

    private static func updateOrigins(
        of mounts: inout [MountPoint], known: inout [Int], _ findOrigins: ([Int], [MountPoint]) throws(SourceError) -> [[String]]
    ) throws(ChainError) {
        // A tmpfs mount shows no path of the host.
        let changed = mounts.indices.filter { mounts[$0].appliedMiddleware.count != known[$0] && !mounts[$0].effectiveSource.isEmpty }
        if changed.isEmpty { return }
        do throws(SourceError) {
            for (index, origin) in zip(changed, try findOrigins(changed, mounts)) { mounts[index].origin = origin }
        } catch {
            throw ChainError(.sources, plugin: nil, message: error.message, cause: error)
        }
        known = mounts.map(\.appliedMiddleware.count)
    }

    private static func prepare(_ stack: AppliedStack, in store: some AppliedStackStore) throws(ChainedPluginError) -> PreparedRename {
        do throws(StackStoreError) {
            return try store.prepare(stack)
        } catch {
            throw ChainedPluginError(.notRecorded, error.message, cause: error)
        }
    }

    /// Changes the mounts as the plugin says, and puts what it has attached on the stack.
    ///
    /// - Throws: `ChainError` if there is something wrong with what it says. What it has attached is on the stack then, too.
    private static func apply(
        _ attachments: [Attachment], of plugin: AppliedPlugin, to wanted: [Int], in attached: inout AttachedMounts,
        checkingSource check: (String) throws(SourceError) -> Void
    ) throws(ChainError) {
        var entry = plugin
        var problem: ChainError?
        for (attachment, index) in zip(attachments, wanted) where attachment.attach {
            do throws(ChainError) {
                // After a mistake nothing else that the plugin says is done.
                if problem == nil {
                    try Self.check(attachment, of: plugin.name, for: attached.mounts[index], checkingSource: check)
                    attached.mounts[index].apply(attachment.changes, of: plugin.name)
                }
            } catch {
                problem = error
            }
            let mount = attached.mounts[index]
            entry.mounts.append(
                AppliedMount(
                    destination: mount.destination, effectiveSource: mount.effectiveSource, emergencyDetach: attachment.emergencyDetach,
                    source: mount.source))
        }
        if !entry.mounts.isEmpty {
            entry.state = .attached
            attached.stack.plugins.append(entry)
        }
        if let problem { throw problem }
    }

    /// - Throws: `ChainError` if the plugin asks for what cannot be done.
    private static func check(
        _ attachment: Attachment, of plugin: String, for mount: MountPoint, checkingSource check: (String) throws(SourceError) -> Void
    ) throws(ChainError) {
        func invalid(_ message: String, cause: (any Error)? = nil) -> ChainError {
            ChainError(.invalidAnswer, plugin: plugin, message: message, cause: cause)
        }
        let destination = mount.destination
        if mount.type == .container { throw invalid("it attached to the container itself, which is no mount; it can allow or deny it") }
        for action in attachment.emergencyDetach {
            if let path = action.path, !path.isAbsolutePath {
                throw invalid("it gave \(JSONValue.string(path)) as an emergency action's path for \(destination), which must be absolute")
            }
        }
        if let option = attachment.changes.options.first(where: { !MountOption.known.contains($0) }) {
            let known = MountOption.known.map(\.rawValue).joined(separator: ", ")
            throw invalid("it gave \(JSONValue.string(option.rawValue)) as an option of \(destination); it can add \(known)")
        }
        let propagation = attachment.changes.propagation
        if !propagation.isUnspecified && propagation != .rprivate && propagation != .rslave {
            throw invalid(
                "it gave \(JSONValue.string(propagation.rawValue)) as the propagation of \(destination), which can be rprivate or rslave")
        }
        let source = attachment.changes.effectiveSource
        if source.isEmpty { return }
        guard source.isAbsolutePath else {
            throw invalid("it gave \(JSONValue.string(source)) as the source of \(destination), which must be an absolute path")
        }
        do throws(SourceError) {
            try check(source)
        } catch {
            if error.isMissing && mount.createSourceIfMissing { return }
            throw invalid("it gave \(JSONValue.string(source)) as the source of \(destination): \(error.message)", cause: error)
        }
    }

    /// Asks those that had attached to detach.
    ///
    /// - Throws: always, the error with how that went.
    private func undo(
        _ stack: AppliedStack, after error: ChainError, of container: String, store: some AppliedStackStore,
        actions: some EmergencyActions
    ) throws(ChainError) -> Never {
        var stack = stack
        var error = error
        stack.ending = ContainerEnding(.notStarted)
        var unwinding = Unwinding(container: container, store: store, actions: actions)
        // The record may still say that the plugin which failed is being asked.
        unwinding.keep(stack)
        if !stack.isEmpty {
            unwinding.run(&stack) { [links] name throws(ChainedPluginError) in
                guard let link = links.first(where: { $0.plugin.name.utf8.elementsEqual(name.utf8) }) else {
                    throw ChainedPluginError(.notSent, "it is not in the chain")
                }
                return link.plugin
            }
        }
        error.undoing = unwinding.outcome
        throw error
    }
}

extension MountPoint {
    /// Applies a plugin's changes and records the plugin as applied.
    fileprivate mutating func apply(_ changes: MountPointChanges, of plugin: String) {
        if !changes.effectiveSource.isEmpty {
            effectiveSource = changes.effectiveSource
            // The mount now shows a path of the host, which other plugins may want to be asked about.
            if type == .tmpfs { type = .bind }
        }
        if !changes.effectiveConsistency.isUnspecified { effectiveConsistency = changes.effectiveConsistency }
        if changes.readOnly { readOnly = true }
        if !changes.propagation.isUnspecified { propagation = changes.propagation }
        appliedMiddleware.append(AppliedMiddleware(name: "plugin:\(plugin)", changes: changes))
    }

    /// What all plugins together have changed: the last source, consistency and propagation that one gave, all options that any gave, and
    /// whether one has made it read-only.
    public var appliedChanges: MountPointChanges {
        var all = MountPointChanges()
        for changes in appliedMiddleware.map(\.changes) {
            if !changes.effectiveSource.isEmpty { all.effectiveSource = changes.effectiveSource }
            if !changes.effectiveConsistency.isUnspecified { all.effectiveConsistency = changes.effectiveConsistency }
            if changes.readOnly { all.readOnly = true }
            if !changes.propagation.isUnspecified { all.propagation = changes.propagation }
            all.options += changes.options.filter { !all.options.contains($0) }
        }
        return all
    }
}

extension EmergencyAction {
    /// Of what is to be removed or unmounted.
    var path: String? {
        switch self {
        case .remove(let path), .unmount(let path): path
        case .nothing, .warning, .error, .fatal: nil
        }
    }
}
