// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import MountPointChain
import Testing

@Suite struct AttachingTests {
    @Test func allPropertiesComeBeforeTheFirstAttach() throws {
        let host = FakeHost()
        let attached = try host.attach([FakePlugin]("ab", on: host))
        #expect(host.events == ["a properties", "b properties", "a attach 0f /x=/srv/x /y=/srv/y", "b attach 0f /x=/srv/x /y=/srv/y"])
        #expect(host.history == ["a:attaching", "a:attached", "a:attached b:attaching", "a:attached b:attached"])
        #expect(attached.stack == host.kept)
        #expect(
            attached.stack.plugins[1].mounts == [
                AppliedMount(destination: "/x", effectiveSource: "/srv/x", emergencyDetach: [.unmount("/b/x")], source: "/srv/x"),
                AppliedMount(destination: "/y", effectiveSource: "/srv/y", emergencyDetach: [.unmount("/b/y")], source: "/srv/y"),
            ])
        #expect(host.log == [])
    }

    @Test func eachPluginSeesOnlyMountsThatItWants() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("abc", on: host)
        plugins[0].wants("/y")
        plugins[1].wants("/z")
        plugins[2].answerProperties = .success(MountPointProperties(patterns: [.at("/y"), .at("/x"), .at("/y")]))
        _ = try host.attach(plugins)
        #expect(Array(host.events.suffix(2)) == ["a attach 0f /y=/srv/y", "c attach 0f /x=/srv/x /y=/srv/y"])
        #expect(!host.history.joined().contains("b:"))
    }

    @Test func attachmentsBelongToTheMountsThatWereAskedAbout() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        plugins[0].wants("/y")
        plugins[0].redirects(to: "/new/y")
        plugins[1].answerAttach = .success([
            Attachment(attach: false), Attachment(attach: true, changes: MountPointChanges(effectiveConsistency: .cached)),
            Attachment(attach: true, changes: MountPointChanges(effectiveSource: "/beyond/the/end")),
        ])
        let attached = try host.attach(plugins)
        #expect(
            Array(host.events.dropFirst(2)) == ["a attach 0f /y=/srv/y", "check /new/y", "b attach 0f /x=/srv/x /y=/new/y"])
        #expect(attached.mounts.map(\.effectiveSource) == ["/srv/x", "/new/y"])
        #expect(attached.mounts.map(\.source) == ["/srv/x", "/srv/y"])
        #expect(attached.mounts.map(\.effectiveConsistency) == [.default, .cached])
        #expect(attached.mounts[0].appliedMiddleware == [])
        #expect(
            attached.mounts[1].appliedMiddleware == [
                AppliedMiddleware(name: "plugin:a", changes: MountPointChanges(effectiveSource: "/new/y")),
                AppliedMiddleware(name: "plugin:b", changes: MountPointChanges(effectiveConsistency: .cached)),
            ])
        #expect(attached.stack.plugins.map { $0.mounts.map(\.destination) } == [["/y"], ["/y"]])
        #expect(attached.stack.effectiveSource(at: "/y") == "/new/y")
        #expect(attached.stack.effectiveSource(at: "/x") == nil)
    }

    @Test func aShorterListLeavesTheRestUnattached() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("a", on: host)
        plugins[0].redirects(to: "/new")
        let attached = try host.attach(plugins)
        #expect(attached.mounts.map(\.effectiveSource) == ["/new", "/srv/y"])
        #expect(attached.stack.plugins[0].mounts.map(\.destination) == ["/x"])
    }

    @Test(
        arguments: [
            [], [Attachment(attach: false)],
            [Attachment(attach: false, emergencyDetach: [.remove("relative")], changes: MountPointChanges(effectiveSource: "relative"))],
        ])
    func aPluginThatDoesNotTakePartIsForgotten(answer: [Attachment]) throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        plugins[0].answerAttach = .success(answer)
        plugins[1].wants("/z")
        let attached = try host.attach(plugins)
        #expect(attached == AttachedMounts(mounts: twoMounts, stack: AppliedStack()))
        #expect(host.history == ["a:attaching", ""], "else a later process would ask it to detach")
    }

    @Test func patternsAreMatchedWithWhatEarlierPluginsDid() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("abcd", on: host)
        plugins[0].wants("/x")
        plugins[0].redirects(to: "/copy/x")
        var copied = MountPointPattern()
        copied.effectiveSource = [StringPattern(pathPrefix: "/copy")]
        var afterA = MountPointPattern()
        afterA.appliedMiddleware.topSequence = [.init(name: [StringPattern(exactly: "plugin:a")])]
        var original = MountPointPattern()
        original.effectiveSource = [StringPattern(exactly: "/srv/x")]
        plugins[1].answerProperties = .success(MountPointProperties(patterns: [copied]))
        plugins[2].answerProperties = .success(MountPointProperties(patterns: [afterA]))
        plugins[3].answerProperties = .success(MountPointProperties(patterns: [original]))
        _ = try host.attach(plugins)
        #expect(
            Array(host.events.dropFirst(4)) == [
                "a attach 0f /x=/srv/x", "check /copy/x", "b attach 0f /x=/copy/x", "c attach 0f /x=/copy/x",
            ])
        #expect(plugins[2].lastRequest?.mounts[0].appliedMiddleware.map(\.name) == ["plugin:a", "plugin:b"])
    }

    @Test func aPluginOfTheFirstDraftGetsItsMountsSo() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        plugins[1].answerProperties = .success(MountPointProperties(patterns: [MountPointPattern()], hasFlatVolume: true))
        _ = try host.attach(plugins)
        #expect(plugins.map { $0.lastRequest?.hasFlatVolume } == [false, true])
    }

    @Test func tellsThosePluginsThatWantToKnowThatTheMountsAreInPlace() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("abc", on: host)
        let wantsMounted = MountPointProperties(patterns: [.at("/x")], mounted: true)
        plugins[0].answerProperties = .success(wantsMounted)
        plugins[2].answerProperties = .success(wantsMounted)
        plugins[1].redirects(to: "/new/x")
        let attached = try host.attach(plugins)
        #expect(attached.stack.wantsMounted && host.kept == attached.stack)
        host.events = []
        try host.kept?.reportMounted(container: "0f", pid: 42, plugin: plugins.named)
        #expect(host.events == ["a mounted 0f 42 /x=/new/x", "c mounted 0f 42 /x=/new/x"])

        host.events = []
        plugins[0].answerMounted = ChainedPluginError(.refused, "cannot mark /x")
        let error = #expect(throws: ChainError.self) { try attached.stack.reportMounted(container: "0f", pid: 42, plugin: plugins.named) }
        #expect(error?.description == "middleware plugin:a failed with error: cannot mark /x")
        #expect(error?.kind == .refused && error?.cause as? ChainedPluginError == plugins[0].answerMounted)
        #expect(host.events == ["a mounted 0f 42 /x=/new/x"])
        #expect(throws: ChainError(.unreachable, plugin: "a", message: "there is no plugin a")) {
            try attached.stack.reportMounted(container: "0f", pid: 42, plugin: [FakePlugin]().named)
        }
    }

    @Test func nobodyIsToldWhoDoesNotWantToKnow() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("a", on: host)
        let attached = try host.attach(plugins)
        #expect(!attached.stack.wantsMounted)
        host.events = []
        try attached.stack.reportMounted(container: "0f", pid: 42, plugin: plugins.named)
        #expect(host.events == [])
    }
}
