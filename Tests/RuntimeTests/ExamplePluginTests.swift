// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("The plugins of Examples/, and one in Swift, under a real engine")
    struct Examples {
        /// Starts one in the host of the engine, with copies of its files where its user has put them.
        private func start(_ program: String, _ name: String, environment: [String: String], on host: PrivateHost) async throws
            -> SpawnedProcess
        {
            try await start(["\(Repository.root)/Examples/\(program)"], name, environment: environment, on: host)
        }

        /// - Parameter program: and its arguments after the socket.
        private func start(
            _ program: [String], _ name: String, environment: [String: String] = [:], on host: PrivateHost
        ) async throws -> SpawnedProcess {
            let socket = "\(Dockerd.pluginFolder)/\(name).sock"
            let process = try host.start(
                [program[0], socket] + program.dropFirst(), environment: environment, log: "\(name).log")
            try await eventually("\(program[0]) listens: \(host.log("\(name).log"))", within: .seconds(10)) {
                if process.hasEnded { throw Trouble("\(program[0]) has ended: \(host.log("\(name).log"))") }
                return host.names(in: Dockerd.pluginFolder).contains("\(name).sock")
            }
            return process
        }

        @Test("the guard denies a folder by any of its names, and the journal has a line for each start and end")
        func guardAndJournal() async throws {
            try await Scenario.run { scenario in
                let host = scenario.host
                let secret = try scenario.folder("secret")
                let shared = try scenario.folder("shared")
                let folder = PrivateHost.folder + "/example"
                mkdir(host.path(folder), 0o700)
                let settings: JSONValue = ["denied": [.string(secret)], "read-only": [.string(shared)]]
                try host.write("\(settings)", to: folder + "/guard.json")
                let guardian = try await start("guard.py", "guard", environment: ["GUARD_SETTINGS": folder + "/guard.json"], on: host)
                let journal = try await start(
                    "journal.pl", "journal", environment: ["JOURNAL_STATE": folder + "/state", "JOURNAL_LOG": folder + "/log"], on: host)
                try scenario.setChain(["guard", "journal"])

                let denied = try await scenario.run(["--rm", "-v", "\(secret):/m"], script: "true")
                #expect(denied.status == 125, "\(denied)")
                #expect(denied.output.contains("middleware plugin:guard failed with error: /m would show \(secret)"), "\(denied)")

                let written = try await scenario.run(["--name", "web", "-v", "\(shared):/m"], script: "touch /m/x || exit 3")
                #expect(written.status == 3, "\(written)")
                try await scenario.docker("rm", "web")
                let lines = (host.contents(of: folder + "/log") ?? "").split(separator: "\n").map { $0.split(separator: " ").dropFirst() }
                #expect(lines.count == 2, "\(lines)")
                #expect(lines.first?.contains("/m=\(shared)") == true, "\(lines)")
                #expect(lines.last?.suffix(2) == ["ended", "status=3"], "\(lines)")

                for process in host.processes() where ["python3", "journal.pl"].contains(process.name) {
                    try await host.signal(SIGTERM, process.id)
                }
                for process in [guardian, journal] { _ = try await process.end(within: .seconds(10)) }
                for name in ["guard", "journal"] { unlink(host.path("\(Dockerd.pluginFolder)/\(name).sock")) }
                try FileManager.default.removeItem(atPath: host.path(folder))
            }
        }

        @Test("a plugin in Swift, by the package's own libraries, makes a folder read-only, and is asked to detach")
        func inSwift() async throws {
            try await Scenario.run { scenario in
                let host = scenario.host
                let shared = try scenario.folder("shared")
                let program = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path + "/read-only-folder"
                let plugin = try await start([program, shared], "swift", on: host)
                try scenario.setChain(["swift"])
                let container = try await scenario.run(
                    ["--rm", "-v", "\(shared):/m", "-v", "\(scenario.folder("other")):/o"], script: "touch /o/x && ! touch /m/x")
                #expect(container.status == 0, "\(container)")
                #expect(host.log("swift.log").contains(": ended"), "\(host.log("swift.log"))")
                for process in host.processes() where process.name == "read-only-folder".prefix(15) {
                    try await host.signal(SIGTERM, process.id)
                }
                _ = try await plugin.end(within: .seconds(10))
                unlink(host.path("\(Dockerd.pluginFolder)/swift.sock"))
            }
        }
    }
}
