// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

struct MountTableTests {
    private func entries(_ text: String) -> [MountTableEntry] { MountTable(parsing: Array(text.utf8)).entries }

    @Test func readsEveryField() throws {
        let line =
            "1043 28 0:52 /sub /var/lib/v rw,noatime shared:12 master:3 - nfs4 host:/export rw,vers=4.1,addr=192.0.2.7,clientaddr=192.0.2.1\n"
        let entry = try #require(entries(line).first)
        #expect(entry.mountID == 1043)
        #expect(entry.parentID == 28)
        #expect(entry.device == "0:52")
        #expect(entry.root == "/sub")
        #expect(entry.mountPoint == "/var/lib/v")
        #expect(entry.options == ["rw", "noatime"])
        #expect(entry.propagation == ["shared:12", "master:3"])
        #expect(entry.fileSystem == "nfs4")
        #expect(entry.source == "host:/export")
        #expect(entry.superblockOptions == ["rw", "vers=4.1", "addr=192.0.2.7", "clientaddr=192.0.2.1"])
        #expect(entry.value(of: "addr") == "192.0.2.7")
        #expect(entry.value(of: "vers") == "4.1")
        #expect(entry.value(of: "clientadd") == nil)
        #expect(entry.value(of: "rw") == nil)
    }

    @Test func tellsPathsApartByTheirBytes() {
        let table = MountTable(
            parsing: Array("36 35 98:0 / /e\u{301} rw - ext3 /dev/a rw\n37 35 98:0 / /e\u{301}/\u{301}x rw - ext3 /dev/b rw\n".utf8))
        #expect(table.topmost(at: "/e\u{301}") != nil && table.topmost(at: "/\u{E9}") == nil)
        #expect(table.mounts(below: "/e\u{301}").count == 2 && table.mounts(below: "/\u{E9}").isEmpty)
    }

    @Test func optionalFieldsMayBeMissing() throws {
        let entry = try #require(entries("36 35 98:0 / /mnt rw - ext3 /dev/root rw,errors=continue").first)
        #expect(entry.propagation.isEmpty)
        #expect(entry.fileSystem == "ext3")
    }

    /// mount(2) with an empty source; the field is then empty, not missing.
    @Test func theSourceMayBeEmpty() throws {
        let entry = try #require(entries("36 35 0:40 / /mnt rw shared:1 - tmpfs  rw,size=4k").first)
        #expect(entry.source == "")
        #expect(entry.superblockOptions == ["rw", "size=4k"])
    }

    @Test func undoesTheKernelsEscapes() throws {
        let entry = try #require(entries(#"36 35 0:40 /a\134b /m\040n\011t\012x\134 rw - tmpfs a\040b\043 rw"#).first)
        #expect(entry.root == #"/a\b"#)
        #expect(entry.mountPoint == "/m n\tt\nx\\")
        #expect(entry.source == "a b#")
    }

    @Test(arguments: [#"\"#, #"\0"#, #"\04"#, #"\999"#, #"\400"#, #"x\04"#])
    func leavesWhatIsNoEscape(text: String) throws {
        let entry = try #require(entries("36 35 0:40 / /\(text) rw - tmpfs s rw").first)
        #expect(entry.mountPoint == "/" + text)
    }

    @Test(arguments: [
        "", "\n\n", "garbage", "1 2 3", "x 35 0:40 / /m rw - tmpfs s rw", "36 y 0:40 / /m rw - tmpfs s rw",
        "36 35 0:40 / /m rw shared:1 tmpfs s rw",
        "36 35 0:40 / /m rw -", "36 35 0:40 / /m rw - tmpfs", "- - - - - - - - - -", "36 35 0:40 / /m rw a b c d e f g -",
    ])
    func passesOverWhatIsNoEntry(line: String) {
        let good = "36 35 0:40 / /good rw - tmpfs s rw"
        #expect(entries("\(good)\n\(line)\n\(good)").map(\.mountPoint) == ["/good", "/good"])
    }

    @Test func namesThatAreNotUTF8DoNotStopIt() {
        let line = Array("36 35 0:40 / /".utf8) + [0xff, 0xfe] + Array(" rw - tmpfs s rw".utf8)
        #expect(MountTable(parsing: line).entries.count == 1)
    }

    @Test func theLastMountCoversTheOthers() {
        let table = MountTable(
            parsing: Array(
                """
                1 0 0:1 / / rw - ext4 a rw
                2 1 0:2 / /m rw - tmpfs first rw
                3 1 0:3 / /m/x rw - tmpfs inner rw
                4 2 0:4 / /m rw - tmpfs second rw
                5 1 0:5 / /mm rw - tmpfs neighbour rw
                """.utf8))
        #expect(table.topmost(at: "/m")?.source == "second")
        #expect(table.topmost(at: "/m/") == nil)
        #expect(table.topmost(at: "/n") == nil)
        #expect(table.mounts(below: "/m").map(\.source) == ["first", "inner", "second"])
    }

    /// The one that takes only one line apart must find what the other finds.
    @Test(.needs(.root)) func bothWaysOfLookingFindTheSame() async throws {
        try await withScratchFolder { folder in
            let names = ["plain", "a b", "tab\tnewline\n", #"back\slash\040"#, "hash#", "ä", "a", "a bc"]
            for name in names {
                let place = folder.appending(name).string
                try #require(mkdir(place, 0o700) == 0)
                if name == "a" { continue }
                for source in ["lower", "upper"] { try #require(mount(source, place, "tmpfs", 0, nil) == 0) }
            }
            let table = try MountTable()
            for name in names {
                let place = folder.appending(name).string
                let found = try MountTable.topmost(at: place)
                #expect(found == table.topmost(at: place))
                #expect(found?.source == (name == "a" ? nil : "upper"))
            }
            #expect(try MountTable.topmost(at: "/proc") != nil)
        }
    }

    @Test func readsThatOfThisProcessAndOfOthers() throws {
        #expect(try MountTable().topmost(at: "/proc")?.fileSystem == "proc")
        #expect(try MountTable(of: getpid()).entries.isEmpty == false)
        // One above the highest process id that the kernel ever gives.
        #expect(throws: SystemError.self) { try MountTable(of: (1 << 22) + 1) }
    }
}
