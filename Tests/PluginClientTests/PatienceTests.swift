// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import LinuxSystem
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import PluginClient

/// Plugins that are away for a moment.
@Suite(.timeLimit(.minutes(2))) struct PatienceTests {
    @Test func triesAsDockerDoes() {
        var pauses: [Duration] = []
        var left = Patience.docker.limit
        var pause = Duration.seconds(1)
        while let wait = Patience.wait(pause, remaining: left) {
            pauses.append(wait)
            left -= wait
            pause = min(pause * 2, .seconds(8))
        }
        #expect(pauses == [1, 2, 4, 8].map { .seconds($0) })
        #expect(Patience.wait(.seconds(1), remaining: .zero) == nil)
        // A try that itself takes a moment costs none of the others.
        #expect(Patience.wait(.seconds(8), remaining: .seconds(7.9)) == .seconds(7.9))
        #expect(Patience.wait(.seconds(8), remaining: .seconds(4)) == .seconds(2))
    }

    private func loader(_ folder: FilePath, _ patience: Duration) -> PluginLoader {
        PluginLoader(
            discovery: PluginDiscovery(socketDirectory: "\(folder)", specificationDirectories: []),
            cache: PluginPropertiesCache(folder.appending("kept"), patience: .seconds(100)), timeout: .seconds(60),
            patience: Patience(patience))
    }

    private static let script: ScriptedPlugin.Script = { connection in
        let request = connection.request()
        let isActivation = request?.head.first?.contains("/Plugin.Activate ") == true
        let body = isActivation ? "{\"Implements\":[\"mountpoint\"]}" : "{\"Success\":true,\"Patterns\":[]}"
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    /// Whether it was never there, or has left its socket behind.
    @Test(arguments: [false, true]) func onePluginThatComesUpLaterIsLoaded(leavesSocket: Bool) async throws {
        try await withScratchFolder { folder in
            if leavesSocket { try makeDeadSocket(at: "\(folder)/p.sock") }
            let plugin = Mutex<ScriptedPlugin?>(nil)
            let begin = ContinuousClock.now
            Thread.detachNewThread {
                Thread.sleep(forTimeInterval: 0.5)
                plugin.withLock { $0 = try? ScriptedPlugin(at: "\(folder)/p.sock", Self.script) }
            }
            #expect(try loader(folder, .seconds(15)).load("p").properties.patterns == [])
            #expect(begin.duration(to: .now) > .milliseconds(500))
            #expect(plugin.withLock { $0?.calls } == 2)
        }
    }

    @Test func withoutPatienceItIsNotWaitedFor() async throws {
        try await withScratchFolder { folder in
            let begin = ContinuousClock.now
            #expect(callError { _ = try loader(folder, .zero).load("p") }?.isAbsence == true)
            #expect(begin.duration(to: .now) < .seconds(10))
        }
    }

    /// Only an absence is waited out: what was sent may have been read.
    @Test func aPluginThatIsThereAndFailsIsNotTriedAgain() async throws {
        try await withScratchFolder { folder in
            let plugin = try ScriptedPlugin(at: "\(folder)/p.sock") { $0.answer("{}", status: "500 No") }
            #expect(callError { _ = try loader(folder, .seconds(15)).load("p") }?.kind == .refused(status: 500, words: "{}"))
            #expect(plugin.calls == 1)
        }
    }

    @Test func itsTimeComesToAnEnd() {
        var tries = 0
        let begin = ContinuousClock.now
        let error = callError {
            try Patience(.milliseconds(300)).call { () throws(PluginClientError) in
                tries += 1
                var error = PluginClientError(.notSent, plugin: "p", "not there")
                error.isAbsence = true
                throw error
            }
        }
        #expect(error?.message == "not there" && tries > 1)
        #expect(begin.duration(to: .now) >= .milliseconds(200))
    }
}
