// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import MountPointChain
import Testing

/// Plugins that could not be asked to detach, and are asked again.
@Suite struct OwedPluginTests {
    private let away = ChainedPluginError(.notSent, "connection refused")

    /// `c` on top gave no emergency action and is away, so that unwinding stops.
    private func stopped(on host: FakeHost, _ plugins: [FakePlugin]) -> AppliedStack {
        plugins[2].answerDetach = .failure(away)
        var stack = UnwindingTests.stack("abc")
        stack.plugins[2].mounts[0].emergencyDetach = []
        let outcome = stack.unwind(
            container: "0f", reason: .ended, exitStatus: 3, store: host, actions: host, plugin: plugins.named)
        #expect(outcome.isFatal && host.events == [])
        return stack
    }

    @Test func whoWasNotAskedIsOwed() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("abc", on: host)
        let stack = stopped(on: host, plugins)
        #expect(stack.owed.map(\.name) == ["c", "b", "a"] && stack.isUnwound)
        #expect(stack.plugins.map(\.state) == [.attached, .attached, .owed])
        #expect(host.kept == stack, "for whoever asks again")
        #expect(UnwindingTests.stack("ab").owed.isEmpty && !UnwindingTests.stack("ab").isUnwound)
    }

    @Test func askingAgainAsksAllWithWhatTheyWouldHaveBeenTold() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("abc", on: host)
        var stack = try #require(
            {
                _ = stopped(on: host, plugins); return host.kept
            }())
        plugins[2].answerDetach = .success(MountPointDetachResponse())
        let outcome = host.askAgain(&stack, plugins)
        #expect(host.events == ["c detach 0f", "b detach 0f", "a detach 0f"])
        #expect(outcome == UnwindingOutcome())
        #expect(stack.isEmpty && stack.stopped == nil && stack.hasFailed)
        #expect(plugins[0].lastDetach?.request.exitStatus == 3 && plugins[0].lastDetach?.request.reason == .ended)
        #expect(host.kept == stack)
        host.events = []
        #expect(host.askAgain(&stack, plugins) == UnwindingOutcome() && host.events == [])
    }

    @Test func onlyOneIsAskedIfItIsNamed() {
        let host = FakeHost()
        let plugins = [FakePlugin]("abc", on: host)
        var stack = stopped(on: host, plugins)
        #expect(host.askAgain(&stack, plugins, only: "b").failures == [])
        #expect(host.events == ["b detach 0f"] && stack.owed.map(\.name) == ["c", "a"] && stack.stopped != nil)
        #expect(host.askAgain(&stack, plugins, only: "x") == UnwindingOutcome())
    }

    @Test func whoIsStillAwayStaysOwedAndTheOthersAreAsked() {
        let host = FakeHost()
        let plugins = [FakePlugin]("abc", on: host)
        var stack = stopped(on: host, plugins)
        let outcome = host.askAgain(&stack, plugins)
        #expect(host.events == ["b detach 0f", "a detach 0f"])
        #expect(outcome.failures == ["plugin:c cannot be asked to detach: connection refused"] && !outcome.isFatal)
        #expect(stack.owed.map(\.name) == ["c"])
    }

    @Test func aFailureThatIsNotRecoverableLeavesThoseBelowOwed() {
        let host = FakeHost()
        let plugins = [FakePlugin]("abc", on: host)
        var stack = stopped(on: host, plugins)
        plugins[1].answerDetach = .success(MountPointDetachResponse(success: false, err: "busy"))
        plugins[2].answerDetach = .success(MountPointDetachResponse(success: false, recoverable: true, err: "lost"))
        let outcome = host.askAgain(&stack, plugins)
        #expect(outcome.failures == ["plugin:c did not detach: lost", "plugin:b did not detach: busy"] && outcome.isFatal)
        #expect(stack.owed.map(\.name) == ["a"])
    }

    /// What stands in for a detach is done once.
    @Test func emergencyActionsAreNotRepeated() {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        plugins[1].answerDetach = .failure(away)
        var stack = UnwindingTests.stack("ab")
        #expect(host.unwind(&stack, plugins).failures == [])
        #expect(host.events == ["unmount /b", "a detach 0f"] && stack.owed.map(\.name) == ["b"])
        host.events = []
        for failure in [away, ChainedPluginError(.unclear, "no answer")] {
            plugins[1].answerDetach = .failure(failure)
            #expect(host.askAgain(&stack, plugins).failures.count == 1)
        }
        #expect(host.events == ["b detach 0f"])
        #expect(stack.isEmpty, "its request may have been read, and never comes twice")
    }

    /// Asked for the first time, a plugin below the stop has its emergency actions as ever.
    @Test func emergencyActionsStandInForOneThatFailsToAnswer() {
        let host = FakeHost()
        let plugins = [FakePlugin]("abc", on: host)
        var stack = stopped(on: host, plugins)
        plugins[1].answerDetach = .failure(ChainedPluginError(.unclear, "no answer"))
        #expect(host.askAgain(&stack, plugins, only: "b").failures == [])
        #expect(host.events == ["b detach 0f", "unmount /b"])
    }

    @Test func whoeverIsKilledWhileAskingAgainLeavesNobodyToBeAskedTwice() throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("abc", on: host)
        _ = stopped(on: host, plugins)
        plugins[2].answerDetach = .success(MountPointDetachResponse())
        var moments: [AppliedStack] = []
        host.moment = { host in if let kept = host.kept { moments.append(kept) } }
        var stack = try #require(host.kept)
        _ = host.askAgain(&stack, plugins)
        let underWay = try #require(moments.first { $0.plugins.last?.state == .detaching })
        #expect(underWay.owed.map(\.name) == ["b", "a"])
        let later = FakeHost()
        var left = underWay
        let outcome = later.askAgain(&left, [FakePlugin]("abc", on: later))
        #expect(later.events == ["b detach 0f", "a detach 0f"] && left.isEmpty)
        #expect(outcome.warnings == ["plugin:c was asked to detach by a process that ended before the answer; it is not asked again"])
    }

    @Test func unwindingGoesOnBesideWhoIsOwed() {
        let host = FakeHost()
        var stack = UnwindingTests.stack("abc", [.attached, .owed, .attached])
        _ = host.unwind(&stack, [FakePlugin]("abc", on: host))
        #expect(host.events == ["c detach 0f", "a detach 0f"] && stack.owed.map(\.name) == ["b"])
    }
}
