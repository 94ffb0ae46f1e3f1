// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem
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
        let ranges = try OwnershipOptions("uid:1000=0,gid:5-9=50,100-199=1100")
        #expect(ranges.users == [IDRange(inside: 1000, outside: 0, count: 1), IDRange(inside: 100, outside: 1100, count: 100)])
        #expect(ranges.groups == [IDRange(inside: 5, outside: 50, count: 5), IDRange(inside: 100, outside: 1100, count: 100)])
    }

    @Test(
        "Options that make no sense are errors",
        arguments: [
            "match", "match-user:", "match-user:www-data", "match-user:1:2:3", "uid:", "uid:1", "uid:2-1=5", "1=-1", "4294967295=0",
            "others=all", "match-user,1000=0", "0-5=10,3=99", "1=2=3",
        ])
    func wrong(_ text: String) { #expect(throws: PluginError.self) { try OwnershipOptions(text) } }

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
