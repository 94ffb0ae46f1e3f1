// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Testing

struct MountOriginsTests {
    /// A host's table: its root, and whatever a case has besides.
    private static let root = "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n21 20 0:5 / /tmp rw - tmpfs tmpfs rw\n"

    private static func paths(
        _ path: String, on mount: Int? = nil, _ lines: String..., resolving: ([UInt8]) -> [UInt8]? = { $0 }
    ) -> [String]? {
        MountOrigins(parsing: Array((root + lines.joined(separator: "\n")).utf8), typesWithPathInSource: ["nfs", "nfs4"])
            .paths(showing: Array(path.utf8), on: mount, resolvingLayer: { layer, _ in resolving(layer) })?.map {
                String(decoding: $0, as: UTF8.self)
            }
    }

    @Test func whatHasOneNameHasOneName() {
        #expect(Self.paths("/srv/secret") == ["/srv/secret"])
        #expect(Self.paths("/") == ["/"])
        #expect(Self.paths("/tmp/a", "22 20 0:9 / /srv rw - tmpfs other rw") == ["/tmp/a"])
    }

    /// Each a way to give a guarded place a second name: the path that a container asks for, the mounts that lead there, all names.
    @Test(
        arguments: [
            // A local volume with device=, a bind by hand, volume-subpath, buildah: the kernel knows no difference.
            ("/v/_data", ["22 20 8:1 /srv/secret /v/_data rw - ext4 /dev/sda1 rw"], ["/v/_data", "/srv/secret"]),
            ("/v/_data/in/it", ["22 20 8:1 /srv/secret /v/_data rw - ext4 /dev/sda1 rw"], ["/v/_data/in/it", "/srv/secret/in/it"]),
            // The device is above or below the guarded place.
            ("/v/_data", ["22 20 8:1 /srv /v/_data rw - ext4 /dev/sda1 rw"], ["/v/_data", "/srv"]),
            ("/v/_data", ["22 20 8:1 /srv/secret/a/b /v/_data rw - ext4 /dev/sda1 rw"], ["/v/_data", "/srv/secret/a/b"]),
            // The other way round: what is asked for has the old name, and the guard knows the new one.
            ("/srv/secret/a", ["22 20 8:1 /srv/secret /guarded rw - ext4 /dev/sda1 rw"], ["/srv/secret/a", "/guarded/a"]),
            ("/srv", ["22 20 8:1 /srv/secret /guarded rw - ext4 /dev/sda1 rw"], ["/srv"]),
            // A name that begins as the kernel's for what is outside.
            ("/v", ["22 20 8:1 /..data/s /v rw - ext4 s rw"], ["/v", "/..data/s"]),
            // A single file.
            ("/t/f", ["22 20 8:1 /srv/secret/key /t/f rw - ext4 /dev/sda1 rw"], ["/t/f", "/srv/secret/key"]),
            // A bind in a bind, and a bind of a bind.
            (
                "/a/x/y", ["22 20 8:1 /b /a rw - ext4 s rw", "23 22 8:1 /srv/secret /a/x rw - ext4 s rw"],
                ["/a/x/y", "/srv/secret/y"]
            ),
            (
                "/b", ["22 20 8:1 /srv/secret /a rw - ext4 s rw", "23 20 8:1 /srv/secret /b rw - ext4 s rw"],
                ["/b", "/a", "/srv/secret"]
            ),
            // The whole file system a second time.
            ("/mnt2", ["22 20 8:1 / /mnt2 rw - ext4 /dev/sda1 rw"], ["/mnt2", "/"]),
            ("/srv/secret", ["22 20 8:1 / /mnt2 rw - ext4 /dev/sda1 rw"], ["/srv/secret", "/mnt2/srv/secret"]),
            // A disk that is mounted at the guarded place itself.
            (
                "/v/_data", ["22 20 8:2 / /srv/secret rw - xfs /dev/b rw", "23 20 8:2 / /v/_data rw - xfs /dev/b rw"],
                ["/v/_data", "/srv/secret"]
            ),
            // Spaces, newlines and backslashes; bytes that only look like a neighbour.
            (
                "/a b\n\\", [#"22 20 8:1 /s\040e\012c\134 /a\040b\012\134 rw - ext4 s rw"#, "23 20 8:1 /s\u{65}\u{301} /c rw - ext4 s rw"],
                ["/a b\n\\", "/s e\nc\\"]
            ),
            ("/s\u{e9}", ["23 20 8:1 /s\u{65}\u{301} /c rw - ext4 s rw"], ["/s\u{e9}"]),
            ("/srv/secretary", ["22 20 8:1 /srv/secret /c rw - ext4 s rw"], ["/srv/secretary"]),
            // Subvolumes of btrfs are folders of one file system.
            (
                "/mnt/@/srv/secret", ["22 20 0:30 /@ /os rw - btrfs /dev/c rw", "23 20 0:30 / /mnt rw - btrfs /dev/c rw"],
                ["/mnt/@/srv/secret", "/os/srv/secret"]
            ),
            // A namespace's file has no path in its file system, and is the same wherever it is.
            ("/n/a", ["22 20 0:4 net:[4] /n/a rw - nsfs nsfs rw", "23 20 0:4 net:[5] /n/b rw - nsfs nsfs rw"], ["/n/a"]),
            ("/n/a", ["22 20 0:4 net:[4] /n/a rw - nsfs nsfs rw", "23 20 0:4 net:[4] /n/b rw - nsfs nsfs rw"], ["/n/a", "/n/b"]),
            // What has been removed has no other name, whatever is called so now.
            ("/a", [#"22 20 8:1 /srv/secret//deleted /a rw - ext4 s rw"#, "23 20 8:1 /srv /b rw - ext4 s rw"], ["/a"]),
            // A control group of another namespace.
            ("/c", ["22 20 0:6 /../.. /c rw - cgroup2 c rw", "23 20 0:6 / /d rw - cgroup2 c rw"], ["/c"]),
        ] as [(String, [String], [String])])
    func everyNameIsFound(path: String, lines: [String], expected: [String]) {
        #expect(Self.paths(path, lines.joined(separator: "\n")) == expected)
    }

    /// A path that leads somewhere else by now is no name, and one that is uncovered elsewhere is.
    @Test(
        arguments: [
            // Another file system covers the visible path, or a folder above it.
            ("/a", ["22 20 8:1 /srv/secret /a rw - ext4 s rw", "23 20 0:9 / /srv/secret rw - tmpfs t rw"], ["/a"]),
            ("/a", ["22 20 8:1 /srv/secret /a rw - ext4 s rw", "23 20 0:9 / /srv rw - tmpfs t rw"], ["/a"]),
            // Something is mounted on the bind itself: that is what is asked for.
            ("/a", ["22 20 8:1 /srv/secret /a rw - ext4 s rw", "23 22 0:9 / /a rw - tmpfs t rw"], ["/a"]),
            // The cover shows the same.
            ("/a", ["22 20 8:1 /srv/secret /a rw - ext4 s rw", "23 22 8:1 /srv/secret /a rw - ext4 s rw"], ["/a", "/srv/secret"]),
            // A mount below a covered folder is not reached, although its line comes later.
            (
                "/srv/secret", ["22 20 0:9 / /m rw - tmpfs t rw", "23 20 8:1 /srv/secret /m/a rw - ext4 s rw"], ["/srv/secret"]
            ),
            // The order of lines says nothing about which of two is on top, their parents do.
            (
                "/b", ["23 22 8:1 /srv/secret /b rw - ext4 s rw", "22 20 0:9 / /b rw - tmpfs t rw"], ["/b", "/srv/secret"]
            ),
        ] as [(String, [String], [String])])
    func whatIsCoveredIsNoName(path: String, lines: [String], expected: [String]) {
        #expect(Self.paths(path, lines.joined(separator: "\n")) == expected)
    }

    /// The mount is known better from a descriptor than from a path.
    @Test func aMountThatHasBeenCoveredMeanwhileIsKnownByItsNumber() {
        let lines = "22 20 8:1 /srv/secret /a rw - ext4 s rw\n23 22 0:9 / /a rw - tmpfs t rw"
        #expect(Self.paths("/a", on: 22, lines) == ["/a", "/srv/secret"])
        let table = MountOrigins(parsing: Array((Self.root + lines).utf8))
        #expect(table.agrees(with: Array("/a/b".utf8), on: 22) == true)
        #expect(table.agrees(with: Array("/ab".utf8), on: 22) == false)
        #expect(table.agrees(with: Array("/a".utf8), on: 99) == nil)
    }

    @Test(
        arguments: [
            ("lowerdir=/srv/secret,upperdir=/u,workdir=/w", "/m/a", ["/m/a", "/srv/secret/a", "/u/a"]),
            ("lowerdir=/l1:/l2::/d", "/m", ["/m", "/d", "/l1", "/l2"]),
            (#"lowerdir=/a\134:b:/c"#, "/m", ["/m", "/a:b", "/c"]),
            (#"lowerdir=/a\134\134:/c"#, "/m", ["/m", #"/a\"#, "/c"]),
            (#"lowerdir=/a\054b\075c\040d:/c"#, "/m", ["/m", "/a,b=c d", "/c"]),
            ("lowerdir+=/a:b,lowerdir+=/c,datadir+=/d", "/m/x", ["/m/x", "/a:b/x", "/c/x", "/d/x"]),
            (#"lowerdir=/a,upperdir=/u\134:v"#, "/m", ["/m", "/a", "/u:v", #"/u\:v"#]),
            // Nobody knows where a relative path begins.
            ("lowerdir=l/AB:/c", "/m", ["/m", "/c"]),
            ("lowerdir=/", "/m/srv/secret", ["/m/srv/secret", "/srv/secret"]),
        ])
    func anOverlaysLayersAreNames(options: String, path: String, expected: [String]) {
        #expect(Self.paths(path, "22 20 0:40 / /m rw shared:1 - overlay overlay rw,\(options)") == expected)
    }

    @Test func aBindOfAFolderOfAnOverlayHasItsLayersFoldersAsNames() {
        #expect(
            Self.paths(
                "/b/x", "22 20 0:40 / /m rw - overlay o rw,lowerdir=/l", "23 20 0:40 /sub /b rw - overlay o rw,lowerdir=/l")
                == ["/b/x", "/l/sub/x", "/m/sub/x"])
    }

    /// Layers that are binds, links or overlays, and an overlay of itself, which the kernel would not make.
    @Test func layersAreResolvedThemselves() {
        #expect(
            Self.paths("/m", "22 20 8:1 /srv/secret /bind rw - ext4 s rw", "23 20 0:40 / /m rw - overlay o rw,lowerdir=/bind")
                == ["/m", "/bind", "/srv/secret"])
        #expect(
            Self.paths("/m", "23 20 0:40 / /m rw - overlay o rw,lowerdir=/link:/gone") { layer in
                layer.elementsEqual("/link".utf8) ? Array("/srv/secret".utf8) : nil
            } == ["/m", "/srv/secret"])
        #expect(
            Self.paths(
                "/m", "22 20 0:40 / /m rw - overlay o rw,lowerdir=/n/sub:/m", "23 20 0:41 / /n rw - overlay o rw,lowerdir=/l") == [
                    "/m", "/l/sub", "/n/sub",
                ])
        #expect(Self.paths("/e/x", "22 20 0:50 / /e rw - ecryptfs /srv/secret rw") == ["/e/x", "/srv/secret/x"])
    }

    /// As for a host's `/etc` in a test: the lower folder is still there under its file system's other names.
    @Test func aLayerMayBeCoveredByItsOverlay() {
        #expect(
            Self.paths("/etc/x", "22 20 8:1 / /mnt rw - ext4 s rw", "23 20 0:40 / /etc rw - overlay o rw,lowerdir=/etc")
                == ["/etc/x", "/mnt/etc/x"])
    }

    /// Its layers are looked for below it, by their paths of now.
    @Test func anOverlayOverItsOwnLayersDoesNotBlock() {
        let tables = [
            "20 1 8:1 / / rw - ext4 s rw\n22 20 0:40 / /etc rw - overlay o rw,lowerdir=/etc",
            "20 1 0:39 / / rw - overlay o rw,lowerdir=/outer/l:/l\n22 20 0:40 / /etc rw - overlay o rw,lowerdir=/a:/etc",
        ]
        for text in tables { #expect(!MountOrigins(parsing: Array(text.utf8)).mayBlock(Array("/etc/x".utf8)), "\(text)") }
        let remote = "20 1 8:1 / / rw - ext4 s rw\n21 20 0:9 / /n rw - nfs s:/ rw\n22 20 0:40 / /m rw - overlay o rw,lowerdir=/n/a"
        #expect(MountOrigins(parsing: Array(remote.utf8)).mayBlock(Array("/m/x".utf8)))
    }

    @Test func aLayerThatIsNowhereMayBeAnything() {
        let table = MountOrigins(parsing: Array("22 20 0:40 / /m rw - overlay o rw,lowerdir=/l".utf8))
        #expect(table.paths(showing: Array("/m".utf8), on: 22) { layer, _ in layer }?.contains(Array("/".utf8)) == true)
    }

    /// What is mounted on a layer is not in the overlay.
    @Test func anOverlayDoesNotShowWhatIsMountedOnItsLayers() {
        #expect(
            Self.paths("/m/x/y", "22 20 0:9 / /l/x rw - tmpfs t rw", "23 20 0:40 / /m rw - overlay o rw,lowerdir=/l") == ["/m/x/y"])
    }

    /// NFS says `/` of every root, and has a device for each set of options.
    @Test func nfsIsKnownByServerAndPath() {
        let export = "22 20 0:60 / /srv rw - nfs4 nas:/export rw,addr=192.0.2.1"
        #expect(Self.paths("/b", export, "23 20 0:60 / /b rw - nfs4 nas:/export/secret rw,addr=192.0.2.1") == ["/b", "/srv/secret"])
        #expect(Self.paths("/b", export, "23 20 0:61 / /b rw - nfs :/export/secret rw,addr=192.0.2.1") == ["/b", "/srv/secret"])
        #expect(Self.paths("/b/x", export, "23 20 0:60 / /b rw - nfs4 nas:/other rw,addr=192.0.2.1") == ["/b/x"])
        #expect(Self.paths("/b", export, "23 20 0:62 / /b rw - nfs4 nas:/export rw,addr=192.0.2.2") == ["/b"])
        #expect(
            Self.paths(
                "/b/export", "22 20 0:6 / /b rw - nfs4 [2001:db8::1]:/ rw,addr=2001:db8::1",
                "23 20 0:6 / /c rw - nfs4 x:/export rw,addr=2001:db8::1")
                == ["/b/export", "/c"])
    }

    @Test func anyNumberOfNamesIsNoAnswer() {
        let lines = (0..<MountOrigins.limit).map { "\(100 + $0) 20 8:1 /srv/secret /v/\($0) rw - ext4 s rw" }
        #expect(Self.paths("/v/0", lines.joined(separator: "\n")) == nil)
        #expect(Self.paths("/v/0", lines.dropLast().joined(separator: "\n"))?.count == MountOrigins.limit)
    }

    @Test func aTableThatIsNoneDoesNotStopIt() {
        for text in [
            "", "\n", "x", "1 1 8:1 / / rw - ext4 s rw", "1 2 8:1 / / rw\n2 1 8:1 / / rw", "1 2 8:1 /a /a rw - ext4\n2 1 8:1 /a /a rw -",
        ] {
            let table = MountOrigins(parsing: Array(text.utf8))
            #expect(table.paths(showing: Array("/a".utf8), resolvingLayer: { layer, _ in layer })?.first == Array("/a".utf8))
            _ = table.paths(showing: Array("/a".utf8), on: 1) { layer, _ in layer }
        }
    }

    @Test(
        arguments: [
            ("/srv", false), ("/nfs", true), ("/nfs/a/b", true), ("/nfsx", false), ("/auto/x", true), ("/fuse/x", true), ("/m", false),
            ("/n/x", true), ("/nfs/local", true),
        ])
    func itSaysWhereALookUpCouldWait(path: String, expected: Bool) {
        let lines = """
            30 20 0:60 / /nfs rw - nfs4 nas:/ rw
            31 20 0:61 / /auto rw - autofs a rw
            32 20 0:62 / /fuse rw - fuse.sshfs a rw
            33 20 0:63 / /m rw - overlay o rw,lowerdir=/srv
            34 20 0:64 / /n rw - overlay o rw,lowerdir=/nfs/a
            35 30 8:2 / /nfs/local rw - ext4 a rw
            """
        #expect(MountOrigins(parsing: Array((Self.root + lines).utf8)).mayBlock(Array(path.utf8)) == expected)
    }

    /// Work grows as the table does. Compared with itself, for a machine may be slow.
    @Test func aLongTableCostsLittle() {
        func table(_ count: Int) -> [UInt8] {
            let lines = (0..<count).map {
                "\(100 + $0) 20 0:\(100 + $0) / /var/lib/docker/overlay2/\($0)/merged rw,relatime - overlay overlay rw,lowerdir=/l/\($0)"
            }
            return Array((Self.root + lines.joined(separator: "\n")).utf8)
        }
        func time(_ text: [UInt8]) -> Duration {
            let clock = ContinuousClock()
            return (0..<3).map { _ in
                clock.measure {
                    let origins = MountOrigins(parsing: text)
                    for index in 0..<10 { _ = origins.paths(showing: Array("/srv/\(index)".utf8)) { layer, _ in layer } }
                }
            }.min() ?? .zero
        }
        #expect(time(table(5_000)) < time(table(500)) * 40)
    }
}
