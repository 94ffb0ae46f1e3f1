// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import MountPointChain
import Testing

@Suite struct AttachFailureTests {
    /// In a chain of three, at each place, each way of failing: who is asked to detach.
    @Test(
        arguments: [
            (0, .refused, []), (0, .notSent, []), (0, .unclear, ["a"]),
            (1, .refused, ["a"]), (1, .notSent, ["a"]), (1, .unclear, ["b", "a"]),
            (2, .refused, ["b", "a"]), (2, .notSent, ["b", "a"]), (2, .unclear, ["c", "b", "a"]),
        ] as [(Int, ChainedPluginError.Kind, [String])])
    func thoseThatAttachedOrMayHaveDetachInReverse(place: Int, kind: ChainedPluginError.Kind, detached: [String]) {
        let host = FakeHost()
        let plugins = [FakePlugin]("abc", on: host)
        plugins[place].answerAttach = .failure(ChainedPluginError(kind, "MountPointPlugin.MountPointAttach: no"))
        let error = #expect(throws: ChainError.self) { try host.attach(plugins) }
        #expect(error?.description == "middleware plugin:\(plugins[place].name) failed with error: MountPointPlugin.MountPointAttach: no")
        #expect(error?.kind == (kind == .notSent ? .unreachable : kind == .refused ? .refused : .unclear))
        #expect((error?.cause as? ChainedPluginError)?.kind == kind)
        let asked = plugins.prefix(kind == .notSent ? place : place + 1).map { "\($0.name) attach 0f /x=/srv/x /y=/srv/y" }
        #expect(Array(host.events.dropFirst(3)) == asked + detached.map { "\($0) detach 0f" })
        #expect(host.kept?.isEmpty == true)
        #expect(host.history.last == "")
        #expect(host.log == [])
    }

    @Test func sourcesAreLetGoBeforeAnyoneDetaches() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        plugins[1].answerAttach = .failure(ChainedPluginError(.refused, "no"))
        let chain = try PluginChain(asking: plugins)
        #expect(throws: ChainError.self) {
            try chain.attach(
                twoMounts, of: "0f", store: host, actions: host, releasing: { host.happened("released") }, checkingSource: host.check)
        }
        #expect(host.events.suffix(2) == ["released", "a detach 0f"])
        let count = host.events.count
        plugins[1].answerAttach = nil
        _ = try chain.attach(
            twoMounts, of: "0f", store: host, actions: host, releasing: { host.happened("released") }, checkingSource: host.check)
        #expect(!host.events.dropFirst(count).contains("released"))
    }

    @Test func aRefusalIsOffTheBooksBeforeTheOthersDetach() {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        plugins[1].answerAttach = .failure(ChainedPluginError(.refused, "no"))
        #expect(throws: ChainError.self) { try host.attach(plugins) }
        #expect(host.history == ["a:attaching", "a:attached", "a:attached b:attaching", "a:attached", "a:detaching", ""])
    }

    @Test(
        arguments: [
            ("srv", #"it gave "srv" as the source of /x, which must be an absolute path"#),
            ("./srv", #"it gave "./srv" as the source of /x, which must be an absolute path"#),
            ("/a\u{0}b", #"it gave "/a\u0000b" as the source of /x, which must be an absolute path"#),
            ("/bad", #"it gave "/bad" as the source of /x: /bad does not exist"#),
        ])
    func aBadSourceIsAFailureOfOneThatHasAttached(source: String, message: String) {
        let host = FakeHost()
        host.badPaths = ["/bad"]
        let plugins = [FakePlugin]("abc", on: host)
        plugins[1].redirects(to: source)
        let error = #expect(throws: ChainError.self) { try host.attach(plugins) }
        #expect(error == ChainError(.invalidAnswer, plugin: "b", message: message))
        #expect(host.events.filter { $0.contains("detach") } == ["b detach 0f", "a detach 0f"])
        #expect(!host.events.contains { $0.hasPrefix("c attach") })
        #expect(host.kept?.isEmpty == true)
    }

    @Test(arguments: [EmergencyAction.remove("x"), .unmount("../x"), .remove("/x\u{0}")])
    func aBadEmergencyPathIsAFailureOfOneThatHasAttached(action: EmergencyAction) {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        plugins[0].answerAttach = .success([Attachment(attach: true, emergencyDetach: [action])])
        let error = #expect(throws: ChainError.self) { try host.attach(plugins) }
        #expect(error?.plugin == "a")
        #expect(error?.message.hasSuffix("as an emergency action's path for /x, which must be absolute") == true)
        #expect(Array(host.events.dropFirst(2)) == ["a attach 0f /x=/srv/x /y=/srv/y", "a detach 0f"])
    }

    /// A good mount beside the bad one still has its emergency actions.
    @Test func aBadAnswerStillTellsWhatToDoInAnEmergency() {
        let host = FakeHost()
        let plugins = [FakePlugin]("a", on: host)
        plugins[0].answerAttach = .success([
            Attachment(attach: true, emergencyDetach: [.unmount("/a/x")], changes: MountPointChanges(effectiveSource: "relative")),
            Attachment(attach: true, emergencyDetach: [.remove("/a/y")], changes: MountPointChanges(effectiveSource: "/not/checked")),
        ])
        plugins[0].answerDetach = .failure(ChainedPluginError(.unclear, "timed out"))
        let error = #expect(throws: ChainError.self) { try host.attach(plugins) }
        #expect(Array(host.events.dropFirst(1)) == ["a attach 0f /x=/srv/x /y=/srv/y", "a detach 0f", "unmount /a/x", "remove /a/y"])
        #expect(
            error?.description
                == #"middleware plugin:a failed with error: it gave "relative" as the source of /x, which must be an absolute path"#)
    }

    @Test func aFailureToUndoIsAddedInTheSameLine() {
        let host = FakeHost()
        let plugins = [FakePlugin]("abc", on: host)
        plugins[0].answerDetach = .success(MountPointDetachResponse(success: false, err: ""))
        plugins[1].answerDetach = .success(MountPointDetachResponse(success: false, recoverable: true, err: "busy"))
        plugins[2].answerAttach = .failure(ChainedPluginError(.refused, "no"))
        let error = #expect(throws: ChainError.self) { try host.attach(plugins) }
        #expect(
            error?.description == "middleware plugin:c failed with error: no "
                + "(and undoing failed: plugin:b did not detach: busy; plugin:a did not detach: it gave no reason)")
        #expect(error?.undoing.isFatal == true)
        #expect(host.kept?.stopped == "plugin:a did not detach: it gave no reason")
    }

    /// It may never have attached, so that it does not detach is no failure.
    @Test(
        arguments: [
            .failure(ChainedPluginError(.notSent, "gone")), .failure(ChainedPluginError(.refused, "gone")),
            .failure(ChainedPluginError(.unclear, "gone")),
            .success(MountPointDetachResponse(success: false, recoverable: true, err: "gone")),
            .success(MountPointDetachResponse(success: false, recoverable: false, err: "gone")),
        ] as [Result<MountPointDetachResponse, ChainedPluginError>])
    func thatAnUnclearPluginDoesNotDetachIsANote(answer: Result<MountPointDetachResponse, ChainedPluginError>) {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        plugins[1].answerAttach = .failure(ChainedPluginError(.unclear, "no answer within 30 s"))
        plugins[1].answerDetach = answer
        let error = #expect(throws: ChainError.self) { try host.attach(plugins) }
        #expect(error?.description == "middleware plugin:b failed with error: no answer within 30 s")
        #expect(host.events.last == "a detach 0f")
        #expect(host.log.count == 1 && host.log[0].contains("plugin:b") && host.log[0].contains("gone"))
    }

    @Test func aPluginsWordsSurvive() {
        let host = FakeHost()
        let plugins = [FakePlugin]("a", on: host)
        plugins[0].answerAttach = .failure(
            ChainedPluginError(.refused, "\nmount of /etc would expose /etc/shadow\r\n and more\u{1b}[31m\n"))
        let error = #expect(throws: ChainError.self) { try host.attach(plugins) }
        #expect(error?.description == "middleware plugin:a failed with error: mount of /etc would expose /etc/shadow; and more?[31m")
        plugins[0].answerAttach = .failure(ChainedPluginError(.refused, ""))
        let silent = #expect(throws: ChainError.self) { try host.attach(plugins) }
        #expect(silent?.description == "middleware plugin:a failed with error: it gave no reason")
    }

    @Test func nobodyIsAskedOfWhomNothingCanBeRecorded() {
        let host = FakeHost()
        host.failingPrepares = true
        let error = #expect(throws: ChainError.self) { try host.attach([FakePlugin]("a", on: host)) }
        #expect(error?.description == "cannot record that plugin:a is asked to attach, so it was not: no space for a draft")
        #expect(error?.kind == .notRecorded && error?.plugin == nil)
        #expect((error?.cause as? ChainedPluginError)?.cause as? StackStoreError == StackStoreError("no space for a draft"))
        #expect(host.events == ["a properties"])
    }

    @Test func theOthersDetachIfTheNextCannotBeRecorded() {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        plugins[1].answerAttach = .failure(ChainedPluginError(.notRecorded, "rename failed"))
        let error = #expect(throws: ChainError.self) { try host.attach(plugins) }
        #expect(error?.description == "cannot record that plugin:b is asked to attach, so it was not: rename failed")
        #expect(error?.kind == .notRecorded && error?.plugin == nil)
        #expect(Array(host.events.dropFirst(2)) == ["a attach 0f /x=/srv/x /y=/srv/y", "a detach 0f"])
    }

    @Test func aPluginWhoseAnswerCannotBeRecordedDetaches() {
        let host = FakeHost()
        host.failingWrites = true
        let error = #expect(throws: ChainError.self) { try host.attach([FakePlugin]("ab", on: host)) }
        #expect(error?.description == "cannot record what plugin:a has attached: no space for the record")
        #expect(error?.kind == .notRecorded && error?.cause is StackStoreError)
        #expect(Array(host.events.dropFirst(2)) == ["a attach 0f /x=/srv/x /y=/srv/y", "a detach 0f"])
        #expect(host.kept?.plugins.map(\.state) == [.detaching], "the draft still counted")
        #expect(error?.undoing.failures == [])
        #expect(error?.undoing.warnings.isEmpty == false)
    }
}
