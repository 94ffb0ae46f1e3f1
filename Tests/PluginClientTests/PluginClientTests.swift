// SPDX-License-Identifier: AGPL-3.0-or-later

import PluginClient
import SystemPackage
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct PluginClientTests {
    @Test(arguments: ["unix", "tcp", "tcp6"])
    func sendsOneRequestAndReturnsTheBody(_ transport: String) async throws {
        try await withScratchFolder { folder in
            let seen = Mutex<PluginConnection.Request?>(nil)
            let script: ScriptedPlugin.Script = { connection in
                seen.withLock { $0 = connection.request() }
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"a\":\"\u{e9}\"}")
            }
            let plugin = try transport == "unix" ? ScriptedPlugin(at: "\(folder)/p.sock", script) : ScriptedPlugin(tcp: transport == "tcp6", script)
            let answer = try PluginClient(plugin.endpoint, timeout: .seconds(60)).call("/A.B", Array("{\"x\":1}".utf8))
            #expect(String(decoding: answer, as: UTF8.self) == "{\"a\":\"\u{e9}\"}")
            #expect(seen.withLock { $0 }?.body == "{\"x\":1}")
            #expect(seen.withLock { $0 }?.head.first == "POST /A.B HTTP/1.1")
        }
    }
}
