// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import JSON
import TestSupport
import Testing

extension FaultTests {
    /// The plugins that ship keep the protocol's rules, by the command that their authors' rivals would use, also when they are killed.
    @Suite(.serialized, .timeLimit(.minutes(20))) struct PluginVerifyTests {
        @Test("mountpoint-plugin verify finds each rule kept, and leaves nothing", arguments: PluginHost.Kind.all)
        func verify(_ kind: PluginHost.Kind) async throws {
            try await PluginHost.with { plugin in
                let before = try await plugin.snapshot()
                let report = try await plugin.verify(kind)
                let broken = report["Rules"]?.arrayValue?.filter { $0["Outcome"] != "kept" }
                #expect(broken == [] && report["Rules"]?.arrayValue?.count == 20, "\(report), \(plugin.log.suffix(2000))")
                let after = try await plugin.snapshot()
                #expect(after == before)
            }
        }
    }
}
