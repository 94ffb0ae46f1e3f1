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

    /// By a descriptor that no process which another test starts meanwhile inherits: that would keep the mount busy.
    func write(_ name: String, _ text: String) throws {
        let file = try systemCall("open", on: name) { open("\(shown)/\(name)", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644) }
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard Glibc.write(file, bytes, bytes.count) == bytes.count else { throw Trouble("cannot write \(name)") }
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

    /// `mountpoint-plugin copy-on-write` with these words.
    func run(_ words: [String]) async throws -> CommandResult {
        try await command([InterruptedProgram.program, "copy-on-write"] + words, environment: environment)
    }

    /// Commits, and is interrupted at the nth call that changes something.
    func commitInterrupted(_ name: String, at place: Int, failingWith error: Errno?) async throws -> InterruptedProgram.End {
        let calls =
            "renameat2,rename,unlinkat,unlink,rmdir,mkdir,mkdirat,linkat,symlinkat,mknodat,fchownat,fchmodat,chmod,utimensat,ftruncate,"
            + "write,copy_file_range,setxattr,lsetxattr,fsync"
        return try await InterruptedProgram.run(["copy-on-write", "commit", name], on: self, calls: calls, at: place, failingWith: error)
    }
}

extension MountTable {
    /// Whether nothing is mounted below a folder.
    static func isFree(below folder: String) -> Bool { (try? MountTable().mounts(below: folder).isEmpty) ?? false }
}
