// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import LinuxSystem
import SystemPackage
import TestSupport

@testable import PluginVerification

/// A plugin in a process of its own, with a fault or without.
final class FaultyPlugin {
    let folder: FilePath
    let fault: [String]
    private var process: Process?

    static let program = "\(Repository.root)/Tests/PluginVerificationTests/faulty-plugin.py"

    init(in folder: FilePath, fault: [String]) { (self.folder, self.fault) = (folder, fault) }

    var socket: String { folder.appending("plugin.sock").string }

    private var words: [String] { [Self.program, socket, folder.appending("made").string] + fault }

    func start() async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = words
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process = process
        let path = socket
        try await eventually("the plugin listens") {
            (try? StreamSocket.connect(toUnixSocket: path, by: Deadline(after: .seconds(1)))) != nil
        }
    }

    /// A program that kills it, and starts another, whose number it writes down.
    func makeRestartCommand() throws -> String {
        guard let process else { throw Trouble("the plugin does not run") }
        let (program, numbers) = (folder.appending("restart").string, folder.appending("numbers").string)
        let quoted = words.map { "'\($0)'" }.joined(separator: " ")
        let text = """
            #!/bin/sh
            kill -9 "$(tail -n 1 '\(numbers)')"
            rm -f '\(socket)'
            python3 \(quoted) </dev/null >/dev/null 2>&1 &
            echo $! >>'\(numbers)'
            tries=0
            until [ -S '\(socket)' ] || [ $tries -gt 500 ]; do sleep 0.02; tries=$((tries + 1)); done
            """
        try text.write(toFile: program, atomically: true, encoding: .utf8)
        try "\(process.processIdentifier)\n".write(toFile: numbers, atomically: true, encoding: .utf8)
        chmod(program, 0o755)
        return program
    }

    func stop() {
        let numbers = (try? String(contentsOfFile: folder.appending("numbers").string, encoding: .utf8)) ?? ""
        // The first is the process below.
        for number in numbers.split(separator: "\n").dropFirst().compactMap({ pid_t($0) }) { kill(number, SIGKILL) }
        // It inherits which signals are blocked, and SIGTERM may be.
        if let process { kill(process.processIdentifier, SIGKILL) }
    }
}

/// Verifies a plugin of that fault.
func verify(
    fault: [String] = [], deadline: Duration = .seconds(5), restarting: Bool = false,
    _ change: (inout VerificationSettings) -> Void = { _ in }
) async throws -> VerificationReport {
    var report: VerificationReport?
    try await withScratchFolder { folder in
        let plugin = FaultyPlugin(in: folder, fault: fault)
        try await plugin.start()
        defer { plugin.stop() }
        var settings = VerificationSettings(socket: plugin.socket)
        settings.deadline = deadline
        settings.cycles = 40
        if restarting {
            settings.restartCommand = try plugin.makeRestartCommand()
        }
        change(&settings)
        let chosen = settings
        report = try await BlockingThread.run(named: "verify") { try VerificationReport(of: chosen) }
    }
    guard let report else { throw Trouble("no report") }
    return report
}
