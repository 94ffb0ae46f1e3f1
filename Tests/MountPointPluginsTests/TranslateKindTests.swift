// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import JSON
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import MountPointPlugins

/// `translate` as a host asks it; it mounts.
@Suite(.needs(.root), .timeLimit(.minutes(5))) struct TranslateKindTests {
    private func mounts(of host: InstanceHost) throws -> [String] {
        try MountTable().mounts(below: host.places.state.string).map(\.mountPoint)
    }

    private func attach(_ plugin: InstancePlugin, _ mounts: [MountPoint]) async throws -> [DockerPluginAPI.Attachment] {
        try await plugin.attach(MountPointAttachRequest(id: "c1", mounts: mounts))
    }

    private func detach(_ plugin: InstancePlugin) async throws { try await plugin.detach(MountPointDetachRequest(id: "c1")) }

    private func refusal(_ plugin: InstancePlugin, _ mount: MountPoint) async -> String {
        let error = await #expect(throws: PluginError.self) { try await attach(plugin, [mount]) }
        return error?.message ?? ""
    }

    @Test func aContainerGetsWhatThePathMeans() async throws {
        let host = try InstanceHost()
        let target = try host.folder("target")
        try FileManager.default.createDirectory(atPath: target + "/src", withIntermediateDirectories: true)
        try "text".write(toFile: target + "/src/file", atomically: false, encoding: .utf8)
        let plugin = try host.plugin(#"{"paths":[{"prefix":"/no-such/p","to":"\#(target)"}]}"#, of: TranslateKind.self)
        let attachments = try await attach(
            plugin, [.bind("/no-such/p/src", "/a"), .bind("/no-such/p/src/file", "/b"), .bind("/elsewhere", "/c")])
        #expect(attachments.map(\.attach) == [true, true, false])
        let sources = attachments.map(\.changes.effectiveSource)
        #expect(try String(contentsOfFile: sources[0] + "/file", encoding: .utf8) == "text")
        #expect(try String(contentsOfFile: sources[1], encoding: .utf8) == "text")
        #expect(try mounts(of: host).count == 2)
        #expect(attachments[0].emergencyDetach == [.unmount(sources[0]), .remove(sources[0])])
        try await detach(plugin)
        #expect(try mounts(of: host).isEmpty)
        #expect(host.left(of: "translate").isEmpty)
        #expect(FileManager.default.fileExists(atPath: target + "/src/file"))
        // Once more, as after a restart of the plugin that had detached and was killed before it could say so.
        try await detach(plugin)
    }

    /// Who may write below a target puts a link there after the plugin has answered.
    @Test func aLinkThatComesLaterLeadsNowhere() async throws {
        let host = try InstanceHost()
        let target = try host.folder("target")
        try FileManager.default.createDirectory(atPath: target + "/src", withIntermediateDirectories: true)
        let plugin = try host.plugin(#"{"paths":[{"prefix":"/p","to":"\#(target)"}]}"#, of: TranslateKind.self)
        let source = try #require(try await attach(plugin, [.bind("/p/src", "/a")]).first).changes.effectiveSource
        try FileManager.default.moveItem(atPath: target + "/src", toPath: target + "/moved")
        try #require(symlink("/etc", target + "/src") == 0)
        #expect(!FileManager.default.fileExists(atPath: source + "/passwd"))
        try await detach(plugin)
        #expect(await refusal(plugin, .bind("/p/src", "/a")).contains("leads out of \(target) by a link"))
        #expect(try mounts(of: host).isEmpty && host.left(of: "translate").isEmpty)
    }

    @Test func labelsGiveThePathInTheSourcesPlace() async throws {
        let host = try InstanceHost()
        let target = try host.folder("target")
        try FileManager.default.createDirectory(atPath: target + "/Users/me", withIntermediateDirectories: true)
        let plugin = try host.plugin(
            #"{"paths":[{"prefix":"/c","to":"\#(target)","case":"insensitive"}]}"#, of: TranslateKind.self)
        let labelled = MountPoint.bind("/srv/other", "/w", labels: ["mountpoint.translate": #"/w:c/x"#])
        #expect(await refusal(plugin, labelled).contains("c/x is no absolute path"))
        let unknown = MountPoint.bind("/srv/other", "/w", labels: ["mountpoint.translate": #"/w:/d/x"#])
        #expect(await refusal(plugin, unknown).contains("no rule translates /d/x; there are /c"))
        var volume = MountPoint.bind("/var/lib/docker/volumes/src/_data", "/w")
        volume.type = .volume
        volume.volume.name = "src"
        volume.volume.labels = ["mountpoint.translate": #"C:\users\ME"#]
        let attachment = try #require(try await attach(plugin, [volume]).first)
        #expect(attachment.attach)
        try await detach(plugin)
        #expect(try mounts(of: host).isEmpty)
    }

    /// Mounts of most hosts are shared: what is done with a copy could be done with the original, too.
    @Test func whatIsMountedBelowATargetIsSeenAndStays() async throws {
        let host = try InstanceHost()
        let target = try host.folder("target")
        func run(_ words: String...) async throws { _ = try await command(words) }
        try await run("mount", "-t", "tmpfs", "outer", target)
        defer { for place in [target + "/inner", target] { umount2(place, CInt(MNT_DETACH)) } }
        try await run("mount", "--make-shared", target)
        try await run("mkdir", target + "/inner")
        try await run("mount", "-t", "tmpfs", "inner", target + "/inner")
        try await run("touch", target + "/inner/file")
        let plugin = try host.plugin(#"{"paths":[{"prefix":"/p","to":"\#(target)"}]}"#, of: TranslateKind.self)
        let attachment = try #require(try await attach(plugin, [.bind("/p", "/a")]).first)
        let source = attachment.changes.effectiveSource
        #expect(FileManager.default.fileExists(atPath: source + "/inner/file"))
        #expect(attachment.emergencyDetach == [.unmount(source + "/inner"), .unmount(source), .remove(source)])
        try await detach(plugin)
        #expect(try mounts(of: host).isEmpty)
        #expect(FileManager.default.fileExists(atPath: target + "/inner/file"))
    }

    /// The container's record is older than what dockerd makes for its sources.
    @Test func theFoldersThatAnEngineHasMadeAreRemovedAgain() async throws {
        let host = try InstanceHost()
        let (target, root) = (try host.folder("target"), try host.folder("root"))
        try FileManager.default.createDirectory(atPath: target + "/a/b", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(atPath: root + "/p", withIntermediateDirectories: true)
        let container = host.places.docker.appending("containers/c1")
        // The clock of a file system ticks some hundred times a second.
        repeat {
            try? FileManager.default.removeItem(atPath: container.string)
            try FileManager.default.createDirectory(atPath: container.string, withIntermediateDirectories: true)
        } while try birthTime(of: container) <= birthTime(of: FilePath(root + "/p"))
        // Of two mounts, the second of which the engine has taken for a folder though it is a file.
        for name in ["b", "c.yml"] {
            try FileManager.default.createDirectory(atPath: root + "/p/a/\(name)", withIntermediateDirectories: true)
        }
        try "text".write(toFile: target + "/a/c.yml", atomically: false, encoding: .utf8)
        let plugin = try host.plugin(#"{"paths":[{"prefix":"\#(root)/p","to":"\#(target)"}]}"#, of: TranslateKind.self)
        // What somebody has put there stays, and so does what is above it.
        try FileManager.default.createDirectory(atPath: root + "/p/a/own", withIntermediateDirectories: true)
        try "text".write(toFile: root + "/p/a/own/file", atomically: false, encoding: .utf8)
        for remains in [["a"], []] {
            _ = try await attach(plugin, [.bind(root + "/p/a/b", "/w"), .bind(root + "/p/a/c.yml", "/c.yml")])
            #expect(FileManager.default.fileExists(atPath: root + "/p/a/b"))
            try await detach(plugin)
            #expect(try FileManager.default.contentsOfDirectory(atPath: root + "/p") == remains)
            if remains.isEmpty { break }
            #expect(try FileManager.default.contentsOfDirectory(atPath: root + "/p/a") == ["own"])
            try FileManager.default.removeItem(atPath: root + "/p/a/own")
            for name in ["b", "c.yml"] { mkdir(root + "/p/a/\(name)", 0o755) }
        }
        // The prefix was there before the container, and is somebody's.
        #expect(FileManager.default.fileExists(atPath: target + "/a/b"))
    }

    /// Also what is mounted inside another mount, and what is in the container alone.
    @Test func aPathIsLookedUpAsAnotherContainerSeesIt() async throws {
        let host = try InstanceHost()
        let (outer, inner, view) = (try host.folder("outer"), try host.folder("inner"), try host.folder("view"))
        for folder in [outer + "/src", outer + "/nested", inner + "/deep"] {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        process.arguments = [
            "--mount", "--propagation", "private", "sh", "-c",
            "mount --bind \(outer) \(view) && mount --bind \(inner) \(view)/nested && touch \(outer)/ready && exec sleep 1000",
        ]
        try process.run()
        defer {
            process.terminate()
            process.waitUntilExit()
        }
        try await eventually("the other container's mounts") { FileManager.default.fileExists(atPath: outer + "/ready") }
        let record = host.places.docker.appending("containers/abc").string
        try FileManager.default.createDirectory(atPath: record, withIntermediateDirectories: true)
        let state = #"{"Running":true,"Pid":\#(process.processIdentifier)}"#
        try #"{"ID":"","Name":"/runner","State":\#(state),"Config":{"Labels":{"role":"ci"}},"MountPoints":{}}"#
            .write(toFile: record + "/config.v2.json", atomically: false, encoding: .utf8)
        for target in ["container:runner", "container:label=role", "container:label=role=ci"] {
            let plugin = try host.plugin(#"{"paths":[{"prefix":"\#(view)","to":"\#(target)"}]}"#, of: TranslateKind.self)
            let attachments = try await attach(plugin, [.bind(view + "/src", "/a"), .bind(view + "/nested/deep", "/b")])
            #expect(host.targets(of: "translate", "c1") == [outer + "/src", inner + "/deep"])
            #expect(attachments.allSatisfy { $0.attach })
            try await detach(plugin)
            #expect(await refusal(plugin, .bind(view + "/none", "/a")).contains("as container runner sees it"))
        }
        let elsewhere = try host.plugin(#"{"paths":[{"prefix":"/etc","to":"container:runner"}]}"#, of: TranslateKind.self)
        #expect(await refusal(elsewhere, .bind("/etc", "/a")).contains("it is in no mount of the container"))
        let nobody = try host.plugin(#"{"paths":[{"prefix":"/etc","to":"container:nobody"}]}"#, of: TranslateKind.self)
        #expect(await refusal(nobody, .bind("/etc", "/a")).contains("no container named nobody runs"))
    }
}

extension InstanceHost {
    /// A new folder in its root.
    func folder(_ name: String) throws -> String {
        let path = root.appending(name).string
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    /// What the mounts of a container were translated to.
    fileprivate func targets(of name: String, _ id: String) -> [String] {
        let file = places.state.appending(name).appending(id + ".json")
        guard let bytes = try? readRegularFile(file, limit: 1 << 20), let kept = try? KeptContainer(JSONObjectReader(parsing: bytes)) else {
            return []
        }
        return kept.mounts.compactMap { $0.record["target"]?.stringValue }
    }
}
