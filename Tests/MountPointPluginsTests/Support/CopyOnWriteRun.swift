// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import MountPointPlugins

/// A container on a source, by the plugin itself.
struct CopyOnWriteRun {
    let host: InstanceHost
    let plugin: InstancePlugin
    let request: MountPointAttachRequest
    let shown: String

    init(_ source: String, _ options: String, on host: InstanceHost, id: Character = "a") async throws {
        self.host = host
        plugin = try host.plugin(of: CopyOnWriteKind.self)
        request = MountPointAttachRequest(copyOnWrite: source, options: options, id: id)
        let attachment = try #require(try await plugin.attach(request).first)
        shown = attachment.changes.effectiveSource
    }

    func end(_ reason: DetachReason = .ended) async throws {
        try await plugin.detach(MountPointDetachRequest(id: request.id, reason: reason))
    }

    func write(_ name: String, _ text: String) throws {
        try text.write(toFile: "\(shown)/\(name)", atomically: false, encoding: .utf8)
    }
}

func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

/// A source with three files, older than any tick of the clock from now on.
func withCopiedSource(_ body: (_ source: String, _ host: InstanceHost) async throws -> Void) async throws {
    try await withScratchFolder { folder in
        let source = folder.appending("source").string
        mkdir(source, 0o755)
        mkdir("\(source)/sub", 0o750)
        for name in ["one", "two", "sub/three"] {
            try "old \(name)\n".write(toFile: "\(source)/\(name)", atomically: false, encoding: .utf8)
        }
        waitForTick()
        try await body(source, InstanceHost())
    }
}

func waitForTick() {
    let now = EntryStatus.Time.ofLastTick()
    while EntryStatus.Time.ofLastTick() <= now { usleep(1000) }
}

extension MountPointAttachRequest {
    init(copyOnWrite source: String, options: String, id: Character = "a", configure: (inout MountPoint) -> Void = { _ in }) {
        let mount = MountPoint.bind(source, "/work", labels: ["mountpoint.copy-on-write": "/work:\(options)"], configure: configure)
        self.init(id: String(repeating: id, count: 64), mounts: [mount])
    }
}

extension InstanceHost {
    /// Names of what the instance copy-on-write has kept.
    var changes: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: places.state.appending("copy-on-write/changes").string)) ?? []).sorted()
    }

    var environment: [String: String] {
        [
            "MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY": places.sockets.string, "MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY": places.settings.string,
            "MOUNTPOINT_PLUGIN_STATE_DIRECTORY": places.state.string, "MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY": places.runtime.string,
            "MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY": places.docker.string,
        ]
    }

    private static let programs = "\(Repository.root)/.build/debug"

    /// `mountpoint-plugin copy-on-write` with these words.
    func run(_ words: [String]) async throws -> CommandResult {
        try await command(["\(Self.programs)/mountpoint-plugin", "copy-on-write"] + words, environment: environment)
    }

    /// Commits, and is killed at the nth call that changes something.
    ///
    /// - Returns: whether there were fewer calls.
    func commitKilled(_ name: String, at place: Int) async throws -> Bool {
        let calls =
            "renameat2,rename,unlinkat,unlink,rmdir,mkdir,mkdirat,linkat,symlinkat,fchownat,fchmodat,chmod,utimensat,ftruncate,write,fsync"
        let words = [
            "\(Self.programs)/fault-injector", "run", calls, String(place), "kill", "\(Self.programs)/mountpoint-plugin", "copy-on-write",
            "commit", name,
        ]
        var pair: [CInt] = [0, 0]
        guard socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &pair) == 0 else { throw Trouble("socketpair: \(errno)") }
        defer { pair.forEach { close($0) } }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: words[0])
        process.arguments = Array(words.dropFirst())
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle(fileDescriptor: pair[0])
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        var text = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(pair[1], &text, text.count, CInt(MSG_DONTWAIT))
        return !String(decoding: text.prefix(max(count, 0)), as: UTF8.self).contains("hit ")
    }
}

extension MountTable {
    /// Whether nothing is mounted below a folder.
    static func isFree(below folder: String) -> Bool { (try? MountTable().mounts(below: folder).isEmpty) ?? false }
}
