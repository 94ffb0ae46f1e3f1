// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import MountPointChain
import Testing

/// What plugins make of mounts besides their sources, and which mounts they are shown.
@Suite struct ChangesTests {
    private func attach(_ changes: [MountPointChanges], _ mount: MountPoint, on host: FakeHost = FakeHost()) throws -> MountPoint {
        let plugins = [FakePlugin](String("abcdef".prefix(changes.count)), on: host)
        for (plugin, changes) in zip(plugins, changes) {
            plugin.answerAttach = .success([Attachment(attach: true, changes: changes)])
            plugin.answerProperties = .success(MountPointProperties(patterns: [MountPointPattern()], types: [.tmpfs]))
        }
        return try host.attach(plugins, [mount]).mounts[0]
    }

    @Test func laterPluginsSeeWhatWasChanged() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("abc", on: host)
        let changes = MountPointChanges(readOnly: true, options: [.nosuid, .noexec], propagation: .rslave)
        plugins[0].answerAttach = .success([Attachment(attach: true, changes: changes)])
        var readOnly = MountPointPattern()
        readOnly.readOnly = true
        readOnly.propagation = .rslave
        plugins[1].answerProperties = .success(MountPointProperties(patterns: [readOnly]))
        plugins[1].answerAttach = .success([Attachment(attach: true, changes: MountPointChanges(options: [.nodev, .nosuid]))])
        let attached = try host.attach(plugins, [twoMounts[0]])
        #expect(plugins[0].lastRequest?.mounts[0].readOnly == false)
        #expect(plugins[1].lastRequest?.mounts[0].readOnly == true)
        #expect(plugins[1].lastRequest?.mounts[0].appliedMiddleware == [AppliedMiddleware(name: "plugin:a", changes: changes)])
        #expect(
            attached.mounts[0].appliedChanges
                == MountPointChanges(readOnly: true, options: [.nosuid, .noexec, .nodev], propagation: .rslave))
        #expect(attached.mounts[0].effectiveSource == "/srv/x")
    }

    @Test func nobodyWidensAMount() throws {
        let mount = MountPoint(type: .bind, source: "/s", destination: "/d", readOnly: true)
        #expect(try attach([MountPointChanges(readOnly: false)], mount).readOnly)
        #expect(try attach([MountPointChanges(readOnly: true), MountPointChanges(readOnly: false)], twoMounts[0]).readOnly)
    }

    @Test(
        arguments: [
            (
                MountPointChanges(options: [.nosuid, .init(rawValue: "suid")]),
                #"it gave "suid" as an option of /x; it can add nosuid, nodev"#
            ),
            (MountPointChanges(options: [.init(rawValue: "NOSUID")]), #"it gave "NOSUID" as an option of /x"#),
            (MountPointChanges(options: [.init(rawValue: "")]), #"it gave "" as an option of /x"#),
            (
                MountPointChanges(propagation: .init(rawValue: "rshared")),
                #"it gave "rshared" as the propagation of /x, which can be rprivate or rslave"#
            ),
        ])
    func whatCannotBeChangedIsAFailureOfOneThatHasAttached(changes: MountPointChanges, words: String) {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        plugins[1].answerAttach = .success([Attachment(attach: true, changes: changes)])
        let error = #expect(throws: ChainError.self) { try host.attach(plugins) }
        #expect(error?.plugin == "b" && error?.message.hasPrefix(words) == true, "\(error?.message ?? "")")
        #expect(error?.kind == .invalidAnswer)
        #expect(host.events.suffix(2) == ["b detach 0f", "a detach 0f"])
    }

    @Test func aMissingSourceIsAFailureUnlessItIsMade() throws {
        let host = FakeHost()
        host.missingPaths = ["/new"]
        let made = MountPoint(type: .bind, source: "/s", destination: "/x", createSourceIfMissing: true)
        let change = [MountPointChanges(effectiveSource: "/new")]
        #expect(try attach(change, made, on: host).effectiveSource == "/new")
        let message = "it gave \"/new\" as the source of /x: /new does not exist"
        let error = #expect(throws: ChainError(.invalidAnswer, plugin: "a", message: message, undoing: .init())) {
            try attach(change, twoMounts[0], on: host)
        }
        #expect((error?.cause as? SourceError)?.isMissing == true)
        host.missingPaths = []
        host.badPaths = ["/new"]
        #expect(throws: ChainError.self) { try attach(change, made, on: host) }
    }

    // MARK: tmpfs

    private let memory = MountPoint(type: .tmpfs, source: "", destination: "/t", mode: "noexec,size=1m")

    @Test func onlyThoseWhoAskAreShownMountsOfMemory() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        #expect(!(try PluginChain(asking: plugins).isWanted([memory])))
        plugins[1].answerProperties = .success(MountPointProperties(patterns: [MountPointPattern()], types: [.tmpfs]))
        #expect(try PluginChain(asking: plugins).isWanted([memory]))
        host.events = []
        _ = try host.attach(plugins, [memory, twoMounts[0]])
        #expect(host.events.suffix(2) == ["a attach 0f /x=/srv/x", "b attach 0f /t= /x=/srv/x"])
        #expect(plugins[1].lastRequest?.mounts[0] == memory)
    }

    /// It then shows a place of the host, and a guard that asks for all mounts must see it.
    @Test func oneThatGetsASourceIsABindMountToThoseBehind() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("abc", on: host)
        plugins[1].answerProperties = .success(MountPointProperties(patterns: [.at("/t")], types: [.tmpfs]))
        plugins[1].redirects(to: "/srv/disk")
        let attached = try host.attach(plugins, [memory])
        #expect(host.events.suffix(3) == ["b attach 0f /t=", "check /srv/disk", "c attach 0f /t=/srv/disk"])
        #expect(plugins[2].lastRequest?.mounts[0].type == .bind)
        #expect(attached.mounts[0].appliedChanges.effectiveSource == "/srv/disk")
    }

    // MARK: The container itself

    private let container = MountPoint(of: ContainerDescription(labels: ["mountpoint.a": "/x"]))

    @Test func onlyThoseWhoAskAreShownTheContainerItself() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        #expect(!(try PluginChain(asking: plugins).isWanted([container])))
        plugins[1].answerProperties = .success(MountPointProperties(patterns: [MountPointPattern()], types: [.container]))
        #expect(try PluginChain(asking: plugins).isWanted([container]))
        plugins[1].answerAttach = .success([])
        host.events = []
        let attached = try host.attach(plugins, [container])
        #expect(host.events.suffix(1) == ["b attach 0f ="])
        #expect(attached.stack.isEmpty)
    }

    @Test func whoAttachesToTheContainerItselfIsAskedToDetach() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("a", on: host)
        plugins[0].answerProperties = .success(MountPointProperties(patterns: [MountPointPattern()], types: [.container]))
        let error = #expect(throws: ChainError.self) { try host.attach(plugins, [container]) }
        #expect(error?.kind == .invalidAnswer)
        #expect(error?.message.contains("it attached to the container itself") == true)
        #expect(host.events.last == "a detach 0f")
    }

    // MARK: What detach is told

    @Test func detachSaysWhyAndWhatAndHasTheTimeThatThePluginNeeds() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        plugins[0].answerProperties = .success(
            MountPointProperties(patterns: [.at("/x")], attachTimeout: 5, detachTimeout: 90, persistent: true))
        plugins[0].redirects(to: "/new/x")
        let attached = try host.attach(plugins)
        #expect(attached.stack.plugins.map(\.detachTimeout) == [90, nil])
        #expect(attached.stack.plugins.map(\.persistent) == [true, false])
        #expect(attached.stack.longestUnwinding(callTimeout: 10) == 20 + 180 + 40)
        var stack = try #require(host.kept)
        _ = stack.unwind(
            container: "0f", reason: .recovered, exitStatus: 137, store: host, actions: host, plugin: plugins.named)
        #expect(
            plugins[0].lastDetach?.request
                == MountPointDetachRequest(
                    id: "0f", exitStatus: 137, reason: .recovered, mounts: [.init(destination: "/x", effectiveSource: "/new/x")]))
        #expect(plugins[0].lastDetach?.seconds == 90 && plugins[1].lastDetach?.seconds == nil)
        #expect(plugins[1].lastDetach?.request.mounts.map(\.destination) == ["/x", "/y"])
    }

    @Test func aContainerThatDoesNotStartHasNoStatus() {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        plugins[1].answerAttach = .failure(ChainedPluginError(.refused, "no"))
        #expect(throws: ChainError.self) { try host.attach(plugins) }
        #expect(plugins[0].lastDetach?.request.reason == .notStarted && plugins[0].lastDetach?.request.exitStatus == nil)
    }
}
