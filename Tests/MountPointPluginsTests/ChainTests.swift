// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import MountPointPlugins

/// Several kinds on one source: in several containers, and one after another in a chain.
@Suite("Kinds together", .needs(.root), .enabled(if: MemoryMount.knowsNoSwap, "needs Linux 6.4"), .serialized)
struct ChainTests {
    /// A source on a tmpfs of its own, which belongs to user 1000, and the kinds that can be asked about it.
    struct Source {
        let host: InstanceHost
        let folder: String

        static func with(_ body: (Source) async throws -> Void) async throws {
            try await withScratchFolder { scratch in
                let folder = scratch.appending("source").string
                mkdir(folder, 0o755)
                try systemCall("mount", on: folder) { Glibc.mount("tmpfs", folder, "tmpfs", 0, "mode=0755,uid=1000,gid=1000") }
                try "text".write(toFile: folder + "/file", atomically: false, encoding: .utf8)
                chown(folder + "/file", 1000, 1000)
                mkdir(scratch.appending("secret").string, 0o755)
                try await body(Source(host: InstanceHost(), folder: folder))
            }
        }

        func plugin(_ kind: String) throws -> InstancePlugin {
            let secret = (folder as NSString).deletingLastPathComponent + "/secret"
            switch kind {
            case "translate": return try host.plugin(#"{"paths":[{"prefix":"/no-such/p","to":"\#(folder)"}]}"#, of: TranslateKind.self)
            case "ownership": return try host.plugin(of: OwnershipKind.self)
            case "noswap": return try host.plugin(of: NoSwapKind.self)
            case "copy-on-write": return try host.plugin(of: CopyOnWriteKind.self)
            default:
                return try host.plugin(
                    #"{"rules":[{"action":"deny","source":["\#(secret)"]},{"action":"read-only","source":["\#(folder)"]}]}"#,
                    of: PolicyKind.self)
            }
        }

        /// - Parameter kinds: those that the container's labels ask for.
        func mount(_ kinds: [String]) -> MountPoint {
            var labels: StringMap = [:]
            if kinds.contains("ownership") { labels["mountpoint.ownership"] = "/m:match-user" }
            if kinds.contains("noswap") { labels["mountpoint.noswap"] = "/m" }
            if kinds.contains("copy-on-write") { labels["mountpoint.copy-on-write"] = "/m:commit" }
            return .bind(kinds.contains("translate") ? "/no-such/p" : folder, "/m", labels: labels) {
                // What the host would say, which reads the mount table for each plugin.
                $0.origin = []
                $0.container.user = ContainerDescription.User(uid: 33, gid: 33)
            }
        }

        /// What a container sees of it: `text` and the owner of the file; the owner alone of an empty folder.
        static func view(_ place: String) -> String {
            var status = stat()
            let text = (try? String(contentsOfFile: place + "/file", encoding: .utf8)) ?? ""
            stat(place, &status)
            return "\(text) \(status.st_uid)"
        }

        func left() throws -> [String] {
            let names = PluginPlaces.kinds.flatMap { host.left(of: $0) }.filter { !["denials.log", "changes"].contains($0) }
            return try names + MountTable().mounts(below: host.places.state.string).map(\.mountPoint)
        }
    }

    private static let views = [
        "policy": "text 1000", "translate": "text 1000", "ownership": "text 33", "copy-on-write": "text 1000", "noswap": " 0",
    ]
    static let pairs = PluginPlaces.kinds.flatMap { one in PluginPlaces.kinds.flatMap { other in [false, true].map { (one, other, $0) } } }

    @Test("Two containers on one source, in every pair of kinds, stopped in either order", arguments: pairs)
    func pair(_ row: (String, String, Bool)) async throws {
        try await Source.with { source in
            var running: [(id: String, plugin: InstancePlugin, place: String, view: String)] = []
            for (id, kind) in [("a", row.0), ("b", row.1)] {
                let mount = source.mount([kind])
                let plugin = try running.first { $0.id == "a" && row.0 == row.1 }?.plugin ?? source.plugin(kind)
                let answer = try await plugin.attach(MountPointAttachRequest(id: id, mounts: [mount]))
                let changed = try #require(answer.first).changes.effectiveSource
                #expect(answer[0].attach)
                running.append((id, plugin, changed.isEmpty ? source.folder : changed, Self.views[kind] ?? ""))
            }
            if row.2 { running.reverse() }
            while let ended = running.popLast() {
                #expect(Source.view(ended.place) == ended.view, "\(row)")
                try await ended.plugin.detach(MountPointDetachRequest(id: ended.id))
                for other in running { #expect(Source.view(other.place) == other.view, "\(row): after \(ended.id)") }
            }
            #expect(Source.view(source.folder) == "text 1000")
            #expect(try source.left() == [])
        }
    }

    /// Asks plugins in this order, as a host does.
    ///
    /// - Returns: the mount as the last one leaves it.
    private func attach(_ order: [String], _ source: Source, asking kinds: [String]) async throws -> (MountPoint, [InstancePlugin]) {
        var mount = source.mount(kinds)
        var plugins: [InstancePlugin] = []
        do {
            for kind in order {
                let plugin = try source.plugin(kind)
                let answer = try await plugin.attach(MountPointAttachRequest(id: "c", mounts: [mount]))
                plugins.append(plugin)
                guard let attachment = answer.first, attachment.attach else { continue }
                if !attachment.changes.effectiveSource.isEmpty { mount.effectiveSource = attachment.changes.effectiveSource }
                mount.readOnly = mount.readOnly || attachment.changes.readOnly == true
                mount.appliedMiddleware.append(AppliedMiddleware(name: "plugin:\(kind)", changes: attachment.changes))
            }
        } catch {
            try await detach(plugins)
            throw error
        }
        return (mount, plugins)
    }

    private func detach(_ plugins: [InstancePlugin]) async throws {
        for plugin in plugins.reversed() { try await plugin.detach(MountPointDetachRequest(id: "c")) }
    }

    @Test("In the right order all of them work on one mount, and each of them on what those before have made")
    func rightOrder() async throws {
        try await Source.with { source in
            let order = ["translate", "policy", "ownership", "noswap"]
            let (mapped, first) = try await attach(order, source, asking: ["translate", "ownership"])
            #expect(Source.view(mapped.effectiveSource) == "text 33" && mapped.readOnly)
            try await detach(first)
            let (memory, second) = try await attach(order, source, asking: ["translate", "ownership", "noswap"])
            #expect(Source.view(memory.effectiveSource) == " 0")
            try await detach(second)
            // A tmpfs can be mapped: its owner, root, appears as the container's user.
            let (both, third) = try await attach(["noswap", "ownership"], source, asking: ["ownership", "noswap"])
            #expect(Source.view(both.effectiveSource) == " 33")
            try await detach(third)
            #expect(try source.left() == [])
        }
    }

    @Test("Behind translate and ownership, what a container changes goes to the source at the end, and is its owner's")
    func commitBehindOthers() async throws {
        try await Source.with { source in
            let order = ["translate", "ownership", "copy-on-write"]
            let (mount, plugins) = try await attach(order, source, asking: order)
            #expect(Source.view(mount.effectiveSource) == "text 33")
            try "made".write(toFile: mount.effectiveSource + "/made", atomically: false, encoding: .utf8)
            chown(mount.effectiveSource + "/made", 33, 33)
            #expect(access(source.folder + "/made", F_OK) != 0)
            try await detach(plugins)
            var status = stat()
            #expect(stat(source.folder + "/made", &status) == 0 && status.st_uid == 1000 && status.st_gid == 1000)
            #expect(try source.left() == [])
        }
    }

    @Test("A policy that makes a mount read-only leaves copy-on-write nothing to do, which it says")
    func readOnlyFirst() async throws {
        try await Source.with { source in
            await #expect(throws: PluginError("/m is mounted read-only, so there is nothing to copy; leave out one of both")) {
                _ = try await attach(["policy", "copy-on-write"], source, asking: ["copy-on-write"])
            }
            let left = try source.left()
            #expect(left == [])
        }
    }

    @Test("ownership that comes behind copy-on-write says that it must come before it")
    func ownershipLate() async throws {
        try await Source.with { source in
            let text =
                "/m: copy-on-write has been asked before ownership and has moved \(source.folder) to where it cannot be id-mapped; let ownership come before copy-on-write in the chain"
            await #expect(throws: PluginError(text)) {
                _ = try await attach(["copy-on-write", "ownership"], source, asking: ["ownership", "copy-on-write"])
            }
            let left = try source.left()
            #expect(left == [])
        }
    }

    @Test("A source that is an overlay already can have one more, and a third is a denial that says why")
    func depth() async throws {
        try await Source.with { source in
            var (mount, plugins) = (source.mount(["copy-on-write"]), [InstancePlugin]())
            for depth in 1...3 {
                let plugin = try InstanceHost().plugin(of: CopyOnWriteKind.self)
                let request = MountPointAttachRequest(id: "c", mounts: [mount])
                if depth == 3 {
                    let error = await #expect(throws: PluginError.self) { _ = try await plugin.attach(request) }
                    #expect(error?.message.contains("a source that is two overlays deep already cannot have a third") == true)
                    break
                }
                mount.effectiveSource = try #require(try await plugin.attach(request).first).changes.effectiveSource
                plugins.append(plugin)
                #expect(Source.view(mount.effectiveSource) == "text 1000")
            }
            try "changed".write(toFile: mount.effectiveSource + "/file", atomically: false, encoding: .utf8)
            try await detach(plugins)
            #expect(Source.view(source.folder) == "changed 1000")
        }
    }

    @Test("translate that comes late says that it must come first", arguments: ["ownership", "copy-on-write", "noswap"])
    func translateLate(_ kind: String) async throws {
        try await Source.with { source in
            mkdir("/no-such", 0o755)
            mkdir("/no-such/p", 0o755)
            defer {
                rmdir("/no-such/p")
                rmdir("/no-such")
            }
            let text = "/m: \(kind) has been asked before translate and has moved /no-such/p; let translate come first in the chain"
            await #expect(throws: PluginError(text)) {
                _ = try await attach([kind, "translate"], source, asking: ["translate", kind])
            }
            let left = try source.left()
            #expect(left == [])
        }
    }

    @Test("A policy that comes after others sees what they have made, and is not in the way of it")
    func policyLast() async throws {
        try await Source.with { source in
            for kind in ["translate", "ownership"] {
                let (mount, plugins) = try await attach([kind, "policy"], source, asking: [kind])
                #expect(mount.readOnly, "\(kind): the rule for the source holds")
                // Another container's mount of the same folder is no reason against a plain one.
                let other = try source.plugin("policy")
                let plain = try await other.attach(MountPointAttachRequest(id: "d", mounts: [source.mount([])]))
                #expect(plain.first?.changes.readOnly == true)
                try await other.detach(MountPointDetachRequest(id: "d"))
                try await detach(plugins)
            }
            let (memory, plugins) = try await attach(["noswap", "policy"], source, asking: ["noswap"])
            #expect(!memory.readOnly)
            // Whoever asks for the place itself does not get it.
            var thief = source.mount([])
            (thief.source, thief.effectiveSource) = (memory.effectiveSource, memory.effectiveSource)
            let policy = try source.plugin("policy")
            let error = await #expect(throws: PluginError.self) {
                try await policy.attach(MountPointAttachRequest(id: "d", mounts: [thief]))
            }
            #expect(error?.message.hasSuffix("from where plugins are controlled (own places)") == true, "\(String(describing: error))")
            try await detach(plugins)
            #expect(try source.left() == [])
        }
    }

    @Test("A policy that comes behind copy-on-write cannot tell what it shows, and says that it must come before it")
    func policyBehindLayers() async throws {
        try await Source.with { source in
            let secret = (source.folder as NSString).deletingLastPathComponent + "/secret"
            let text =
                "/m would show \(secret); what copy-on-write has made cannot be looked through: let policy come before it in the chain (rule 1)"
            await #expect(throws: PluginError(text)) {
                _ = try await attach(["copy-on-write", "policy"], source, asking: ["copy-on-write"])
            }
            let left = try source.left()
            #expect(left == [])
        }
    }

    @Test("After a reboot nothing is left of any kind", arguments: PluginPlaces.kinds)
    func reboot(_ kind: String) async throws {
        try await Source.with { source in
            _ = try await attach([kind], source, asking: [kind])
            let state = source.host.places.state
            for mount in try MountTable().mounts(below: state.string).reversed() { umount2(mount.mountPoint, 0) }
            let files = ContainerFiles(in: state.appending(kind))
            var kept = try #require(try files.read("c"))
            kept.boot = "00000000-0000-0000-0000-000000000000"
            try files.write(kept)
            let plugin = try source.plugin(kind)
            plugin.recover()
            #expect(try source.left() == [] && Source.view(source.folder) == "text 1000")
        }
    }
}

extension PluginPlaces {
    /// The kinds that these tests put together.
    fileprivate static let kinds = ["policy", "translate", "ownership", "copy-on-write", "noswap"]
}
