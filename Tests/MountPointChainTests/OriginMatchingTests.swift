// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import MountPointChain
import Testing

@Suite struct OriginMatchingTests {
    private static func asking(_ pattern: StringPattern) -> Result<MountPointProperties, ChainedPluginError> {
        var wanted = MountPointPattern()
        wanted.origin = [pattern]
        return .success(MountPointProperties(patterns: [wanted]))
    }

    @Test func laterPluginsSeeTheOriginOfTheNewSource() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("abc", on: host)
        plugins[0].redirects(to: "/new")
        plugins[1].answerProperties = Self.asking(StringPattern(pathPrefix: "/srv/secret"))
        _ = try host.attach(plugins, origins: { $0 == "/new" ? ["/new", "/srv/secret"] : [$0] })
        #expect(
            Array(host.events.dropFirst(3)) == [
                "a attach 0f /x=/srv/x /y=/srv/y", "check /new", "origins /new", "b attach 0f /x=/new", "origins /new",
                "c attach 0f /x=/new /y=/srv/y",
            ])
        #expect(plugins[1].lastRequest?.mounts.map(\.origin) == [["/new", "/srv/secret"]])
    }

    /// A plugin may have mounted something where the source is.
    @Test func anOriginIsLookedForAgainWhereAPluginHasAttached() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        plugins[0].answerAttach = .success([Attachment(attach: false), Attachment(attach: true)])
        _ = try host.attach(plugins, origins: { [$0, "/mnt"] })
        #expect(host.events.filter { $0.hasPrefix("origins") } == ["origins /srv/y"])
        #expect(plugins[1].lastRequest?.mounts.map(\.origin) == [[], ["/srv/y", "/mnt"]])
    }

    @Test func nobodyLooksForAnOriginThatNoPluginWillSee() throws {
        let host = FakeHost()
        _ = try host.attach([FakePlugin]("a", on: host), origins: { [$0] })
        #expect(!host.events.contains { $0.hasPrefix("origins") })
    }

    @Test func anOriginThatCannotBeFoundUndoesTheChain() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        let error = #expect(throws: ChainError.self) {
            try host.attach(plugins, origins: { (_) throws(SourceError) in throw SourceError("the mount table cannot be read") })
        }
        #expect(error?.description == "the mount table cannot be read")
        #expect(error?.kind == .sources && error?.plugin == nil && error?.cause is SourceError)
        #expect(host.events.suffix(2) == ["origins /srv/x /srv/y", "a detach 0f"])
    }

    @Test func aChainSaysWhetherItAsksForOrigins() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        #expect(try !PluginChain(asking: plugins).asksForOrigin)
        plugins[1].answerProperties = Self.asking(StringPattern(not: true, prefix: "/srv"))
        #expect(try PluginChain(asking: plugins).asksForOrigin)
    }
}
