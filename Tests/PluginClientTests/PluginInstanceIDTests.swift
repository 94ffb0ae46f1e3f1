// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import LinuxSystem
import PluginClient
import SystemPackage
import TestSupport
import Testing

/// Two runs of a plugin are never taken for one.
@Suite(.timeLimit(.minutes(2))) struct PluginInstanceIDTests {
    @Test func aUNIXSocketThatIsMadeAnewIsAnotherRun() async throws {
        try await withScratchFolder { folder in
            var seen: [PluginInstanceID] = []
            for _ in 0..<5 {
                let plugin = try ScriptedPlugin(at: "\(folder)/p.sock") { $0.answer("{}") }
                let identity = try #require(PluginInstanceID(of: plugin.endpoint))
                #expect(PluginInstanceID(of: plugin.endpoint) == identity)
                #expect(PluginInstanceID(of: plugin.endpoint, known: identity.text) == identity)
                #expect(identity.listener == getpid())
                #expect(!seen.contains(identity))
                seen.append(identity)
                plugin.stop()
                #expect(PluginInstanceID(of: plugin.endpoint) == nil)
            }
        }
    }

    /// The socket's file is the same; only who listens is not.
    @Test func anotherProcessIsAnotherRun() async throws {
        try await withScratchFolder { folder in
            let path = "\(folder)/p.sock"
            let plugin = try ScriptedPlugin(at: path, nil)
            let identity = try #require(PluginInstanceID(of: plugin.endpoint))
            // listen(2) again, by another process, changes what SO_PEERCRED tells.
            let sequence = SystemCallSequence()
            sequence.keptDescriptor = plugin.descriptor
            sequence.add("listen", CallNumbers.listen, on: path, [.value(Int(plugin.descriptor)), .value(16)])
            guard case .finished = try sequence.run(until: Deadline(after: .seconds(100))) else { throw Trouble("not finished") }
            // That process has ended: nobody knows who will answer.
            #expect(PluginInstanceID(of: plugin.endpoint) == nil)
            #expect(listen(plugin.descriptor, 16) == 0)
            #expect(PluginInstanceID(of: plugin.endpoint) == identity)
        }
    }

    @Test(arguments: [false, true]) func aTCPSocketThatIsMadeAnewIsAnotherRun(_ isIPv6: Bool) throws {
        let plugin = try ScriptedPlugin(tcp: isIPv6) { _ in }
        let identity = try #require(PluginInstanceID(of: plugin.endpoint))
        #expect(PluginInstanceID(of: plugin.endpoint) == identity)
        #expect(PluginInstanceID(of: plugin.endpoint, known: identity.text) == identity)
        #expect(identity.listener == nil)
        plugin.stop()
        #expect(PluginInstanceID(of: plugin.endpoint) == nil)
        let other = try ScriptedPlugin(tcp: isIPv6) { _ in }
        #expect(PluginInstanceID(of: other.endpoint) != identity)
    }

    @Test func nothingIsKnownOfOtherHosts() throws {
        for host in ["192.0.2.1", "2001:db8::1", "no.such.host.invalid"] {
            let endpoint = PluginEndpoint(name: try PluginName("p"), address: .tcp(host: host, port: 22), foundAt: "x")
            #expect(PluginInstanceID(of: endpoint) == nil)
        }
    }

    /// systemd listens in the place of services that it starts at the first connection.
    @Test func aSocketOfSystemdIsNobodysRun() async throws {
        try await withScratchFolder { folder in
            let path = "\(folder)/p.sock"
            await #expect(processExitsWith: .exitCode(7)) { [path = path as String] in
                let plugin = try ScriptedPlugin(at: path, nil)
                let known = PluginInstanceID(of: plugin.endpoint)
                try "systemd".write(toFile: "/proc/self/task/\(getpid())/comm", atomically: false, encoding: .utf8)
                exit(known != nil && PluginInstanceID(of: plugin.endpoint) == nil ? 7 : 1)
            }
        }
    }
}

/// Numbers of system calls that a sequence makes for a test, asm/unistd.h.
enum CallNumbers {
    #if arch(x86_64)
        static let listen = 50
        static let accept = 43
        static let sendto = 44
        static let recvfrom = 45
    #else
        static let listen = 201
        static let accept = 202
        static let sendto = 206
        static let recvfrom = 207
    #endif
}
