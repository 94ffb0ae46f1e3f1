// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import OCIRuntime
import SystemPackage
import TestSupport
import Testing

@testable import ContainerMounts

struct MountedSourcesTests {
    private func expected(_ list: (String, MountedSources.Part?)...) -> [MountedSources.Expected] {
        list.map { MountedSources.Expected(path: "/source\($0.0)", destination: $0.0, part: $0.1) }
    }

    /// With where each is in the container.
    private func placed(_ list: (String, MountedSources.Part?, String)...) -> [MountedSources.Expected] {
        list.map { MountedSources.Expected(path: "/source\($0.0)", destination: $0.0, part: $0.1, place: $0.2) }
    }

    /// Lines of a container's mountinfo: `ID PARENT DEVICE ROOT MOUNTPOINT`.
    private func table(_ lines: String...) -> MountTable {
        MountTable(parsing: Array(lines.map { $0 + " rw - ext4 /dev/x rw\n" }.joined().utf8))
    }

    private let a = MountedSources.Part(device: "8:1", root: "/srv/a")
    private let b = MountedSources.Part(device: "8:1", root: "/srv/b")

    @Test func allThatIsThereIsFound() {
        let found = table("1 0 0:5 / /", "2 1 8:1 /srv/a /x", "3 1 8:1 /srv/b /y")
        #expect(MountedSources.firstMissing(of: expected(("/x", a), ("/y", b)), in: found) == nil)
    }

    @Test func anotherPartOfTheFileSystemIsNotIt() {
        let found = table("1 0 0:5 / /", "2 1 8:1 /srv/secret /x")
        #expect(MountedSources.firstMissing(of: expected(("/x", a)), in: found)?.destination == "/x")
        #expect(MountedSources.firstMissing(of: expected(("/x", a)), in: table("2 1 8:2 /srv/a /x"))?.path == "/source/x")
    }

    @Test func oneAtThePlaceOfTheOtherIsNotIt() {
        let found = table("2 1 8:1 /srv/b /x", "3 1 8:1 /srv/a /y")
        #expect(MountedSources.firstMissing(of: expected(("/x", a), ("/y", b)), in: found)?.destination == "/x")
    }

    @Test func whatALinkOfTheImageLeadsElsewhereIsFound() {
        let found = table("2 1 8:1 /srv/a /run/x", "3 1 8:1 /srv/b /run/x")
        #expect(MountedSources.firstMissing(of: expected(("/run/x", a), ("/var/run/x", b)), in: found)?.destination == "/var/run/x")
        let linked = table("2 1 8:1 /srv/a /run/x", "3 1 8:1 /srv/b /run/y")
        #expect(MountedSources.firstMissing(of: expected(("/run/x", a), ("/var/run/y", b)), in: linked) == nil)
    }

    @Test func twoMayBeAtOnePlaceThatIsKnown() {
        let found = table("2 1 8:1 /srv/a /run/x", "3 2 8:1 /srv/b /run/x")
        #expect(MountedSources.firstMissing(of: placed(("/run/x", a, "/run/x"), ("/var/run/x", b, "/run/x")), in: found) == nil)
        #expect(MountedSources.firstMissing(of: placed(("/var/run/x", a, "/run/x"), ("/run/x", b, "/run/x")), in: found) == nil)
        // The order of the table is no matter.
        let reversed = table("3 2 8:1 /srv/b /run/x", "2 1 8:1 /srv/a /run/x")
        #expect(MountedSources.firstMissing(of: placed(("/run/x", a, "/run/x"), ("/var/run/x", b, "/run/x")), in: reversed) == nil)
        #expect(MountedSources.firstMissing(of: placed(("/run/x", a, "/run/x"), ("/var/run/x", a, "/run/x")), in: found) != nil)
    }

    @Test func anExchangeAtOnePlaceIsFound() {
        let both = placed(("/run/x", a, "/run/x"), ("/var/run/x", b, "/run/x"))
        let exchanged = table("2 1 8:1 /srv/b /run/x", "3 2 8:1 /srv/a /run/x")
        #expect(MountedSources.firstMissing(of: both, in: exchanged)?.destination == "/var/run/x")
        for secret in [table("2 1 8:1 /srv/a /run/x", "3 2 8:1 /s /run/x"), table("2 1 8:1 /s /run/x", "3 2 8:1 /srv/b /run/x")] {
            #expect(MountedSources.firstMissing(of: both, in: secret) != nil)
        }
    }

    /// It could have been mounted there by way of another source.
    @Test func whatIsElsewhereThanAtItsPlaceIsNotIt() {
        let found = table("2 1 8:1 /s /x", "3 1 8:1 /srv /y", "4 3 8:1 /srv/a /y/nested")
        #expect(MountedSources.firstMissing(of: placed(("/x", a, "/x")), in: found)?.destination == "/x")
        #expect(MountedSources.firstMissing(of: placed(("/link/x", a, "/x")), in: table("2 1 8:1 /srv/a /x")) == nil)
    }

    @Test(.needs(.root)) func aPlaceIsWhereSomethingIsMounted() async throws {
        try await withScratchFolder { folder in
            try mountMemory(on: folder)
            for name in ["run", "run/x", "run/plain", "var", "elsewhere"] { try makeFolder(folder.appending(name), mode: 0o755) }
            symlink("/run", "\(folder)/var/run")
            try mountMemory(on: folder.appending("run/x"))
            let (root, table) = (try PinnedFile(at: folder.string), try MountTable())
            let places = ["/run/x", "/var/run/x", "/run/plain", "/none"].map { MountedSources.place(of: $0, in: root, table) }
            #expect(places == ["\(folder)/run/x", "\(folder)/run/x", nil, nil])
        }
    }

    @Test func whatALaterMountCoversIsFound() {
        let found = table("2 1 0:9 / /sys", "3 2 0:9 /firmware /sys/firmware", "4 3 0:7 / /sys/firmware")
        let firmware = MountedSources.Part(device: "0:9", root: "/firmware")
        #expect(MountedSources.firstMissing(of: expected(("/sys/firmware", firmware)), in: found) == nil)
    }

    @Test func eachMountCountsOnce() {
        let found = table("2 1 8:1 /srv/a /run/x")
        #expect(MountedSources.firstMissing(of: expected(("/run/x", a), ("/var/run/x", a)), in: found)?.destination == "/var/run/x")
    }

    @Test func whatWasNotThereIsNeverFound() {
        #expect(MountedSources.firstMissing(of: expected(("/x", nil)), in: table("2 1 8:1 /srv/a /x"))?.destination == "/x")
    }

    @Test(.needs(.root)) func whatIsPinnedIsAsTheMountTableHasIt() async throws {
        try await withScratchFolder { folder in
            try mountMemory(on: folder)
            for name in ["a", "a/b c"] { try makeFolder(folder.appending(name), mode: 0o755) }
            let sources = PinnedSources()
            _ = try sources.pin("\(folder)/a/b c", of: 0)
            _ = try sources.pin(folder.string, of: 1)
            _ = try sources.pin("/nowhere/at/all", of: 2)
            let configuration = try OCIConfiguration(
                parsing: Array(#"{"mounts": [{"destination": "/0"}, {"destination": "/1"}, {"destination": "/2"}]}"#.utf8))
            let table = try MountTable()
            let device = try #require(table.topmost(at: folder.string)?.device)
            let expected = try MountedSources.expected(sources.sources, mounts: configuration.mounts, table: table)
            #expect(expected.map(\.destination) == ["/0", "/1", "/2"])
            let parts = [MountedSources.Part(device: device, root: "/a/b c"), MountedSources.Part(device: device, root: "/")]
            #expect(expected.map(\.part) == parts + [nil])
        }
    }
}
