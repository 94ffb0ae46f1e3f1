// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

/// One of the two programs that answer the VolumeDriver calls, with folders of its own.
struct Server {
    let program: String
    let arguments: [String]
    let environment: [String: String]
    let socket: String
    private let load: String
    private let log: String

    /// The product. What it keeps lies on a disk; its sockets and what holds until the next boot in memory, as /run is.
    static func daemon(_ settings: Settings, in folder: String) throws -> Server {
        let memory = folder + "/run"
        for path in [folder, memory] { try makeFolder(path) }
        try run("mount", ["-t", "tmpfs", "-o", "mode=755", "none", memory])
        for path in [folder + "/state", folder + "/volumes", memory + "/plugins", memory + "/docker-nfsd"] { try makeFolder(path) }
        var environment = [
            "DOCKER_NFSD_STATE_DIRECTORY": folder + "/state",
            "DOCKER_NFSD_MOUNT_DIRECTORY": folder + "/volumes",
            "DOCKER_NFSD_RUNTIME_DIRECTORY": memory + "/docker-nfsd",
            "DOCKER_NFSD_SOCKET_DIRECTORY": memory + "/plugins",
            // What Docker runs on this machine is not to be looked through.
            "DOCKER_NFSD_DOCKER_DIRECTORY": folder + "/docker",
        ]
        if settings.export == nil { environment["DOCKER_NFSD_TEST_STAND_IN"] = "tmpfs:none" }
        return Server(
            program: settings.daemon, arguments: ["serve"], environment: environment, socket: memory + "/plugins/docker-nfsd.sock",
            load: settings.load, log: folder + "/log")
    }

    static func peer(_ settings: Settings, in folder: String) throws -> Server {
        let memory = folder + "/run"
        for path in [folder, memory] { try makeFolder(path) }
        try run("mount", ["-t", "tmpfs", "-o", "mode=755", "none", memory])
        let socket = memory + "/peer.sock"
        return Server(
            program: settings.peer, arguments: [socket], environment: [:], socket: socket, load: settings.load, log: folder + "/log")
    }

    /// Starts it and stops it again.
    ///
    /// - Returns: how long it took until its first answer.
    func timeToFirstAnswer() throws -> Double {
        let log = try openLog()
        defer { close(log) }
        guard let output = try? run(load, ["start", socket, program] + arguments, environment: environment, errors: log) else {
            throw BenchmarkError("\(program) did not answer; its log ends with:\n\(logTail)")
        }
        return try Self.figure("answer", in: output)
    }

    /// Starts it and returns when it answers.
    func start() throws -> Process {
        let log = try openLog()
        defer { close(log) }
        let process = try Process(program, arguments, environment: environment, output: log, errors: log)
        for _ in 0..<1000 {
            if (try? run(load, ["call", socket, "/Plugin.Activate", ""], errors: log)) != nil { return process }
            usleep(10_000)
        }
        kill(process.id, SIGKILL)
        process.wait()
        throw BenchmarkError("\(program) did not answer within 10 s; its log ends with:\n\(logTail)")
    }

    /// - Returns: the body of the answer.
    @discardableResult
    func call(_ name: String, _ body: String) throws -> String {
        try run(load, ["call", socket, path(name), body])
    }

    /// Calls one after another on one connection; `%d` in the body stands for the number of each.
    ///
    /// - Returns: the median time of a call.
    @discardableResult
    func each(_ name: String, _ body: String, count: Int = 1) throws -> Double {
        try Self.figure("p50", in: run(load, ["each", socket, path(name), body, String(count)]))
    }

    /// Calls at once, a connection each.
    ///
    /// - Returns: the time for all of them.
    func together(_ name: String, _ body: String, count: Int) throws -> Double {
        try Self.figure("all", in: run(load, ["together", socket, path(name), body, String(count)]))
    }

    /// The end of what the program wrote.
    var logTail: String { (try? readFile(log)).map { $0.split(separator: "\n").suffix(15).joined(separator: "\n") } ?? "" }

    private func path(_ name: String) -> String { name.hasPrefix("Plugin.") ? "/" + name : "/VolumeDriver." + name }

    private func openLog() throws -> CInt {
        let descriptor = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        if descriptor < 0 { throw BenchmarkError("cannot write \(log): \(lastError())") }
        return descriptor
    }

    /// The number after a word, in what the C programs print.
    static func figure(_ word: String, in output: String) throws -> Double {
        let words = output.split(whereSeparator: \.isWhitespace)
        guard let place = words.firstIndex(of: word[...]), place + 1 < words.endIndex, let number = Double(words[place + 1]) else {
            throw BenchmarkError("no figure \(word) in: \(output)")
        }
        return number
    }
}
