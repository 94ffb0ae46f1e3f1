// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import MountPointChain
import Testing

@Suite struct MountPointPatternTests {
    static var mount: MountPoint {
        var mount = MountPoint(
            type: .volume, source: "/source", destination: "/destination", readOnly: true, mode: "ro",
            propagation: .init(rawValue: "rslave"), createSourceIfMissing: true, consistency: .cached,
            volume: .init(
                name: "name", driver: "driver", id: "id", labels: ["l": "1"], driverOptions: ["d": "2"], scope: .local,
                options: ["o": "3"]),
            container: .init(labels: ["c": "4"]), image: .init(labels: ["i": "5"]))
        mount.effectiveSource = "/effective"
        mount.origin = ["/effective", "/srv/secret"]
        mount.effectiveConsistency = .delegated
        mount.appliedMiddleware = [AppliedMiddleware(name: "plugin:a")]
        return mount
    }

    static func exists(_ key: String) -> StringMapPattern { StringMapPattern(exists: [.init(key: StringPattern(exactly: key))]) }
    static let never = StringPattern(exactly: "/other")

    typealias Change = @Sendable (inout MountPointPattern) -> Void

    /// What holds for the mount, and what does not; each is the only thing that the pattern asks.
    static let parts: [(holds: Change, fails: Change)] = [
        ({ $0.effectiveSource = [StringPattern(exactly: "/effective")] }, { $0.effectiveSource = [StringPattern(exactly: "/source")] }),
        ({ $0.origin = [StringPattern(pathContains: "/srv/secret/x")] }, { $0.origin = [StringPattern(exactly: "/source")] }),
        ({ $0.effectiveConsistency = .delegated }, { $0.effectiveConsistency = .cached }),
        ({ $0.source = [StringPattern(exactly: "/source")] }, { $0.source = [StringPattern(exactly: "/effective")] }),
        ({ $0.destination = [StringPattern(exactly: "/destination")] }, { $0.destination = [never] }),
        ({ $0.readOnly = true }, { $0.readOnly = false }),
        ({ $0.type = .volume }, { $0.type = .bind }),
        ({ $0.mode = [StringPattern(contains: "ro")] }, { $0.mode = [StringPattern(empty: true)] }),
        ({ $0.propagation = .init(rawValue: "rslave") }, { $0.propagation = .init(rawValue: "slave") }),
        ({ $0.createSourceIfMissing = true }, { $0.createSourceIfMissing = false }),
        ({ $0.consistency = .cached }, { $0.consistency = .delegated }),
        ({ $0.volume.name = [StringPattern(exactly: "name")] }, { $0.volume.name = [StringPattern(exactly: "driver")] }),
        ({ $0.volume.driver = [StringPattern(exactly: "driver")] }, { $0.volume.driver = [StringPattern(exactly: "id")] }),
        ({ $0.volume.id = [StringPattern(exactly: "id")] }, { $0.volume.id = [StringPattern(exactly: "name")] }),
        ({ $0.volume.scope = .local }, { $0.volume.scope = .global }),
        ({ $0.volume.labels = [exists("l")] }, { $0.volume.labels = [exists("d")] }),
        ({ $0.volume.driverOptions = [exists("d")] }, { $0.volume.driverOptions = [exists("o")] }),
        ({ $0.volume.options = [exists("o")] }, { $0.volume.options = [exists("l")] }),
        ({ $0.container.labels = [exists("c")] }, { $0.container.labels = [exists("i")] }),
        ({ $0.image.labels = [exists("i")] }, { $0.image.labels = [exists("c")] }),
        ({ $0.appliedMiddleware.exists = [.init()] }, { $0.appliedMiddleware.notExists = [.init()] }),
        // A list asks that all of it holds.
        (
            { $0.source = [StringPattern(prefix: "/s"), StringPattern(suffix: "e")] },
            { $0.source = [StringPattern(prefix: "/s"), never] }
        ),
        ({ $0.volume.labels = [exists("l"), exists("l")] }, { $0.volume.labels = [exists("l"), exists("x")] }),
        // Unknown words equal nothing.
        ({ _ in }, { $0.type = .init(rawValue: "npipe") }), ({ _ in }, { $0.consistency = .init(rawValue: "foo") }),
        ({ _ in }, { $0.effectiveConsistency = .init(rawValue: "foo") }), ({ _ in }, { $0.volume.scope = .init(rawValue: "galaxy") }),
        ({ _ in }, { $0.propagation = .init(rawValue: "RSLAVE") }), ({ _ in }, { $0.type = .unspecified }),
    ]

    @Test(arguments: parts.indices)
    func eachPartIsAsked(index: Int) {
        let (holds, fails) = Self.parts[index]
        var pattern = MountPointPattern()
        holds(&pattern)
        #expect(pattern.matches(Self.mount))
        fails(&pattern)
        #expect(!pattern.matches(Self.mount))
    }

    @Test func anEmptyPatternMatchesEveryMount() {
        #expect(MountPointPattern().matches(Self.mount))
        #expect(MountPointPattern().matches(MountPoint(type: .bind, source: "", destination: "")))
    }

    @Test func anEmptyWordAsksForAMountOfWhichNothingIsSaid() {
        var pattern = MountPointPattern()
        pattern.consistency = .unspecified
        #expect(pattern.matches(MountPoint(type: .bind, source: "/a", destination: "/b")))
        #expect(!pattern.matches(Self.mount))
    }

    /// Each pattern holds for a path of its own; with Not, for all of them.
    @Test(
        arguments: [
            ([StringPattern(exactly: "/a"), StringPattern(pathPrefix: "/b")], true), ([StringPattern(prefix: "/a", suffix: "c")], false),
            ([StringPattern(pathContains: "/b/c/d")], true), ([StringPattern(pathContains: "/b")], false),
            ([StringPattern(not: true, pathPrefix: "/b")], false), ([StringPattern(not: true, pathPrefix: "/x")], true),
            ([StringPattern(pathPrefix: "/b"), StringPattern(not: true, exactly: "/a")], false),
            ([StringPattern()], true), ([StringPattern(not: true)], true),
        ])
    func anOriginMatchesByOneOfItsPaths(patterns: [StringPattern], expected: Bool) {
        var mount = MountPoint(type: .bind, source: "/a", destination: "/d")
        mount.origin = ["/a", "/b/c"]
        var pattern = MountPointPattern()
        pattern.origin = patterns
        #expect(pattern.matches(mount) == expected)
    }

    @Test func ofAMountWithoutOriginNothingIsSaid() {
        let mount = MountPoint(type: .bind, source: "/a", destination: "/d")
        for (string, expected) in [
            (StringPattern(), true), (StringPattern(prefix: "/"), false), (StringPattern(not: true, prefix: "/"), true),
        ] {
            var pattern = MountPointPattern()
            pattern.origin = [string]
            #expect(pattern.matches(mount) == expected)
        }
    }

    @Test func wordsAreComparedByTheirBytes() {
        var pattern = MountPointPattern()
        pattern.type = .init(rawValue: "\u{212A}")
        #expect(!pattern.matches(MountPoint(type: .init(rawValue: "K"), source: "", destination: "")))
    }

    /// The patterns of a plugin that keeps containers from seeing a path, however they ask for it.
    @Test(
        arguments: [
            ("/", true), ("/etc", true), ("/etc/shadow", true), ("/etc/shadow/", true), ("/etc/x/../shadow", true),
            ("/etc/shadow.d", false),
            ("/srv", false),
        ])
    func thePatternsOfAPluginThatProhibitsPaths(source: String, expected: Bool) {
        func patterns(_ string: StringPattern) -> [MountPointPattern] {
            var bind = MountPointPattern()
            bind.type = .bind
            bind.source = [string]
            var volume = MountPointPattern()
            volume.type = .volume
            volume.volume.driver = [StringPattern(exactly: "local")]
            volume.volume.options = [
                StringMapPattern(exists: [
                    .init(key: StringPattern(exactly: "o"), value: StringPattern(contains: "bind")),
                    .init(key: StringPattern(exactly: "device"), value: string),
                ])
            ]
            return [bind, volume]
        }
        let all = patterns(StringPattern(pathContains: "/etc/shadow")) + patterns(StringPattern(pathPrefix: "/etc/shadow"))
        let bind = MountPoint(type: .bind, source: source, destination: "/x")
        var volume = MountPoint(
            type: .volume, source: "/var/lib/docker/volumes/v/_data", destination: "/x",
            volume: .init(name: "v", driver: "local", options: ["type": "none", "o": "rw,bind", "device": source]))
        #expect(all.contains { $0.matches(bind) } == expected)
        #expect(all.contains { $0.matches(volume) } == expected)
        volume.volume.options["o"] = "ro"
        #expect(!all.contains { $0.matches(volume) })
    }
}
