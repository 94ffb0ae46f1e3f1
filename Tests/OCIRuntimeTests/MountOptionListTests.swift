// SPDX-License-Identifier: AGPL-3.0-or-later

import OCIRuntime
import Testing

@Suite struct MountOptionListTests {
    @Test(
        arguments: [
            (["rbind", "rprivate"], true, ["rbind", "rprivate", "ro", "rro"]),
            (["rbind", "rw"], false, ["rbind", "ro"]), (["bind", "rw"], true, ["bind", "ro"]),
            (["rbind", "ro"], true, ["rbind", "ro", "rro"]), (["rbind", "ro", "rro"], true, ["rbind", "ro", "rro"]),
            (["nosuid", "size=1m"], true, ["nosuid", "size=1m", "ro"]), (["rbind", "rrw"], true, ["rbind", "ro", "rro"]),
        ])
    func readOnly(options: [String], recursively: Bool, result: [String]) {
        var list = MountOptionList(options)
        list.add("ro", recursively: recursively)
        #expect(list.options == result)
    }

    @Test func addsAndTakesAwayWhatSaysTheOpposite() {
        var list = MountOptionList(["rbind", "suid", "exec", "relatime", "nodev"])
        for option in ["nosuid", "nodev", "noexec", "noatime"] { list.add(option, recursively: false) }
        #expect(list.options == ["rbind", "nodev", "nosuid", "noexec", "noatime"])
    }

    /// A mount below would be a way around what a guard forbids.
    @Test func forbidsForMountsBelowAsWell() {
        var list = MountOptionList(["rbind", "rsuid", "noexec"])
        for option in ["nosuid", "nodev", "noexec", "noatime", "nosymfollow"] { list.add(option, recursively: true) }
        #expect(
            list.options == ["rbind", "noexec", "nosuid", "rnosuid", "nodev", "rnodev", "rnoexec", "noatime", "nosymfollow"])
        var single = MountOptionList(["bind"])
        single.add("nosuid", recursively: true)
        #expect(single.options == ["bind", "nosuid"])
    }

    @Test func theLastPropagationIsTheOnlyOne() {
        var list = MountOptionList(["rbind", "rshared", "ro", "slave"])
        list.setPropagation("rprivate")
        #expect(list.options == ["rbind", "ro", "rprivate"])
    }

    @Test func aBindMountInThePlaceOfMemoryKeepsWhatForbids() {
        let list = MountOptionList(["noexec", "nosuid", "nodev", "rprivate", "size=1m", "mode=1777", "ro", "tmpcopyup"])
        #expect(list.forBindMount.options == ["rbind", "noexec", "nosuid", "nodev", "rprivate", "ro"])
    }
}
