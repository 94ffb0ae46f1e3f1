// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import LinuxSystem
import PluginClient
import SystemPackage
import TestSupport
import Testing

/// The record of a call and its last byte: both or neither.
@Suite(.timeLimit(.minutes(5))) struct CommittingTests {
    private static let long = Duration.seconds(100)
    private static let body = "{\"ID\":\"c\"}"

    private struct Record {
        let draft: String
        let path: String

        init(_ folder: FilePath, replacing: Bool) throws {
            draft = "\(folder)/record.new"
            path = "\(folder)/record"
            try write("new", to: draft)
            if replacing { try write("old", to: path) }
        }

        private func write(_ text: String, to path: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }
        private func content(_ path: String) -> String? {
            (try? Data(contentsOf: URL(fileURLWithPath: path))).map { String(decoding: $0, as: UTF8.self) }
        }

        /// What lies at both places; `-` for nothing.
        var state: String { "\(content(draft) ?? "-") \(content(path) ?? "-")" }
    }

    @Test(arguments: [false, true], ["unix", "tcp"]) func bothHappen(_ replacing: Bool, _ transport: String) async throws {
        try await withScratchFolder { folder in
            let record = try Record(folder, replacing: replacing)
            let script: ScriptedPlugin.Script = { connection in
                // Who has read the whole request finds the record in its place.
                let request = connection.request()
                connection.send("HTTP/1.1 200 OK\r\n\r\n\(request?.body == Self.body ? record.state : "no")")
            }
            let plugin = try transport == "unix" ? ScriptedPlugin(at: "\(folder)/p.sock", script) : ScriptedPlugin(tcp: false, script)
            let client = PluginClient(plugin.endpoint, timeout: Self.long)
            let answer = try client.call("/A.B", Array(Self.body.utf8), committing: (record.draft, record.path))
            // The file that was replaced may go a moment after the byte.
            #expect(["- new", replacing ? "old new" : "- new"].contains(String(decoding: answer, as: UTF8.self)))
            #expect(record.state == "- new")
        }
    }

    @Test(arguments: [false, true]) func aRenameThatFailsSendsNothing(_ replacing: Bool) async throws {
        try await withScratchFolder { folder in
            let record = try Record(folder, replacing: replacing)
            let ended = DispatchSemaphore(value: 0)
            let plugin = try ScriptedPlugin(at: "\(folder)/p.sock") { connection in
                if connection.request() == nil { ended.signal() }
            }
            let client = PluginClient(plugin.endpoint, timeout: Self.long)
            let error = callError {
                _ = try client.call("/A.B", Array(Self.body.utf8), committing: ("\(folder)/absent", record.path))
            }
            #expect(error?.kind == .notRecorded)
            #expect(error?.message.contains("renameat2 \(folder)/absent to \(record.path)") == true, "\(error?.message ?? "")")
            ended.wait()
            #expect(record.state == (replacing ? "new old" : "new -"))
        }
    }

    /// A plugin that has gone before the last byte: what was renamed is put back.
    @Test(arguments: [false, true]) func aPeerThatIsGoneUndoesTheRename(_ replacing: Bool) async throws {
        try await withScratchFolder { folder in
            let record = try Record(folder, replacing: replacing)
            let closed = DispatchSemaphore(value: 0)
            let plugin = try ScriptedPlugin(at: "\(folder)/p.sock") { connection in
                _ = connection.receive()
                connection.hangUp()
                closed.signal()
            }
            let socket = try StreamSocket.connect(toUnixSocket: plugin.endpoint.foundAt, by: Deadline(after: Self.long))
            #expect(try socket.send([1, 2, 3]) == 3)
            closed.wait()
            let result = try socket.send(4, renaming: record.draft, to: record.path)
            guard case .notSent(let failure) = result else { throw Trouble("\(result)") }
            #expect(failure.errno == .brokenPipe)
            #expect(record.state == (replacing ? "new old" : "new -"))
        }
    }

    /// The same where the socket has no room for the byte.
    @Test func aPeerThatDoesNotReadUndoesTheRename() async throws {
        try await withScratchFolder { folder in
            let record = try Record(folder, replacing: true)
            let plugin = try ScriptedPlugin(at: "\(folder)/p.sock", nil)
            let socket = try StreamSocket.connect(toUnixSocket: plugin.endpoint.foundAt, by: Deadline(after: Self.long))
            let block = [UInt8](repeating: 0, count: 1 << 16)
            while try socket.send(block[...]) != nil {}
            while try socket.send([0]) != nil {}
            let result = try socket.send(0, renaming: record.draft, to: record.path)
            guard case .notSent(let failure) = result else { throw Trouble("\(result)") }
            #expect(failure.errno == .resourceTemporarilyUnavailable)
            #expect(record.state == "new old")
        }
    }

    /// All but the last byte fits into the socket, with so little room left that the kernel does not promise any.
    @Test func aPluginThatStopsReadingIsNotAsked() async throws {
        try await withScratchFolder { folder in
            let record = try Record(folder, replacing: true)
            let plugin = try ScriptedPlugin(at: "\(folder)/p.sock", nil)
            let client = PluginClient(plugin.endpoint, timeout: .milliseconds(200))
            let body = [UInt8](repeating: UInt8(ascii: " "), count: 100_000)
            let error = callError { _ = try client.call("/A.B", body, committing: (record.draft, record.path)) }
            #expect(error?.kind == .notSent, "\(error?.message ?? "")")
            #expect(record.state == "new old")
        }
    }

    /// What comes after the rename happens even if the process that began it is killed in between.
    @Test func theProcessThatSendsOutlivesItsCaller() async throws {
        try await withScratchFolder { folder in
            let record = try Record(folder, replacing: false)
            let draft = record.draft
            let path = record.path
            let mark = "\(folder)/mark"
            let gate = "\(folder)/gate"
            try #require(mkfifo(gate, 0o600) == 0)
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [draft = draft as String, path = path as String, mark = mark as String, gate = gate as String] in
                // What outlives this process keeps its descriptors: among them is the one whose end tells the test that this process is gone.
                // Not those of libdispatch, which ends the process by a trap if one of them is gone.
                for descriptor in CInt(3)..<1024 {
                    var target = [CChar](repeating: 0, count: 12)
                    guard readlink("/proc/self/fd/\(descriptor)", &target, 11) > 0 else { continue }
                    if String(decoding: target.prefix(11).map { UInt8(bitPattern: $0) }, as: UTF8.self) != "anon_inode:" {
                        close(descriptor)
                    }
                }
                let sequence = SystemCallSequence()
                sequence.outlivesCaller = true
                sequence.add("renameat", Numbers.renameat, on: draft, [.value(-100), .string(draft), .value(-100), .string(path)])
                // Opening it waits for somebody who opens it for writing.
                sequence.add("openat", Numbers.openat, on: gate, [.value(-100), .string(gate), .value(0)])
                sequence.add("mkdirat", Numbers.mkdirat, on: mark, [.value(-100), .string(mark), .value(0o755)])
                Thread.detachNewThread {
                    while access(path, F_OK) != 0 { usleep(100) }
                    kill(getpid(), SIGKILL)
                }
                _ = try sequence.run(until: Deadline(after: .seconds(100)))
            }
            #expect(record.state == "- new")
            #expect(access(mark, F_OK) != 0)
            // For reading as well, so that this does not wait where the sequence has failed. fifo(7)
            let writer = open(gate, O_RDWR)
            defer { close(writer) }
            try await eventually("the last call is made") { access(mark, F_OK) == 0 }
        }
    }

    /// SIGKILL at every moment of a call. The listener accepts only after the caller's end, so what it finds then is all there is.
    @Test func aKillAtAnyMomentLeavesBothOrNeither() async throws {
        try await withScratchFolder { folder in
            let plugin = try ScriptedPlugin(at: "\(folder)/p.sock", nil)
            let socket = "\(folder)/p.sock"
            for delay in stride(from: 0, to: 600, by: 20) {
                let record = try Record(folder, replacing: delay % 40 == 0)
                let draft = record.draft
                let path = record.path
                await #expect(processExitsWith: .signal(SIGKILL)) {
                    [draft = draft as String, path = path as String, socket = socket as String, delay = delay as Int] in
                    let endpoint = PluginEndpoint(name: try PluginName("p"), address: .unix(path: socket), foundAt: socket)
                    let client = PluginClient(endpoint, timeout: .seconds(100))
                    Thread.detachNewThread {
                        // A thread's start takes its time; the call begins when this one runs.
                        let start = ContinuousClock.now
                        while start.duration(to: .now) < .microseconds(delay) {}
                        kill(getpid(), SIGKILL)
                    }
                    _ = try client.call("/A.B", Array("{\"ID\":\"c\"}".utf8), committing: (draft, path))
                }
                let received = String(decoding: try plugin.takeConnections().joined(), as: UTF8.self)
                let isSent = received.hasSuffix("}")
                let state = record.state
                if isSent {
                    #expect(state == "- new" || state == "old new")
                } else {
                    #expect(state == (delay % 40 == 0 ? "new old" : "new -"), "\(received)")
                }
                unlink(record.path)
            }
        }
    }

    /// Numbers of system calls, asm/unistd.h.
    private enum Numbers {
        #if arch(x86_64)
            static let renameat = 264
            static let openat = 257
            static let mkdirat = 258
        #else
            static let renameat = 38
            static let openat = 56
            static let mkdirat = 34
        #endif
    }
}
