// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import PluginClient
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// From a name to what a plugin wants to be asked about.
@Suite(.timeLimit(.minutes(2))) struct PluginLoaderTests {
    private func loader(_ folder: FilePath) -> PluginLoader {
        PluginLoader(
            discovery: PluginDiscovery(socketDirectory: "\(folder)", specificationDirectories: ["\(folder)/etc"]),
            cache: PluginPropertiesCache(folder.appending("kept"), patience: .seconds(100)), timeout: .seconds(100))
    }

    private static let properties = "{\"Success\":true,\"Patterns\":[{\"ReadOnly\":true}],\"Mounted\":true}"

    /// Answers the first call with one, the second with the other.
    private func script(_ activation: String = "{\"Implements\":[\"VolumeDriver\",\"mountpoint\"]}", _ properties: String = properties)
        -> ScriptedPlugin.Script
    {
        { connection in
            let request = connection.request()
            let body = request?.head.first?.contains("/Plugin.Activate ") == true ? activation : properties
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        }
    }

    @Test func activatesThenAsksAndDoesSoOnce() async throws {
        try await withScratchFolder { folder in
            let bodies = Mutex<[String]>([])
            let answer = script()
            let plugin = try ScriptedPlugin(at: "\(folder)/p.sock") { connection in
                answer(connection)
                bodies.withLock { $0.append(connection.body ?? "-") }
            }
            for _ in 0..<3 {
                let loaded = try loader(folder).load("p")
                #expect(loaded.endpoint.address == .unix(path: "\(folder)/p.sock"))
                #expect(loaded.properties == MountPointProperties(patterns: loaded.properties.patterns, mounted: true))
                #expect(loaded.properties.patterns.map(\.readOnly) == [true])
            }
            try await eventually("both are counted") { bodies.withLock { $0.count } == 2 }
            #expect(bodies.withLock { $0.sorted() } == ["", "{}"])
            #expect(plugin.requestedPaths == ["/Plugin.Activate", "/MountPointPlugin.MountPointProperties"])
        }
    }

    @Test(arguments: [
        ("{\"Implements\":[\"VolumeDriver\",\"NetworkDriver\"]}", "it implements VolumeDriver, NetworkDriver, not mountpoint"),
        ("{\"Implements\":[]}", "it implements nothing, not mountpoint"), ("{}", "it implements nothing, not mountpoint"),
        ("{\"Implements\":[\"MountPoint\"]}", "it implements MountPoint, not mountpoint"),
        ("{\"Implements\":[\"a\\nb\"]}", "it implements a; b, not mountpoint"),
    ])
    func whatIsNoMountPointPluginIsNamed(_ activation: String, _ words: String) async throws {
        try await withScratchFolder { folder in
            let plugin = try ScriptedPlugin(at: "\(folder)/p.sock", script(activation))
            for count in 1...2 {
                let error = callError { _ = try loader(folder).load("p") }
                #expect(error?.kind == .refused(status: 200, words: words))
                #expect(error?.message.contains("it is no mount point plugin: \(words); take it out of the chain") == true)
                #expect(plugin.calls == count)
            }
        }
    }

    @Test(arguments: ["", "x", "[]", "{\"Implements\":\"mountpoint\"}", "{\"Implements\":[5]}"])
    func anActivationThatCannotBeUnderstood(_ activation: String) async throws {
        try await withScratchFolder { folder in
            let plugin = try ScriptedPlugin(at: "\(folder)/p.sock", script(activation))
            let error = callError { _ = try loader(folder).load("p") }
            #expect(error?.kind == .unclear)
            #expect(error?.message.contains("Plugin.Activate: it answered what cannot be understood: ") == true, "\(error?.message ?? "")")
            #expect(error?.cause is ResponseError)
            #expect(plugin.calls == 1)
        }
    }

    @Test(
        arguments: [
            ("{\"Success\":false,\"Err\":\"not\\ntoday\"}", .refused(status: 200, words: "not; today"), "MountPointProperties: not; today"),
            ("{}", .refused(status: 200, words: ""), "without Success"), ("", .unclear, "cannot be understood"),
            ("{\"Success\":1}", .unclear, "Success"),
            ("{\"Success\":true,\"Patterns\":[{\"ReadOnly\":\"yes\"}]}", .unclear, "Patterns[0].ReadOnly"),
        ] as [(String, PluginClientError.Kind, String)])
    func propertiesThatDoNotCount(_ properties: String, _ kind: PluginClientError.Kind, _ words: String) async throws {
        try await withScratchFolder { folder in
            let plugin = try ScriptedPlugin(at: "\(folder)/p.sock", script("{\"Implements\":[\"mountpoint\"]}", properties))
            for count in 1...2 {
                let error = callError { _ = try loader(folder).load("p") }
                #expect(error?.kind == kind)
                #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
                // Each time both are asked: nothing is kept.
                #expect(plugin.calls == count * 2)
            }
        }
    }

    @Test func overTCPByASpecification() async throws {
        try await withScratchFolder { folder in
            let plugin = try ScriptedPlugin(tcp: false, script())
            try FileManager.default.createDirectory(atPath: "\(folder)/etc", withIntermediateDirectories: true)
            guard case .tcp(_, let port) = plugin.endpoint.address else { throw Trouble("no port") }
            try Data("http://localhost:\(port)\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/etc/p.spec"))
            for _ in 0..<2 { #expect(try loader(folder).load("p").endpoint.foundAt == "\(folder)/etc/p.spec") }
            #expect(plugin.calls == 2)
        }
    }
}
