// SPDX-License-Identifier: AGPL-3.0-or-later

import OCIRuntime
import Testing

@Suite struct MountKindTests {
    private func kind(_ type: String?, _ options: [String]) throws -> OCIConfiguration.Mount.Kind? {
        let list = options.map { "\"\($0)\"" }.joined(separator: ",")
        let member = type.map { #""type":"\#($0)","# } ?? ""
        let text = #"{"mounts":[{"destination":"/d",\#(member)"source":"/s","options":[\#(list)]}]}"#
        return try OCIConfiguration(parsing: Array(text.utf8)).mounts.first?.kind
    }

    @Test(arguments: ["proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2"])
    func leavesAloneWhatTheKernelMakes(type: String) throws {
        #expect(try kind(type, ["nosuid", "mode=755"]) == .kernel)
        #expect(try kind(type, ["bind"]) == .bind)
        #expect(try kind(type, ["rbind", "nosuid"]) == .bind)
        #expect(try kind(type, ["remount"]) == .remount)
    }

    @Test(arguments: [
        "ext4", "xfs", "squashfs", "nfs", "nfs4", "cifs", "9p", "virtiofs", "fuse", "fuse.sshfs", "fuse.mergerfs", "ecryptfs", "btrfs",
        "none", "", "aufs", "Proc", "tmpfs\u{301}",
    ])
    func cannotTellWhatAnythingElseShows(type: String) throws {
        #expect(try kind(type, ["ro"]) == .other)
    }

    @Test func readsTheOthers() throws {
        #expect(try kind(nil, []) == .other)
        #expect(try kind(nil, ["rbind"]) == .bind)
        #expect(try kind("bind", []) == .bind)
        #expect(try kind("none", ["remount", "bind", "rw"]) == .remount)
        #expect(try kind("overlay", ["lowerdir=/a"]) == .overlay)
    }
}

@Suite struct OverlayLayersTests {
    @Test func readsWhatPodmanWrites() throws {
        let layers = try OverlayLayers(options: ["lowerdir=/srv/data", "upperdir=/u", "workdir=/w", "private"])
        #expect(layers.lower == ["/srv/data"] && layers.upper == "/u" && layers.work == "/w")
    }

    @Test func readsSeveralLayersAndEscapes() throws {
        let layers = try OverlayLayers(options: [#"lowerdir=/a\:b:/c\\d:/e"#, "volatile", "index=off", "metacopy=on"])
        #expect(layers.lower == ["/a:b", #"/c\d"#, "/e"])
        #expect(layers.upper == nil && layers.work == nil)
    }

    /// Linux, ovl_mount_dir: not only where there are several.
    @Test func aBackslashHasItsMeaningInAllFolders() throws {
        let layers = try OverlayLayers(options: [#"workdir=/\\w\:x"#, #"upperdir=/srv/\private:y"#, "lowerdir=/l"])
        #expect(layers.folders == ["/l", "/srv/private:y", #"/\w:x"#])
        #expect(layers.upperNumber == 1 && layers.workNumber == 2)
        #expect(try OverlayLayers(options: ["lowerdir=/l", "workdir=/w"]).workNumber == 1)
        #expect(throws: ConfigurationError.self) { try OverlayLayers(options: ["lowerdir=/l", #"upperdir=/u\"#]) }
    }

    @Test(arguments: [
        (["ro", #"lowerdir=/a\:b:/c"#, "index=off"], [1: "/p"], ["ro", #"lowerdir=/a\:b:/p"#, "index=off"]),
        ([#"lowerdir=/a\:b:/c\\:/d"#], [0: "/p", 2: #"/q:,\"#], [#"lowerdir=/p:/c\\:/q\:\,\\"#]),
        (["workdir=/w", "upperdir=/u:v", "lowerdir=/l", "x"], [1: "/p/u"], ["workdir=/w", "upperdir=/p/u", "lowerdir=/l", "x"]),
        (["workdir=/w", "upperdir=/u", "lowerdir=/l"], [2: "/p:w"], [#"workdir=/p\:w"#, "upperdir=/u", "lowerdir=/l"]),
        (["upperdir=/u:v", "lowerdir=/\u{301}:/\u{301}b"], [0: "/p"], ["upperdir=/u:v", "lowerdir=/p:/\u{301}b"]),
    ])
    func namesOtherFoldersAndKeepsTheRest(options: [String], folders: [Int: String], expected: [String]) throws {
        let replaced = try OverlayLayers.options(options, replacing: folders)
        #expect(replaced.map { Array($0.utf8) } == expected.map { Array($0.utf8) })
    }

    @Test func optionsMustFitIntoAPage() throws {
        let long = "/" + String(repeating: "a", count: 4095 - "lowerdir=/".count - 1)
        #expect(try OverlayLayers.options(["lowerdir=/l"], replacing: [0: long]) == ["lowerdir=" + long])
        #expect(throws: ConfigurationError.self) { try OverlayLayers.options(["lowerdir=/l"], replacing: [0: long + "a"]) }
    }

    @Test(arguments: [
        [], ["upperdir=/u"], ["lowerdir="], ["lowerdir=a"], ["lowerdir=/a:"], ["lowerdir=/a::/data"], ["lowerdir=/a", "lowerdir=/b"],
        ["lowerdir=/a,lowerdir=/b"], ["ro,lowerdir=/a"], ["lowerdir+=/a"], ["lowerdir=/a", "datadir+=/b"], ["lowerdir=/a", "upperdir=u"],
        ["lowerdir=/a", "future=/b"], [#"lowerdir=/a\"#], ["lowerdir=/a", #"workdir=w"#], ["lowerdir\u{301}=/a"],
    ])
    func refusesWhatCouldNameAnotherFolder(options: [String]) {
        #expect(throws: ConfigurationError.self) { try OverlayLayers(options: options) }
    }
}
