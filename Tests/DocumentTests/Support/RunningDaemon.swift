// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import SystemPackage
import TestSupport

/// The daemon as a process of its own, with tmpfs in the place of NFS and all its folders in a scratch folder.
struct RunningDaemon: Sendable {
    let folder: FilePath
    let process: Int32

    /// Where volumes are mounted.
    var mounts: FilePath { folder.appending("mount") }
    /// The socket of one of the driver's names.
    var driverSocket: String { folder.appending("socket/nfsd.sock").string }
    var metricsSocket: String { Self.metricsSocket(in: folder) }
    /// The settings that name its folders, for another command on them.
    var flags: [String] { Self.flags(in: folder) }

    private static func metricsSocket(in folder: FilePath) -> String { folder.appending("metrics.sock").string }

    private static func flags(in folder: FilePath) -> [String] {
        ["state", "runtime", "mount", "socket"].flatMap { ["--\($0)-directory", folder.appending($0).string] }
    }

    /// Runs a daemon in a folder of its own until the body ends. Parameters are as in ``with(in:metrics:wrapping:_:)``.
    static func with(metrics: String? = nil, _ body: (RunningDaemon) async throws -> Void) async throws {
        try await withScratchFolder { folder in try await with(in: folder, metrics: metrics, body) }
    }

    /// Runs a daemon until the body ends.
    ///
    /// - Parameters:
    ///   - metrics: the setting; nil for none, `socket` for ``metricsSocket``.
    ///   - wrapping: words before the program's own, such as `strace` and its arguments; the process must be the daemon's in the end.
    ///   - body: gets the daemon once it serves.
    static func with(
        in folder: FilePath, metrics: String? = nil, wrapping: [String] = [], _ body: (RunningDaemon) async throws -> Void
    ) async throws {
        let log = folder.appending("log").string
        try Data().write(to: URL(fileURLWithPath: log))
        let output = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let setting = metrics.map { ["--metrics", $0 == "socket" ? "unix:" + metricsSocket(in: folder) : $0] } ?? []
        process.arguments = wrapping + [Programs.daemon, "serve", "--engine-socket", "none"] + flags(in: folder) + setting
        process.environment = ProcessInfo.processInfo.environment.merging(["DOCKER_NFSD_TEST_STAND_IN": "tmpfs:none"]) { $1 }
        process.standardOutput = output
        process.standardError = output
        try process.run()
        defer {
            process.terminate()
            process.waitUntilExit()
        }
        let daemon = RunningDaemon(folder: folder, process: process.processIdentifier)
        try await eventually("it serves: \(daemon.log)") { daemon.log.contains("serves nfsd") }
        try await body(daemon)
    }

    /// What it has said so far.
    var log: String { (try? String(contentsOfFile: folder.appending("log").string, encoding: .utf8)) ?? "" }

    /// Calls the driver as an engine does.
    ///
    /// - Parameter method: such as `VolumeDriver.Mount`.
    /// - Returns: the answer's body.
    @discardableResult
    func call(_ method: String, _ body: String) async throws -> String {
        try await command(["curl", "-sS", "--max-time", "60", "--unix-socket", driverSocket, "-d", body, "http://plugin/\(method)"]).output
    }

    /// Creates a volume.
    func create(_ name: String) async throws {
        let answer = try await call("VolumeDriver.Create", #"{"Name":"\#(name)","Opts":{"server":"nas","path":"/export"}}"#)
        if answer != #"{"Err":""}"# { throw Trouble("Create: \(answer)") }
    }

    /// The page of metrics, read from the socket.
    func page() async throws -> PrometheusPage { try PrometheusPage(try await text()) }

    func text() async throws -> String {
        try await command(["curl", "-sSf", "--max-time", "60", "--unix-socket", metricsSocket, "http://localhost/metrics"]).output
    }

    /// Ports of this host at which nobody listens at this moment. Another process can take one before it is used.
    static func freePort() throws -> UInt16 { try UnusedPort().number }

    /// The mode of each folder below the scratch folder, by its path there; of what is mounted nothing.
    func modes() throws -> [String: Int] {
        var modes: [String: Int] = [:]
        for path in FileManager.default.enumerator(atPath: folder.string)?.compactMap({ $0 as? String }) ?? [] {
            var status = stat()
            guard lstat(folder.appending(path).string, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { continue }
            modes[path] = Int(status.st_mode & 0o7777)
        }
        return modes
    }
}
