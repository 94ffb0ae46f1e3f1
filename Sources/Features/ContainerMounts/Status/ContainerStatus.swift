// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerFiles
import JSON
import LinuxSystem
import MountPointChain
import OCIRuntime
import SystemPackage

/// The kept state of one container in which plugins take part, for people and their scripts.
struct ContainerStatus {
    /// How far the container's life has come. The raw values are part of the documented JSON.
    enum Phase: String {
        case attaching, creating, created
        /// Its process has ended, and plugins are being asked to detach.
        case detaching
        case ended
        /// The host has been restarted since.
        case rebooted
    }

    struct Plugin {
        var name: String
        var phase: AppliedPlugin.State
        var since: String?
    }

    struct Mount {
        var destination: String
        /// Before any plugin was asked; nil in a record of an earlier version.
        var source: String?
        /// After all plugins.
        var effectiveSource: String
        /// The plugins that have attached it, first asked first, each with the source that it left.
        var plugins: [(name: String, effectiveSource: String)]
    }

    /// A plugin that is owed a detach and that no process is about to ask.
    struct Debt {
        var plugin: String
        var reason: String
    }

    var id: String
    var name: String?
    var image: String?
    /// The runtime's `--root`; nil for its default.
    var root: String?
    /// Nil if the record cannot be read.
    var phase: Phase?
    var since: String?
    var supervisor: Int32?
    var process: Int32?
    var plugins: [Plugin] = []
    var mounts: [Mount] = []
    var owed: [Debt] = []
    /// What is wrong with the record.
    var problem: String?
}

extension ContainerStatus {
    /// Reads the kept state. A damaged file shows as ``problem``.
    init(_ folder: ContainerFolder, boot: String) {
        id = folder.path.lastComponent?.string ?? ""
        var record: SupervisionState?
        var stack = AppliedStack()
        do throws(RuntimeError) {
            record = try folder.record()
            stack = try folder.stack()
        } catch {
            problem = error.message
        }
        read(stack)
        guard let record else {
            if problem == nil { phase = .attaching }
            return
        }
        name = record.name
        image = record.image
        root = Self.root(in: record.arguments)
        since = record.since
        supervisor = record.supervisor.flatMap { $0.isAlive ? $0.process : nil }
        process = record.process.flatMap { $0.isAlive ? $0.process : nil }
        let phase = Self.phase(of: record, boot: boot)
        self.phase = phase
        let isForgotten = phase != .ended && !isAttended(folder)
        for plugin in stack.plugins.reversed() {
            if let reason = Self.reasonForDebt(plugin, of: stack, phase, isForgotten: isForgotten) {
                owed.append(Debt(plugin: plugin.name, reason: reason))
            }
        }
    }

    private mutating func read(_ stack: AppliedStack) {
        for plugin in stack.plugins {
            plugins.append(Plugin(name: plugin.name, phase: plugin.state, since: plugin.since))
            for mount in plugin.mounts {
                let by = (name: plugin.name, effectiveSource: mount.effectiveSource)
                if let index = mounts.firstIndex(where: { $0.destination.utf8.elementsEqual(mount.destination.utf8) }) {
                    mounts[index].effectiveSource = mount.effectiveSource
                    mounts[index].plugins.append(by)
                } else {
                    mounts.append(
                        Mount(
                            destination: mount.destination, source: mount.source, effectiveSource: mount.effectiveSource, plugins: [by]))
                }
            }
        }
    }

    private static func phase(of record: SupervisionState, boot: String) -> Phase {
        if !boot.isEmpty && record.boot != boot { return .rebooted }
        switch record.phase {
        case .attaching: return .attaching
        case .creating: return .creating
        case .created: return record.process?.isAlive == false ? .detaching : .created
        case .ended: return .ended
        }
    }

    /// Whether a process is responsible, which will ask the plugins when the container ends.
    private func isAttended(_ folder: ContainerFolder) -> Bool {
        if supervisor != nil { return true }
        // The responsible process holds the lock. If it is free, it is released again at once.
        guard let lock = try? folder.attemptLock() else { return true }
        return withExtendedLifetime(lock) { false }
    }

    /// - Returns: nil if the plugin is not owed its detach, or is about to get it.
    private static func reasonForDebt(_ plugin: AppliedPlugin, of stack: AppliedStack, _ phase: Phase, isForgotten: Bool) -> String? {
        if plugin.state == .owed { return "it could not be reached when the container ended" }
        if plugin.state == .detaching { return nil }
        if let stopped = stack.stopped { return "undoing has stopped: \(stopped)" }
        if phase == .rebooted { return "the host has been restarted since" }
        if phase == .ended { return "it was not asked when the container ended" }
        return isForgotten ? "who was responsible has been killed; it is asked at delete, or at the next create" : nil
    }

    private static func root(in arguments: [String]) -> String? {
        guard let flag = arguments.firstIndex(of: "--root"), arguments.indices.contains(flag + 1) else { return nil }
        return arguments[flag + 1]
    }
}

// MARK: What the engine says

extension ContainerStatus {
    /// Sets the names from Docker's current file of the container, since a container can be renamed.
    ///
    /// - Parameter configuration: the bundle's config.json, which says where the root file system is.
    mutating func nameAfterDocker(configuration: String, dataRoots: [String]) {
        guard let container = try? ContainerID(id) else { return }
        let bytes = try? readRegularFile(FilePath(configuration), limit: OCIConfiguration.sizeLimit)
        let rootPath = bytes.flatMap { try? OCIConfiguration(parsing: $0) }?.rootPath
        var looked: [String] = []
        let found = try? DockerContainerFile.find(container.text, rootPath: rootPath, dataRoots: dataRoots, looked: &looked)
        guard let known = found?.container else { return }
        if !known.name.isEmpty { name = known.name }
        if !known.imageName.isEmpty { image = known.imageName }
    }
}

// MARK: JSON

extension ContainerStatus {
    /// The names are documented and stay.
    var json: JSONValue {
        var object = JSONObject()
        object["id"] = .string(id)
        for (key, text) in [("name", name), ("image", image), ("root", root), ("phase", phase?.rawValue), ("since", since)] {
            object[key] = text.map { .string($0) } ?? .null
        }
        object["supervisor"] = supervisor.map { JSONValue($0) } ?? .null
        object["process"] = process.map { JSONValue($0) } ?? .null
        object["plugins"] = .array(
            plugins.map {
                ["name": .string($0.name), "phase": .string($0.phase.rawValue), "since": $0.since.map { .string($0) } ?? .null]
            })
        object["mounts"] = .array(
            mounts.map { mount in
                [
                    "destination": .string(mount.destination), "source": mount.source.map { .string($0) } ?? .null,
                    "effectiveSource": .string(mount.effectiveSource),
                    "plugins": .array(mount.plugins.map { ["name": .string($0.name), "effectiveSource": .string($0.effectiveSource)] }),
                ]
            })
        object["owed"] = .array(owed.map { ["plugin": .string($0.plugin), "reason": .string($0.reason)] })
        object["problem"] = problem.map { .string($0) } ?? .null
        return .object(object)
    }
}

// MARK: Text

extension ContainerStatus {
    /// A block of lines; all but paths and reasons fit into 100 columns.
    var text: String {
        var lines = [name.map { "\($0) (\(id))" } ?? id]
        func add(_ title: String, _ value: String) {
            let room = String(repeating: " ", count: max(1, 10 - title.utf8.count))
            lines.append("  \(title)\(room)\(value)")
        }
        if let image { add("image", image) }
        if let root { add("root", root) }
        if let phase {
            var words = [phase.rawValue]
            if let since { words.append("since \(since)") }
            if let process { words.append("process \(process)") }
            if let supervisor { words.append("supervisor \(supervisor)") }
            add("phase", words.joined(separator: ", "))
        }
        for plugin in plugins {
            add("plugin", "\(plugin.name): \(plugin.phase.rawValue)\(plugin.since.map { " since \($0)" } ?? "")")
        }
        for mount in mounts {
            add("mount", mount.destination)
            if let source = mount.source { add("  source", source) }
            for plugin in mount.plugins { add("  by", "\(plugin.name), as \(plugin.effectiveSource)") }
        }
        for debt in owed { add("owed", "\(debt.plugin) is to detach: \(debt.reason)") }
        if let problem { add("damaged", problem) }
        return lines.map { TerminalOutput.printable($0) + "\n" }.joined()
    }
}
