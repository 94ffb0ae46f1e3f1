// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import LinuxSystem
import Logging
import MountPointPlugins
import PluginServer
import SystemPackage

/// Serves an instance: builds its parts, takes up what an earlier process left, and answers until a signal comes.
enum Service {
    static func run(_ name: String, instance: String?, places: PluginPlaces?) async throws {
        umask(0o022)
        let kind = try KindCatalogue.kind(named: name)
        let instance = try PluginInstance(of: name, named: instance, places: try places ?? .ofEnvironment())
        let logger = Logger(label: "mountpoint-plugin") { _ in JournalLogHandler(level: .info) }
        let activated = try SocketActivation.takeSockets()
        let handed = activated.first { $0.path?.lastComponent?.stem == instance.name }
        let plugin = try InstancePlugin(of: kind, instance, logger: logger)
        try await BlockingThread.run(named: "recover") { plugin.recover() }
        let listener = PluginListener(
            name: instance.name, socket: handed.map { .inherited($0.descriptor) } ?? .path(instance.socket),
            service: MountPointService(plugin))
        let server = PluginServer(listeners: [listener], logger: logger)
        let systemd = ServiceNotification()
        try await server.start()
        logger.info("mountpoint-plugin \(version) serves \(instance.name) (\(name))")
        try systemd.ready()
        let signal = try await Program.signals.get().first()
        logger.info("stopping on \(signal); what containers have stays")
        try systemd.stopping()
        await server.stop()
    }

    /// Whether the words ask for a service, which must have blocked its signals before the first thread.
    static func isServing(_ words: [String]) -> Bool {
        guard let name = words.dropFirst().first, KindCatalogue.all.contains(where: { $0.information.name == name }) else { return false }
        return words.dropFirst(2).first.map { $0.utf8.first == UInt8(ascii: "-") || $0 == "serve" } ?? true
    }

    /// `KIND` or `KIND --instance NAME`, and nothing else.
    static func plainCommand(_ words: [String]) -> (kind: String, instance: String?)? {
        guard isServing(words) else { return nil }
        if words.count == 2 { return (words[1], nil) }
        if words.count == 4 && words[2] == "--instance" { return (words[1], words[3]) }
        return nil
    }
}
