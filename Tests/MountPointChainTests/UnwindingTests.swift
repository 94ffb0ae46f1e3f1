// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import MountPointChain
import Testing

@Suite struct UnwindingTests {
    typealias Answer = Result<MountPointDetachResponse, ChainedPluginError>

    /// Plugins by letters, in lower case attached, with an emergency action for their only mount.
    static func stack(_ names: String, _ states: [AppliedPlugin.State]? = nil) -> AppliedStack {
        AppliedStack(
            names.enumerated().map { index, name in
                let state = states?[index] ?? .attached
                let mount = AppliedMount(destination: "/x", effectiveSource: "/srv/x", emergencyDetach: [.unmount("/\(name)")])
                return AppliedPlugin(name: String(name), state: state, mounts: state == .attaching ? [] : [mount])
            })
    }

    @Test func lastAttachedDetachesFirst() {
        let host = FakeHost()
        var stack = Self.stack("abc")
        let outcome = host.unwind(&stack, [FakePlugin]("cab", on: host))
        #expect(host.events == ["c detach 0f", "b detach 0f", "a detach 0f"])
        #expect(
            host.history == [
                "a:attached b:attached c:detaching", "a:attached b:attached", "a:attached b:detaching", "a:attached", "a:detaching", "",
            ])
        #expect(outcome == UnwindingOutcome())
        #expect(stack == AppliedStack(ending: ContainerEnding(.ended)) && host.log == [])
        #expect([0, 1, 137].map { outcome.exitStatus(for: $0) } == [0, 1, 137])
    }

    @Test func anEmptyStackNeedsNothing() {
        let host = FakeHost()
        var stack = AppliedStack()
        #expect(host.unwind(&stack, []) == UnwindingOutcome())
        #expect(host.history == [] && host.log == [])
    }

    @Test func aRecoverableFailureGoesOn() {
        let host = FakeHost()
        let plugins = [FakePlugin]("abc", on: host)
        plugins[1].answerDetach = .success(MountPointDetachResponse(success: false, recoverable: true, err: "not synchronised"))
        var stack = Self.stack("abc")
        let outcome = host.unwind(&stack, plugins)
        #expect(host.events == ["c detach 0f", "b detach 0f", "a detach 0f"])
        #expect(outcome.failures == ["plugin:b did not detach: not synchronised"])
        #expect(!outcome.isFatal && stack.isEmpty && stack.stopped == nil)
        #expect([0, 1, 137].map { outcome.exitStatus(for: $0) } == [129, 1, 137])
    }

    @Test func anUnrecoverableFailureStops() {
        let host = FakeHost()
        let plugins = [FakePlugin]("abc", on: host)
        plugins[1].answerDetach = .success(MountPointDetachResponse(success: false, err: "lost"))
        var stack = Self.stack("abc")
        let outcome = host.unwind(&stack, plugins)
        #expect(host.events == ["c detach 0f", "b detach 0f"])
        #expect(outcome.failures == ["plugin:b did not detach: lost"])
        #expect(outcome.isFatal)
        #expect([0, 2].map { outcome.exitStatus(for: $0) } == [129, 2])
        #expect(stack.plugins.map(\.name) == ["a"] && stack.stopped == "plugin:b did not detach: lost")
        #expect(host.kept == stack)
        #expect(host.log == ["not asked to detach: plugin:a; undoing has stopped: plugin:b did not detach: lost"])

        // Nor does a later process ask the rest.
        host.events = []
        let later = host.unwind(&stack, plugins)
        #expect(host.events == [] && later.failures == [] && !later.isFatal)
        #expect(later.warnings == ["not asked to detach: plugin:a; undoing has stopped: plugin:b did not detach: lost"])
        #expect(stack == host.kept)
    }

    @Test(arguments: [ChainedPluginError.Kind.notSent, .refused, .unclear])
    func emergencyActionsStandInForAPluginThatCannotBeAsked(kind: ChainedPluginError.Kind) {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        plugins[1].answerDetach = .failure(ChainedPluginError(kind, "connection refused"))
        var stack = Self.stack("ab")
        let outcome = host.unwind(&stack, plugins)
        #expect(host.events == (kind == .notSent ? [] : ["b detach 0f"]) + ["unmount /b", "a detach 0f"])
        #expect(outcome.failures == [] && outcome.exitStatus(for: 0) == 0)
        #expect(outcome.warnings == ["plugin:b did not detach: connection refused"])
        #expect(host.log == outcome.warnings)
        #expect(stack.owed.map(\.name) == (kind == .notSent ? ["b"] : []))
        #expect(stack.isUnwound && stack.stopped == nil && host.kept == stack)
    }

    @Test func emergencyActionsStandInForAPluginThatIsNotThereAnyMore() {
        let host = FakeHost()
        var stack = Self.stack("ab")
        let outcome = host.unwind(&stack, [FakePlugin]("b", on: host))
        #expect(host.events == ["b detach 0f", "unmount /a"])
        #expect(outcome.warnings == ["plugin:a did not detach: there is no plugin a"])
        #expect(stack.owed.map(\.name) == ["a"])
    }

    /// For each list of actions of the upper of two plugins: what happens, the failures, and whether unwinding stops.
    @Test(
        arguments: [
            ([.warning("w")], [], [], false),
            ([.error("e")], [], ["plugin:b: e"], false),
            ([.fatal("f")], [], ["plugin:b: f"], true),
            ([.remove("/r")], ["remove /r"], [], false),
            ([.unmount("/u"), .remove("/r")], ["unmount /u", "remove /r"], [], false),
            ([.remove("/r"), .unmount("/u")], ["remove /r", "unmount /u"], [], false),
            ([.error("e"), .unmount("/u"), .warning("w"), .error("e2")], ["unmount /u"], ["plugin:b: e", "plugin:b: e2"], false),
            ([.nothing], [], [], false),
            ([.unmount("/u"), .fatal("f"), .remove("/r")], ["unmount /u", "remove /r"], ["plugin:b: f"], true),
            ([.unmount("/bad")], ["unmount /bad"], ["plugin:b: an emergency action failed: cannot unmount /bad"], true),
            (
                [.unmount("/bad"), .remove("/bad"), .remove("/r")], ["unmount /bad", "remove /bad", "remove /r"],
                [
                    "plugin:b: an emergency action failed: cannot unmount /bad", "plugin:b: an emergency action failed: cannot remove /bad",
                ], true
            ),
            (
                [.remove("r"), .unmount("/u")], ["unmount /u"], [#"plugin:b: an emergency action failed: "r" is not an absolute path"#],
                true
            ),
            ([.error("e\n\u{7}f")], [], ["plugin:b: e; ?f"], false),
            ([], [], ["plugin:b did not detach: gone, and it gave no emergency action for /x"], true),
        ] as [([EmergencyAction], [String], [String], Bool)])
    func eachEmergencyAction(actions: [EmergencyAction], events: [String], failures: [String], isFatal: Bool) {
        let host = FakeHost()
        host.badPaths = ["/bad"]
        let plugins = [FakePlugin]("ab", on: host)
        plugins[1].answerDetach = .failure(ChainedPluginError(.notSent, "gone"))
        var stack = Self.stack("ab")
        stack.plugins[1].mounts[0].emergencyDetach = actions
        let outcome = host.unwind(&stack, plugins)
        #expect(host.events == events + (isFatal ? [] : ["a detach 0f"]))
        #expect(outcome.failures == failures)
        #expect(outcome.isFatal == isFatal)
        #expect(outcome.exitStatus(for: 0) == (failures.isEmpty ? 0 : 129))
        #expect(stack.plugins.map(\.name) == (isFatal ? ["a", "b"] : ["b"]), "b does not know of the container's end")
        #expect(outcome.warnings.contains("plugin:b: w") == actions.contains(.warning("w")))
        #expect(host.log == outcome.warnings)
    }

    @Test func everyMountHasItsEmergencyActions() {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        plugins[1].answerDetach = .failure(ChainedPluginError(.notSent, "gone"))
        var stack = Self.stack("ab")
        stack.plugins[1].mounts = [
            AppliedMount(destination: "/1", effectiveSource: "/s", emergencyDetach: [.fatal("f"), .unmount("/1")]),
            AppliedMount(destination: "/2", effectiveSource: "/s"),
            AppliedMount(destination: "/3", effectiveSource: "/s", emergencyDetach: [.unmount("/3")]),
        ]
        let outcome = host.unwind(&stack, plugins)
        #expect(host.events == ["unmount /1", "unmount /3"])
        #expect(outcome.failures == ["plugin:b: f", "plugin:b did not detach: gone, and it gave no emergency action for /2"])
        #expect(outcome.isFatal && stack.stopped == outcome.failures.joined(separator: "; "))
    }

    @Test func attachedMountsThatAreNotKnownAreFatal() {
        let host = FakeHost()
        var stack = Self.stack("a")
        stack.plugins[0].mounts = []
        let outcome = host.unwind(&stack, [])
        #expect(outcome.failures == ["plugin:a did not detach: there is no plugin a, and what it attached is not known"])
        #expect(outcome.isFatal)
    }

    @Test func recordsThatFailKeepNobodyFromDetaching() {
        for (prepares, writes) in [(true, false), (false, true), (true, true)] {
            let host = FakeHost()
            host.failingPrepares = prepares
            host.failingWrites = writes
            var stack = Self.stack("ab")
            let outcome = host.unwind(&stack, [FakePlugin]("ab", on: host))
            #expect(host.events == ["b detach 0f", "a detach 0f"])
            #expect(outcome.failures == [] && stack.isEmpty)
            #expect(outcome.warnings.contains("cannot record that plugin:b is asked to detach: no space for a draft") == prepares)
            #expect(outcome.warnings.contains("cannot record which plugins are left to detach: no space for the record") == writes)
        }
    }

    @Test func aPluginIsAskedWithoutARecordIfItCannotBeMadeToCount() {
        let host = FakeHost()
        let plugins = [FakePlugin]("a", on: host)
        plugins[0].answerDetach = .failure(ChainedPluginError(.notRecorded, "rename failed"))
        var stack = Self.stack("a")
        let outcome = host.unwind(&stack, plugins)
        #expect(host.events == ["a detach 0f"])
        #expect(outcome.warnings == ["cannot record that plugin:a is asked to detach: rename failed"])
        #expect(outcome.failures == [])
    }
}
