// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import TestSupport
import Testing

/// Callers that leave a process without what it takes for granted.
@Suite(.serialized)
struct HostileStartTests {
    /// Words before the program's own.
    static let starts: [(String, [String])] = [
        ("standard input is closed", ["sh", "-c", "exec \"$@\" <&-", "sh"]),
        ("standard output is closed", ["sh", "-c", "exec \"$@\" >&-", "sh"]),
        ("standard error is closed", ["sh", "-c", "exec \"$@\" 2>&-", "sh"]),
        ("all three are closed", ["sh", "-c", "exec \"$@\" <&- >&- 2>&-", "sh"]),
        ("SIGCHLD is ignored", ["env", "--ignore-signal=CHLD"]),
        ("SIGCHLD and SIGTERM are blocked", ["env", "--block-signal=CHLD", "--block-signal=TERM"]),
        ("SIGPIPE is ignored", ["env", "--ignore-signal=PIPE"]),
    ]

    @Test(arguments: starts)
    func aContainerLivesAndItsPluginsAreToldOnce(name: String, words: [String]) async throws {
        try await ScratchRuntime.with("first", "second") { runtime, _ in
            let bundle = try runtime.makeBundle("c1")
            for command in [["create", "--bundle", bundle, "--pid-file", bundle + "/pid", "c1"], ["start", "c1"]] {
                let result = try await runtime.run(command, wrapping: words)
                #expect(result.status == 0, "\(name), \(command[0]): \(result)")
            }
            let supervisor = try runtime.supervisor(of: "c1")
            try runtime.below.end("c1", with: 0)
            try await eventually("the supervisor ends") { !runtime.processes.contains(supervisor) }
            #expect(try await runtime.run(["delete", "c1"], wrapping: words).status == 0)
            #expect(
                runtime.log.lines == ["first Attach c1", "second Attach c1", "second Detach c1", "first Detach c1"], "\(name)")
            #expect(runtime.files(below: "run") == [])
        }
    }

    @Test func nothingCanBeWrittenAndNobodyIsAskedTwice() async throws {
        try await ScratchRuntime.with("first", "second") { runtime, plugins in
            let supervisor = try await runtime.startContainer("c1")
            kill(supervisor, SIGKILL)
            try await eventually("it has ended") { !runtime.processes.contains(supervisor) }
            let gate = try #require(plugins["second"]).gate("Detach")
            let before = Set(runtime.processes)
            // As in a file system without room, but for this process and its children alone.
            let deleting = Task { try await runtime.run(["delete", "--force", "c1"], wrapping: ["prlimit", "--fsize=0"]) }
            try await gate.isReached()
            for process in runtime.processes where !before.contains(process) { kill(process, SIGKILL) }
            _ = try await deleting.value
            gate.open()
            try await eventually("the record is gone") {
                _ = try await runtime.run("delete", "--force", "c1")
                return runtime.record(of: "c1") == []
            }
            #expect(runtime.log.calls("Detach").map(\.plugin) == ["second", "first"])
        }
    }

    /// Whatever descriptor is missing, whoever has been asked to attach is asked to detach, at the latest when there are some again.
    @Test func withoutDescriptorsNoDetachIsLost() async throws {
        try await ScratchRuntime.with("first", "second") { runtime, _ in
            var failures = 0
            for limit in 4...20 {
                let id = "c\(limit)"
                let bundle = try runtime.makeBundle(id)
                let created = try await runtime.run(
                    ["create", "--bundle", bundle, id], wrapping: ["prlimit", "--nofile=\(limit)"], within: .seconds(60))
                if created.status != 0 { failures += 1 }
                try await eventually("nothing of \(id) is left") {
                    _ = try await runtime.run("delete", "--force", id)
                    return runtime.record(of: id) == []
                }
                // Those that could not be asked are known, and can be asked again.
                _ = try await runtime.run("detach", id)
                for plugin in ["first", "second"] {
                    let attached = runtime.log.calls("Attach", of: plugin).filter { $0.id == id }.count
                    let detached = runtime.log.calls("Detach", of: plugin).filter { $0.id == id }.count
                    #expect(attached == detached, "\(plugin) with \(limit) descriptors: \(created)")
                }
            }
            #expect(failures > 0, "the limits are too high to keep anything from being done")
        }
    }

    @Test func whatOthersHaveNamedCannotMoveACursor() async throws {
        try await ScratchRuntime.with("first") { runtime, _ in
            let result = try await runtime.run("create", "--bundle", runtime.folder + "/a\u{1b}[31m\u{9b}\nb\u{202e}", "c1")
            #expect(result.status == 1)
            #expect(
                result.output.unicodeScalars.filter { $0.value < 0x20 || $0.value == 0x9b || $0.value == 0x202e } == ["\n"], "\(result)")
        }
    }

    @Test func withoutDescriptorsALiveContainerIsLeftAlone() async throws {
        try await ScratchRuntime.with("first") { runtime, _ in
            let supervisor = try await runtime.startContainer("c1")
            for limit in 3...12 {
                _ = try await runtime.run(["kill", "c1", "0"], wrapping: ["prlimit", "--nofile=\(limit)"])
                #expect(runtime.processes.contains(supervisor))
                #expect(runtime.log.calls("Detach").isEmpty, "\(limit) descriptors")
                #expect(runtime.record(of: "c1").contains("container.json"), "\(limit) descriptors")
            }
        }
    }
}
