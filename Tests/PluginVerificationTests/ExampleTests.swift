// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import PluginVerification

@Suite("The examples keep the rules", .needs(.root))
struct ExampleTests {
    /// Serves an example, with files of its own, and verifies it.
    private func verify(_ words: [String], _ environment: (FilePath) throws -> [String: String]) async throws -> VerificationReport {
        var report: VerificationReport?
        try await withScratchFolder { folder in
            let socket = folder.appending("example.sock").string
            try FileManager.default.createDirectory(atPath: "\(folder)/source", withIntermediateDirectories: false)
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = [words[0], "\(Repository.root)/Examples/\(words[1])", socket]
            process.environment = ProcessInfo.processInfo.environment.merging(try environment(folder)) { $1 }
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            defer {
                kill(process.processIdentifier, SIGKILL)
                process.waitUntilExit()
            }
            try await eventually("the example listens") {
                (try? StreamSocket.connect(toUnixSocket: socket, by: Deadline(after: .seconds(1)))) != nil
            }
            var settings = VerificationSettings(socket: socket)
            settings.cycles = 40
            let mount = #"{"Type":"bind","Source":"\#(folder)/source","Destination":"/data"}"#
            settings.mounts = [try VerificationSettings.mount(json: mount)]
            let chosen = settings
            report = try await BlockingThread.run(named: "verify") { try VerificationReport(of: chosen) }
        }
        return try #require(report)
    }

    @Test("guard.py: a folder that it makes read-only")
    func guardian() async throws {
        let report = try await verify(["python3", "guard.py"]) { folder in
            let file = folder.appending("guard.json").string
            try #"{"denied": ["/srv/secret"], "read-only": ["\#(folder)/source"]}"#.write(toFile: file, atomically: false, encoding: .utf8)
            return ["GUARD_SETTINGS": file]
        }
        #expect(report.isRight, "\(report.text)")
        #expect(report.text.contains("19 rules kept, 0 broken, 1 not tried"), "\(report.text)")
    }

    @Test("journal.pl: every mount")
    func journal() async throws {
        let report = try await verify(["perl", "journal.pl"]) { folder in
            ["JOURNAL_STATE": folder.appending("state").string, "JOURNAL_LOG": folder.appending("log").string]
        }
        #expect(report.isRight, "\(report.text)")
        #expect(report.text.contains("19 rules kept, 0 broken, 1 not tried"), "\(report.text)")
    }
}
