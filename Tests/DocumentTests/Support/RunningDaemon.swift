// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import SystemPackage
import TestSupport

/// The daemon as a process of its own, with tmpfs in the place of NFS and all its folders in a scratch folder.
struct RunningDaemon {
    let folder: FilePath
    /// Where volumes are mounted.
    var mounts: FilePath { folder.appending("mount") }

    private static let folders = ["state", "runtime", "mount", "socket"]

    /// - Parameters:
    ///   - wrapping: words before the program's own, such as `strace` and its arguments; the process must be the daemon's in the end.
    ///   - body: gets the daemon once it answers.
    static func with(
        in folder: FilePath, wrapping: [String] = [], _ body: (RunningDaemon) async throws -> Void
    ) async throws {
        let log = folder.appending("log").string
        try Data().write(to: URL(fileURLWithPath: log))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            wrapping + [Programs.daemon, "serve", "--engine-socket", "none"]
            + folders.flatMap { ["--\($0)-directory", folder.appending($0).string] }
        process.environment = ProcessInfo.processInfo.environment.merging(["DOCKER_NFSD_TEST_STAND_IN": "tmpfs:none"]) { $1 }
        let output = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        process.standardOutput = output
        process.standardError = output
        try process.run()
        defer {
            process.terminate()
            process.waitUntilExit()
        }
        let daemon = RunningDaemon(folder: folder)
        try await eventually("the daemon answers") {
            FileManager.default.fileExists(atPath: folder.appending("socket/nfsd.sock").string)
        }
        try await body(daemon)
    }

    /// What it has said so far.
    var log: String { (try? String(contentsOfFile: folder.appending("log").string, encoding: .utf8)) ?? "" }

    /// Calls the volume driver, as curl(1) does.
    ///
    /// - Parameter method: such as `Mount`.
    /// - Returns: the answer's body.
    func call(_ method: String, _ body: String) async throws -> String {
        let words = ["--silent", "--unix-socket", folder.appending("socket/nfsd.sock").string, "--data-binary", body]
        return try await command(["curl"] + words + ["http://plugin/VolumeDriver.\(method)"], limit: 60).output
    }

    /// Creates a volume.
    func create(_ name: String) async throws {
        let answer = try await call("Create", #"{"Name":"\#(name)","Opts":{"server":"nas","path":"/export"}}"#)
        if answer != #"{"Err":""}"# { throw Trouble("Create: \(answer)") }
    }

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
