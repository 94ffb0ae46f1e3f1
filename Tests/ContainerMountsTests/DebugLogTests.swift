// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import JSON
import PluginClient
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import ContainerMounts

struct DebugLogTests {
    @Test func eachCallIsALineWithoutWhatWasSaid() async throws {
        try await withScratchFolder { scratch in
            let places = try RuntimePlaces.scratch(scratch.string)
            let plugin = try AnsweringPlugin(
                "first", in: scratch.string + "/plugins",
                ["MountPointDetach": { _ in ["Success": false, "Recoverable": true, "Err": "hunter2"] }])
            defer { plugin.end() }
            let lines = Mutex<[String]>([])
            var loader = PluginLoader(places: places, timeout: 10)
            loader.callLog = CallLog { line in lines.withLock { $0.append(line) } }
            var settings = RuntimeSettings()
            settings.plugins = ["first"]
            _ = try AskCommand(["-v", "/:/y", "--label", "password=hunter2"]).answer(
                settings: settings, loader: loader, log: RuntimeLog(), dataRoots: []
            ) { false }
            let text = lines.withLock { $0 }
            let shapes = [
                /plugin first: Plugin\.Activate: answered after [0-9]+\.[0-9]{3} ms/,
                /plugin first: MountPointPlugin\.MountPointProperties: answered after [0-9]+\.[0-9]{3} ms/,
                /plugin first: MountPointPlugin\.MountPointAttach for container [0-9a-f]{64}: attached 1 of 1 mounts after [0-9]+\.[0-9]{3} ms/,
                /plugin first: MountPointPlugin\.MountPointDetach for container [0-9a-f]{64}: not detached, recoverable after [0-9]+\.[0-9]{3} ms/,
            ]
            #expect(text.count == shapes.count, "\(text)")
            for (line, shape) in zip(text, shapes) { #expect(line.wholeMatch(of: shape) != nil, "\(line)") }
            #expect(!text.contains { $0.contains("hunter2") })
        }
    }

    @Test func aCallThatWasNotSentIsSaidToBe() async throws {
        try await withScratchFolder { scratch in
            let places = try RuntimePlaces.scratch(scratch.string)
            let plugin = try AnsweringPlugin("first", in: scratch.string + "/plugins")
            plugin.end()
            let lines = Mutex<[String]>([])
            var loader = PluginLoader(places: places, timeout: 1)
            loader.callLog = CallLog { line in lines.withLock { $0.append(line) } }
            _ = try? loader.load("first")
            #expect(lines.withLock { $0 }.first?.hasPrefix("plugin first: Plugin.Activate: not sent after ") == true)
        }
    }

    @Test(arguments: [true, false])
    func theLineGoesToTheLogInItsForm(isJSON: Bool) async throws {
        try await withScratchFolder { scratch in
            let path = scratch.appending("log").string
            RuntimeLog(path: path, isJSON: isJSON).debug("a call", isForSystem: false)
            let text = try String(contentsOfFile: path, encoding: .utf8)
            if isJSON {
                #expect(try JSONValue(parsing: text)["level"] == "debug")
            } else {
                #expect(text.contains(" level=debug msg=\"a call\""))
            }
            RuntimeLog(path: path, isJSON: isJSON).debug("another", isForSystem: true)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == text, "an engine that has not asked for it does not get it")
        }
    }

    /// containerd and podman read `level` and `msg`.
    @Test(arguments: [true, false])
    func anErrorHasItsCodeInJSONAlone(isJSON: Bool) async throws {
        try await withScratchFolder { scratch in
            let path = scratch.appending("log").string
            RuntimeLog(path: path, isJSON: isJSON).error(RuntimeError(.pluginDenied, "plugin \"first\" said no"))
            let text = try String(contentsOfFile: path, encoding: .utf8)
            if isJSON {
                let entry = try JSONValue(parsing: text)
                #expect(entry["level"] == "error" && entry["msg"] == "plugin \"first\" said no" && entry["code"] == "plugin-denied")
                #expect(entry["time"]?.stringValue != nil)
            } else {
                #expect(text.hasSuffix(" level=error msg=\"plugin \\\"first\\\" said no\"\n"), "\(text)")
            }
        }
    }

    @Test func theSettingIsReadAndMustBeABoolean() throws {
        #expect(try RuntimeSettings(parsing: Array(#"{"debug":true}"#.utf8)).isDebugging)
        #expect(!RuntimeSettings().isDebugging)
        #expect(throws: RuntimeError(.badSettings, "debug must be true or false, not a number")) {
            try RuntimeSettings(parsing: Array(#"{"debug":1}"#.utf8))
        }
    }
}
