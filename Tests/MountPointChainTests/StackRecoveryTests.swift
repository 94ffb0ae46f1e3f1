// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import MountPointChain
import Testing

/// What a process does with the stack that one before it has left.
@Suite struct StackRecoveryTests {
    @Test func aPluginThatWasAskedToDetachIsNotAskedAgain() {
        let host = FakeHost()
        var stack = UnwindingTests.stack("ab", [.attached, .detaching])
        let outcome = host.unwind(&stack, [FakePlugin]("ab", on: host))
        #expect(host.events == ["a detach 0f"])
        #expect(host.history == ["a:attached", "a:detaching", ""])
        #expect(outcome.failures == [])
        #expect(
            outcome.warnings == ["plugin:b was asked to detach by a process that ended before the answer; it is not asked again"])
    }

    @Test(arguments: [true, false])
    func aFailureIsKnownToWhoeverGoesOn(isRecoverable: Bool) throws {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        plugins[1].answerDetach = .success(MountPointDetachResponse(success: false, recoverable: isRecoverable, err: "no"))
        var stack = UnwindingTests.stack("ab")
        #expect(!(try AppliedStack(parsing: stack.encoded().span)).hasFailed)
        _ = host.unwind(&stack, plugins)
        #expect(try AppliedStack(parsing: stack.encoded().span).hasFailed)
    }

    @Test(
        arguments: [
            .success(MountPointDetachResponse()), .success(MountPointDetachResponse(success: false, err: "unknown container")),
            .failure(ChainedPluginError(.notSent, "unknown container")), .failure(ChainedPluginError(.unclear, "unknown container")),
        ] as [Result<MountPointDetachResponse, ChainedPluginError>])
    func aPluginThatMayHaveAttachedIsAskedAndMayFail(answer: Result<MountPointDetachResponse, ChainedPluginError>) {
        let host = FakeHost()
        let plugins = [FakePlugin]("ab", on: host)
        plugins[1].answerDetach = answer
        var stack = UnwindingTests.stack("ab", [.attached, .attaching])
        let outcome = host.unwind(&stack, plugins)
        #expect(host.events.last == "a detach 0f")
        let isSent = if case .failure(let failure) = answer { failure.kind != .notSent } else { true }
        #expect(outcome.failures == [] && !outcome.isFatal && stack.plugins.map(\.name) == (isSent ? [] : ["b"]))
        #expect(outcome.warnings.allSatisfy { $0.contains("plugin:b") && $0.contains("unknown container") })
    }

    /// Kills the process at every moment at which something has changed, lets another one finish from what was kept then, and counts.
    @Test(arguments: [nil, 0, 1, 2, 3, 4, 5])
    func theBooksBalanceWhereverAProcessIsKilled(failure: Int?) throws {
        struct Moment {
            let kept: AppliedStack?
            let events: [String]
        }
        let host = FakeHost()
        let plugins = [FakePlugin]("abc", on: host)
        switch failure {
        case 0: plugins[1].answerAttach = .failure(ChainedPluginError(.refused, "no"))
        case 1: plugins[2].answerAttach = .failure(ChainedPluginError(.unclear, "no"))
        case 2: plugins[2].redirects(to: "relative")
        case 3: plugins[1].answerDetach = .failure(ChainedPluginError(.unclear, "no"))
        case 4: plugins[1].answerDetach = .success(MountPointDetachResponse(success: false, recoverable: true, err: "no"))
        case 5: plugins[0].answerAttach = .success([])
        default: break
        }
        var moments: [Moment] = []
        host.moment = { moments.append(Moment(kept: $0.kept, events: $0.events)) }
        if var stack = try? host.attach(plugins).stack { _ = host.unwind(&stack, plugins) }
        #expect(moments.count > 10)

        for moment in moments {
            let later = FakeHost()
            let laterPlugins = [FakePlugin]("abc", on: later)
            var stack = moment.kept ?? AppliedStack()
            let outcome = later.unwind(&stack, laterPlugins)
            #expect(outcome.failures == [] && stack.isEmpty)
            for plugin in plugins {
                let attached = moment.events.contains { $0.hasPrefix("\(plugin.name) attach") }
                let count = (moment.events + later.events).filter { $0 == "\(plugin.name) detach 0f" }.count
                #expect(count <= 1, "\(plugin.name) at \(moment)")
                // In between, the request is out, and only the plugin could say whether it has read it.
                let isUnderWay = moment.kept?.plugins.contains { $0.name == plugin.name && $0.state == .detaching } == true
                let took = host.events.contains("\(plugin.name) detach 0f")
                if attached && took && !isUnderWay { #expect(count == 1, "\(plugin.name) at \(moment)") }
            }
        }
    }
}
