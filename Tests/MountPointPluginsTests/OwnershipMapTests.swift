// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import MountPointPlugins

@Suite("Maps of owners")
struct OwnershipMapTests {
    @Test("A total map exchanges two ids and keeps all others") func exchange() throws {
        let map = try OwnershipMap([IDRange(inside: 1000, outside: 0, count: 1)])
        #expect(
            map.total == [
                IDRange(inside: 0, outside: 1000, count: 1), IDRange(inside: 1, outside: 1, count: 999),
                IDRange(inside: 1000, outside: 0, count: 1), IDRange(inside: 1001, outside: 1001, count: 4_294_966_294),
            ])
    }

    @Test(
        "A total map has each id once on either side",
        arguments: [
            [IDRange(inside: 0, outside: 100_000, count: 1000)], [IDRange(inside: 5, outside: 7, count: 10)],
            [IDRange(inside: 4_294_967_294, outside: 0, count: 1)],
            [IDRange(inside: 0, outside: 50, count: 3), IDRange(inside: 100, outside: 0, count: 7)],
            [IDRange(inside: 33, outside: 33, count: 1)], [],
        ])
    func isTotal(_ wanted: [IDRange]) throws {
        let map = try OwnershipMap(wanted)
        for side in [map.total.map { ($0.inside, $0.count) }, map.total.map { ($0.outside, $0.count) }] {
            var next: UInt64 = 0
            for (start, count) in side.sorted(by: { $0.0 < $1.0 }) {
                #expect(UInt64(start) == next)
                next += UInt64(count)
            }
            #expect(next == OwnershipMap.end)
        }
        for range in wanted { #expect(map.total.contains(range)) }
    }

    @Test("Ranges that overlap or end past the last id are errors") func overlaps() {
        #expect(throws: PluginError.self) {
            try OwnershipMap([IDRange(inside: 0, outside: 10, count: 5), IDRange(inside: 4, outside: 50, count: 1)])
        }
        #expect(throws: PluginError.self) {
            try OwnershipMap([IDRange(inside: 0, outside: 10, count: 5), IDRange(inside: 40, outside: 14, count: 1)])
        }
        #expect(throws: PluginError.self) { try OwnershipMap([IDRange(inside: 0, outside: 4_294_967_290, count: 10)]) }
    }

    @Test("Options are read word by word") func options() throws {
        #expect(try OwnershipOptions("").match == .containersUser)
        #expect(try OwnershipOptions("match-user").match == .containersUser)
        #expect(try OwnershipOptions("match-user:33").match == .ids(user: 33, group: 33))
        #expect(try OwnershipOptions("match-user:33:44,others=nobody").match == .ids(user: 33, group: 44))
        #expect(try OwnershipOptions("match-user:www-data").match == .named(user: "www-data", group: nil))
        #expect(try OwnershipOptions("match-user:33:staff").match == .named(user: "33", group: "staff"))
        let ranges = try OwnershipOptions("uid:1000=0,gid:5-9=50,100-199=1100")
        #expect(ranges.users == [IDRange(inside: 1000, outside: 0, count: 1), IDRange(inside: 100, outside: 1100, count: 100)])
        #expect(ranges.groups == [IDRange(inside: 5, outside: 50, count: 5), IDRange(inside: 100, outside: 1100, count: 100)])
    }

    @Test(
        "Options that make no sense are errors",
        arguments: [
            "match", "match-user:", "match-user:www/data", "match-user:-1", "match-user:1:2:3", "uid:", "uid:1", "uid:2-1=5", "1=-1",
            "4294967295=0",
            "others=all", "match-user,1000=0", "0-5=10,3=99", "1=2=3",
        ])
    func wrong(_ text: String) { #expect(throws: PluginError.self) { try OwnershipOptions(text) } }

    @Test("Names are those of the container's own files, and nothing in its image leads out of it") func names() async throws {
        try await withScratchFolder { folder in
            let root = folder.appending("root").string
            for path in [root, root + "/etc", root + "/store"] { mkdir(path, 0o755) }
            try "root:x:0:0::/root:/bin/sh\nweb2:x:9:9::/:\nweb:x:33:34:,,,:/srv:/bin/sh\n".write(
                toFile: root + "/store/passwd", atomically: false, encoding: .utf8)
            // A link that is right in the container alone.
            symlink("/store/passwd", root + "/etc/passwd")
            try "staff:x:50:web\n".write(toFile: root + "/etc/group", atomically: false, encoding: .utf8)
            var container = ContainerDescription(user: .init(uid: 0, gid: 0), root: root)
            func wanted(_ options: String) throws -> [[UInt32]] {
                let maps = try OwnershipOptions(options).maps(owner: FileOwner(user: 1000, group: 1001), container)
                return [maps.users.wanted.map(\.outside), maps.groups.wanted.map(\.outside)]
            }
            #expect(try wanted("match-user:web") == [[33], [34]] && wanted("match-user:web:staff") == [[33], [50]])
            #expect(try wanted("match-user:7:staff") == [[7], [50]] && wanted("match-user:web:8") == [[33], [8]])
            #expect(
                throws: PluginError("the container has no user we in its /etc/passwd; give one that it has, or a number")
            ) { try wanted("match-user:we") }
            try "web:x:0:0::/:\nroot:x:0:0::/:\n".write(toFile: root + "/store/passwd", atomically: false, encoding: .utf8)
            #expect(
                throws: PluginError("the container's user web is root in its /etc/passwd; if that is meant, say match-user:0")
            ) { try wanted("match-user:web") }
            #expect(try wanted("match-user:root") == [[0], [0]])
            unlink(root + "/etc/passwd")
            mkfifo(root + "/etc/passwd", 0o644)
            let error = #expect(throws: PluginError.self) { try wanted("match-user:web") }
            #expect(error?.message.contains("it must be a regular file") == true)
            unlink(root + "/etc/passwd")
            symlink("../../../../../../../../etc/passwd", root + "/etc/passwd")
            #expect(throws: PluginError.self) { try wanted("match-user:root") }
            container.root = ""
            #expect(
                throws: PluginError("this host does not say where the container's users are; give the user as match-user:UID:GID")
            ) { try wanted("match-user:web") }
        }
    }

    @Test("In a user namespace the container's ids are those of its map") func userNamespace() throws {
        var container = ContainerDescription(user: .init(uid: 0, gid: 0))
        container.uidMappings = [.init(containerID: 0, hostID: 100_000, size: 65536)]
        container.gidMappings = [.init(containerID: 0, hostID: 200_000, size: 65536)]
        let maps = try OwnershipOptions("match-user").maps(owner: FileOwner(user: 1000, group: 1000), container)
        #expect(maps.users.wanted == [IDRange(inside: 1000, outside: 100_000, count: 1)])
        #expect(maps.groups.wanted == [IDRange(inside: 1000, outside: 200_000, count: 1)])
        #expect(throws: PluginError.self) {
            try OwnershipOptions("match-user:70000").maps(owner: FileOwner(user: 1000, group: 1000), container)
        }
        #expect(throws: PluginError.self) {
            try OwnershipOptions("match-user").maps(owner: FileOwner(user: 0, group: 0), ContainerDescription())
        }
    }
}
