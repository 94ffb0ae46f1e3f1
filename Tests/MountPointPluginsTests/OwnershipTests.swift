// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import MountPointPlugins

private func owner(_ path: String) -> [UInt32] {
    var status = stat()
    return lstat(path, &status) == 0 ? [status.st_uid, status.st_gid] : []
}

/// A tmpfs with a file of user 1000, and one mounted below it.
private func withSource(_ body: (String) async throws -> Void) async throws {
    try await withScratchFolder { folder in
        let source = folder.appending("source").string
        mkdir(source, 0o755)
        try systemCall("mount", on: source) { mount("tmpfs", source, "tmpfs", 0, "mode=0755,uid=1000,gid=1000") }
        close(creat("\(source)/file", 0o644))
        chown("\(source)/file", 1000, 1000)
        mkdir("\(source)/inner", 0o755)
        try systemCall("mount", on: source) { mount("tmpfs", "\(source)/inner", "tmpfs", 0, "mode=0755") }
        chown("\(source)/inner", 1000, 1000)
        try await body(source)
    }
}

private func request(_ source: String, options: String = "match-user", user: UInt32 = 0) -> MountPointAttachRequest {
    let mount = MountPoint.bind(source, "/work", labels: ["mountpoint.ownership": "/work:\(options)"]) {
        $0.container.user = ContainerDescription.User(uid: user, gid: user)
    }
    return MountPointAttachRequest(id: String(repeating: "a", count: 64), mounts: [mount])
}

@Suite("ownership", .needs(.root))
struct OwnershipTests {
    @Test("The owner appears as the container's user, what is made is the owner's, and nothing is left") func matchUser() async throws {
        try await withSource { source in
            let host = try InstanceHost()
            let plugin = try host.plugin(of: OwnershipKind.self)
            let request = request(source, user: 33)
            let attachment = try #require(try await plugin.attach(request).first)
            let shown = attachment.changes.effectiveSource
            #expect(attachment.attach && shown != source)
            #expect(owner("\(shown)/file") == [33, 33] && owner("\(shown)/inner") == [33, 33])
            close(creat("\(shown)/made", 0o644))
            chown("\(shown)/made", 33, 33)
            #expect(owner("\(source)/made") == [1000, 1000] && owner("\(source)/file") == [1000, 1000])
            #expect(attachment.emergencyDetach == [.unmount("\(shown)/inner"), .unmount(shown), .remove(shown)])
            try await plugin.detach(MountPointDetachRequest(id: request.id))
            #expect(host.left(of: "ownership") == [])
            // What is mounted below the source is not taken away with its copy.
            #expect(try MountTable.topmost(at: "\(source)/inner") != nil)
            try await plugin.detach(MountPointDetachRequest(id: request.id))
        }
    }

    @Test("Ids that nothing was said of are nobody's if that is wanted") func strict() async throws {
        try await withSource { source in
            chown("\(source)/file", 1234, 1234)
            let host = try InstanceHost()
            let plugin = try host.plugin(of: OwnershipKind.self)
            let request = request(source, options: "match-user,others=nobody")
            let shown = try #require(try await plugin.attach(request).first).changes.effectiveSource
            #expect(owner(shown) == [0, 0] && owner("\(shown)/file") == [65534, 65534])
            try await plugin.detach(MountPointDetachRequest(id: request.id))
        }
    }

    @Test("A single file is mapped, too") func singleFile() async throws {
        try await withSource { source in
            let host = try InstanceHost()
            let plugin = try host.plugin(of: OwnershipKind.self)
            let request = request("\(source)/file")
            let shown = try #require(try await plugin.attach(request).first).changes.effectiveSource
            #expect(owner(shown) == [0, 0])
            try await plugin.detach(MountPointDetachRequest(id: request.id))
            #expect(host.left(of: "ownership") == [] && owner("\(source)/file") == [1000, 1000])
        }
    }

    @Test("Where the owner is the container's user already, nothing is done") func same() async throws {
        try await withSource { source in
            let host = try InstanceHost()
            let attachments = try await host.plugin(of: OwnershipKind.self).attach(request(source, user: 1000))
            #expect(attachments.allSatisfy { !$0.attach } && host.left(of: "ownership") == [])
        }
    }

    @Test("A file system that cannot be mapped is named in the denial, and nothing is left") func refused() async throws {
        try await withScratchFolder { folder in
            let source = folder.string
            try systemCall("mount", on: source) { mount("ramfs", source, "ramfs", 0, "mode=0755") }
            chown(source, 1000, 1000)
            let host = try InstanceHost()
            let plugin = try host.plugin(of: OwnershipKind.self)
            await #expect {
                try await plugin.attach(request(source))
            } throws: {
                "\($0)".contains("ramfs") && "\($0)".contains("cannot be id-mapped")
            }
            #expect(host.left(of: "ownership") == [])
        }
    }

    @Test("A new process takes away what belongs to a container that is gone, and leaves what runs") func recovery() async throws {
        try await withSource { source in
            let host = try InstanceHost()
            let request = request(source)
            let shown = try #require(try await host.plugin(of: OwnershipKind.self).attach(request).first).changes.effectiveSource
            try host.run(request.id)
            try host.plugin(of: OwnershipKind.self).recover()
            #expect(owner("\(shown)/file") == [0, 0])
            try FileManager.default.removeItem(atPath: host.places.runtime.appending("containers/default/\(request.id)").string)
            try host.plugin(of: OwnershipKind.self).recover()
            #expect(host.left(of: "ownership") == [])
        }
    }
}
