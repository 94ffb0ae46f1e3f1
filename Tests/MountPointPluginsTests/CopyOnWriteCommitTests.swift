// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import MountPointPlugins

/// Two trees that are the same: one is given to a container, the other shows what should become of it.
private func withTrees(
    _ seed: UInt64, isOneMount: Bool, _ body: (_ source: String, _ model: String) async throws -> Void
) async throws {
    try await withScratchFolder { folder in
        let (source, model) = (folder.appending("source").string, folder.appending("model").string)
        for tree in [source, model] {
            mkdir(tree, 0o755)
            // Trees of the same kind, or they do not do the same.
            if !isOneMount { try systemCall("mount", on: tree) { mount("tmpfs", tree, "tmpfs", 0, "mode=0755") } }
            TreeWorkload(seed: seed).plant(at: tree)
        }
        // What is made in one tick with the beginning counts as made since.
        let planted = EntryStatus.Time.ofLastTick()
        while EntryStatus.Time.ofLastTick() <= planted { usleep(1000) }
        #expect(TreePicture.of(source) == TreePicture.of(model))
        try await body(source, model)
    }
}

/// The long form, for a night: `DOCKER_NFSD_TEST_LONG=1`.
private let isLong = ProcessInfo.processInfo.environment["DOCKER_NFSD_TEST_LONG"] == "1"
/// The last ones take away the name under which a file of several names was changed.
private let seeds = (1...(isLong ? 1000 : 40)).map { UInt64($0) } + [367, 707, 716, 717]

@Suite("copy-on-write, commit", .needs(.root))
struct CopyOnWriteCommitTests {
    @Test("What is committed is what the container saw, and what a plain tree would be", arguments: seeds, [true, false])
    func model(seed: UInt64, isOneMount: Bool) async throws {
        try await withTrees(seed, isOneMount: isOneMount) { source, model in
            let before = TreePicture.of(source, folderTimes: true)
            let host = try InstanceHost()
            let plugin = try host.plugin(of: CopyOnWriteKind.self)
            let request = MountPointAttachRequest(copyOnWrite: source, options: "commit")
            let shown = try #require(try await plugin.attach(request).first).changes.effectiveSource
            TreeWorkload(seed: seed).run(at: model)
            TreeWorkload(seed: seed).run(at: shown)
            let seen = TreePicture.of(shown)
            try #require(seen == TreePicture.of(model), "an overlay does the same as a plain tree")
            #expect(TreePicture.of(source, folderTimes: true) == before)
            try await plugin.detach(MountPointDetachRequest(id: request.id, reason: .ended))
            #expect(TreePicture.of(source) == seen)
            #expect(host.left(of: "copy-on-write") == ["changes"] && host.changes == [])
        }
    }

    /// How a commit is interrupted: by a kill, or by a call that fails. Quotas do not hold root back on local file systems, but on servers.
    private static let interrupted: [(seed: UInt64, isOneMount: Bool, error: Errno?)] = [
        (7, true, nil), (11, false, nil), (7, true, .readOnlyFileSystem), (11, false, .diskQuotaExceeded), (13, true, .permissionDenied),
        (11, false, .noSpace), (13, true, .ioError),
    ]

    @Test(
        "A commit that is killed or refused at any of its calls has nothing half done, and goes on to the same end", arguments: interrupted)
    func interruptions(_ row: (seed: UInt64, isOneMount: Bool, error: Errno?)) async throws {
        var place = 1
        while true {
            var isThrough = false
            try await withTrees(row.seed, isOneMount: row.isOneMount) { source, _ in
                let old = TreePicture.contents(of: source)
                let host = try InstanceHost()
                let plugin = try host.plugin(of: CopyOnWriteKind.self)
                let request = MountPointAttachRequest(copyOnWrite: source, options: "keep")
                let shown = try #require(try await plugin.attach(request).first).changes.effectiveSource
                TreeWorkload(seed: row.seed).run(at: shown)
                let (seen, new) = (TreePicture.of(shown), TreePicture.contents(of: shown))
                try await plugin.detach(MountPointDetachRequest(id: request.id, reason: .ended))
                let name = try #require(host.changes.first)
                let end = try await host.commitInterrupted(name, at: place, failingWith: row.error)
                isThrough = !end.wasInterrupted
                #expect(TreePicture.contents(of: source).subtracting(old).subtracting(new) == [], "half of a file, at call \(place)")
                // Behind the last change it is not there any more, and only removed.
                if try await host.run(["list"]).output.contains(name) {
                    #expect(row.error == nil || end.status != 0, "at call \(place): it is kept, and that was not said")
                    let result = try await host.run(["commit", name])
                    #expect(result.status == 0, "at call \(place): \(result)")
                }
                #expect(TreePicture.of(source) == seen, "at call \(place)")
                try host.plugin(of: CopyOnWriteKind.self).recover()
                #expect(host.changes == [], "at call \(place)")
            }
            if isThrough { return }
            place += isLong ? 1 : 11
        }
    }
}
