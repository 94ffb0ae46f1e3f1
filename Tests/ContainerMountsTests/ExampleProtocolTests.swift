// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import DockerSupport
import Foundation
import Glibc
import JSON
import MountPointChain
import PluginClient
import SystemPackage
import TestSupport
import Testing

@testable import ContainerMounts

private enum Interpreters {
    static var areThere: Bool {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return FileManager.default.isExecutableFile(atPath: "/usr/bin/perl")
            && folders.contains { FileManager.default.isExecutableFile(atPath: "\($0)/python3") }
    }
}

/// The plugins of Examples/, which are written by Docs/writing-a-plugin.md alone, called as the runtime calls them.
@Suite(.enabled(if: Interpreters.areThere, "needs python3, and perl with its own modules"))
struct ExampleProtocolTests {
    /// An example that listens in a scratch folder.
    private final class Example {
        let places: RuntimePlaces
        private let words: [String]
        private let environment: [String: String]
        private let folder: String
        private var process: SpawnedProcess?

        init(_ program: String, _ name: String, in folder: String, environment: [String: String]) async throws {
            places = try RuntimePlaces.scratch(folder)
            words = ["\(Repository.root)/Examples/\(program)", "\(folder)/plugins/\(name).sock"]
            (self.environment, self.folder) = (environment, folder)
            try await start()
        }

        func start() async throws {
            let process = try SpawnedProcess(words, environment: environment, log: folder + "/output")
            self.process = process
            try await eventually("the plugin listens: \(output)") {
                if process.hasEnded { throw Trouble("it has ended: \(output)") }
                return UnixSocket.accepts(words[1])
            }
        }

        func kill() async throws {
            process?.signal(SIGKILL)
            _ = try await process?.end(within: .seconds(10))
        }

        var output: String { (try? String(contentsOfFile: folder + "/output", encoding: .utf8)) ?? "" }

        func plugin(_ name: String) -> SocketPlugin { PluginLoader(places: places, timeout: 10).plugin(name) }
    }

    private func mount(_ source: String, at destination: String = "/m", origin: [String] = []) -> MountPoint {
        var mount = MountPoint(type: .bind, source: source, destination: destination)
        mount.origin = origin
        return mount
    }

    // MARK: guard.py

    private func withGuard(_ body: (SocketPlugin) async throws -> Void) async throws {
        try await withScratchFolder { scratch in
            let settings = scratch.appending("guard.json").string
            try #"{"denied":["/srv/secret"],"read-only":["/srv/shared"],"except-label":"guard.trusted"}"#
                .write(toFile: settings, atomically: true, encoding: .utf8)
            let example = try await Example("guard.py", "guard", in: scratch.string, environment: ["GUARD_SETTINGS": settings])
            do {
                try await body(example.plugin("guard"))
            } catch {
                try await example.kill()
                throw Trouble("\(error)\n\(example.output)")
            }
            try await example.kill()
        }
    }

    private func attach(_ mounts: MountPoint..., by plugin: SocketPlugin) throws -> [DockerPluginAPI.Attachment] {
        try plugin.attach(MountPointAttachRequest(id: "c1", mounts: mounts), committing: .inMemory)
    }

    @Test(arguments: [
        ("/srv/secret", []), ("/srv/secret/x", []), ("/srv", []), ("/", []), ("/home/link", ["/home/link", "/srv/secret"]),
    ])
    func theGuardDenies(source: String, origin: [String]) async throws {
        try await withGuard { plugin in
            let failure = #expect(throws: ChainedPluginError.self) { try attach(mount(source, origin: origin), by: plugin) }
            #expect(failure == ChainedPluginError(.refused, "/m would show /srv/secret, which no container may see"))
        }
    }

    @Test func theGuardMakesMountsReadOnlyAndLeavesOthersAlone() async throws {
        try await withGuard { plugin in
            let patterns = try plugin.properties().patterns
            #expect(patterns.contains { $0.matches(mount("/v", origin: ["/v", "/srv/shared/x"])) })
            #expect(!patterns.contains { $0.matches(mount("/usr", origin: ["/usr"])) })
            let attachments = try attach(
                mount("/srv/shared/x", origin: ["/srv/shared/x"]), mount("/srv/secretary"), mount("/usr"), by: plugin)
            #expect(attachments.map(\.attach) == [true, false, false])
            #expect(attachments[0].changes == MountPointChanges(readOnly: true))
            #expect(!attachments[0].emergencyDetach.isEmpty)
            #expect(try plugin.detach(MountPointDetachRequest(id: "c1"), within: nil, committing: nil).success)
        }
    }

    @Test func theGuardKnowsWhomItTrusts() async throws {
        try await withGuard { plugin in
            var trusted = mount("/srv/secret")
            trusted.container.labels = ["guard.trusted": "yes"]
            let attachments = try attach(trusted, by: plugin)
            #expect(attachments.map(\.attach) == [false])
        }
    }

    // MARK: journal.pl

    private func withJournal(_ body: (Example, _ log: () -> [String]) async throws -> Void) async throws {
        try await withScratchFolder { scratch in
            let log = scratch.appending("mounts.log").string
            let example = try await Example(
                "journal.pl", "journal", in: scratch.string,
                environment: ["JOURNAL_STATE": scratch.appending("journal").string, "JOURNAL_LOG": log])
            do {
                try await body(example) {
                    // Without the time.
                    ((try? String(contentsOfFile: log, encoding: .utf8)) ?? "").split(separator: "\n").map {
                        String($0.drop { $0 != " " }.dropFirst())
                    }
                }
            } catch {
                try await example.kill()
                throw Trouble("\(error)\n\(example.output)")
            }
            try await example.kill()
        }
    }

    @Test func theJournalHasALineForEachContainerAndEnd() async throws {
        try await withJournal { example, log in
            let plugin = example.plugin("journal")
            #expect(try plugin.properties().persistent)
            var first = mount("/srv/a", at: "/a")
            first.container.name = "web"
            let attachments = try plugin.attach(
                MountPointAttachRequest(id: "c1", mounts: [first, mount("/srv/b", at: "/b\n")]), committing: .inMemory)
            #expect(attachments.map(\.attach) == [true, true])
            // A restart in between loses nothing.
            try await example.kill()
            try await example.start()
            let after = example.plugin("journal")
            #expect(
                try after.detach(MountPointDetachRequest(id: "c1", exitStatus: 137, reason: .ended), within: nil, committing: nil).success)
            #expect(try after.detach(MountPointDetachRequest(id: "c1"), within: nil, committing: nil).success, "unknown by now")
            #expect(log() == ["attach c1 web /a=/srv/a /b?=/srv/b", "detach c1 ended status=137"])
        }
    }

    @Test func theJournalTakesNoIDForAPath() async throws {
        try await withJournal { example, log in
            let plugin = example.plugin("journal")
            #expect(throws: ChainedPluginError(.refused, "the ID is none")) {
                try plugin.attach(MountPointAttachRequest(id: "../c1", mounts: [mount("/srv/a")]), committing: .inMemory)
            }
            #expect(log() == [])
        }
    }
}
