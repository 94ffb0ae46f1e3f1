// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import MountPointChain
import Testing

@Suite struct PluginChainTests {
    @Test func asksEachPluginOnceInOrder() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("abacb", on: host)
        let chain = try PluginChain(asking: plugins)
        #expect(chain.isWanted(twoMounts))
        #expect(host.events == ["a properties", "b properties", "c properties"])
        #expect(host.history == [])
    }

    @Test(arguments: [ChainedPluginError.Kind.notSent, .refused, .unclear])
    func stopsAtTheFirstThatCannotBeLoaded(kind: ChainedPluginError.Kind) {
        let host = FakeHost()
        let plugins = [FakePlugin]("abc", on: host)
        plugins[1].answerProperties = .failure(ChainedPluginError(kind, "cannot connect to /run/docker/plugins/b.sock"))
        let error = #expect(throws: ChainError.self) { try host.attach(plugins) }
        #expect(error?.description == "middleware plugin:b failed with error: cannot connect to /run/docker/plugins/b.sock")
        #expect((error?.cause as? ChainedPluginError)?.kind == kind)
        #expect(host.events == ["a properties", "b properties"])
        #expect(host.history == [])
    }

    @Test func isWantedOnlyIfAPatternMatchesAMountAsItIs() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        plugins[0].answerProperties = .success(MountPointProperties(patterns: []))
        var later = MountPointPattern()
        later.appliedMiddleware.exists = [.init()]
        plugins[1].answerProperties = .success(MountPointProperties(patterns: [.at("/z"), later]))
        let chain = try PluginChain(asking: plugins)
        #expect(!chain.isWanted(twoMounts))
        #expect(!chain.isWanted([]))
        #expect(chain.isWanted(twoMounts + [MountPoint(type: .bind, source: "/z", destination: "/z")]))
        let attached = try chain.attach(twoMounts, of: "0f", store: host, actions: host, checkingSource: host.check)
        #expect(attached == AttachedMounts(mounts: twoMounts, stack: AppliedStack()))
        #expect(host.events == ["a properties", "b properties"])
        #expect(host.history == [], "nothing is kept of a container that no plugin is asked about")
    }

    @Test func anEmptyChainWantsNothing() throws {
        #expect(!(try PluginChain(asking: []).isWanted(twoMounts)))
    }
}
