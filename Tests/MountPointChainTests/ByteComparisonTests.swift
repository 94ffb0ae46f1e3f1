// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import MountPointChain
import Testing

/// Text that only looks the same is not the same: paths and labels are bytes to the kernel and to Docker.
@Suite struct ByteComparisonTests {
    private static let one = "/srv/\u{E9}"
    private static let two = "/srv/e\u{301}"

    @Test(arguments: [
        StringPattern(exactly: one), StringPattern(prefix: one), StringPattern(suffix: one), StringPattern(contains: one),
        StringPattern(pathPrefix: one), StringPattern(pathContains: one),
    ])
    func patternsOfText(pattern: StringPattern) {
        #expect(pattern.matches(Self.one))
        #expect(!pattern.matches(Self.two))
    }

    @Test func labels() {
        let pattern = StringMapPattern(exists: [.init(key: StringPattern(exactly: "\u{E9}"), value: StringPattern(exactly: "\u{E9}"))])
        #expect(pattern.matches(["\u{E9}": "\u{E9}"]))
        #expect(!pattern.matches(["e\u{301}": "\u{E9}"]))
        #expect(!pattern.matches(["\u{E9}": "e\u{301}"]))
        let both: StringMap = ["\u{E9}": "1", "e\u{301}": "2"]
        #expect(both.count == 2 && both["\u{E9}"] == "1" && both["e\u{301}"] == "2")
    }

    @Test func words() {
        #expect(Consistency(rawValue: "\u{E9}") == Consistency(rawValue: "\u{E9}"))
        #expect(Consistency(rawValue: "\u{E9}") != Consistency(rawValue: "e\u{301}"))
        #expect(Set([MountPoint.MountType(rawValue: "\u{E9}"), MountPoint.MountType(rawValue: "e\u{301}")]).count == 2)
        var mount = MountPoint(type: .init(rawValue: "\u{E9}"), source: Self.one, destination: "/m")
        var pattern = MountPointPattern()
        pattern.type = .init(rawValue: "e\u{301}")
        #expect(!pattern.matches(mount))
        mount.type = .init(rawValue: "e\u{301}")
        #expect(pattern.matches(mount))
    }
}
