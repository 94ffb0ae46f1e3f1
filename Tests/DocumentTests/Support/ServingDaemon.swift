// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import SystemPackage
import TestSupport

/// A docker-nfsd of this build that serves in folders of its own, with a local file system in the place of NFS.
struct ServingDaemon: Sendable {
    let folder: FilePath
    fileprivate(set) var process: Int32 = 0

    /// The socket of one of the driver's names.
    var driverSocket: String { folder.appending("socket/nfsd.sock").string }
    var metricsSocket: String { folder.appending("metrics.sock").string }

    /// Runs a daemon until the body ends.
    ///
    /// - Parameter metrics: the setting; nil for none, `socket` for ``metricsSocket``.
    static func with(
        metrics: String?, flags: [String] = [], _ body: (_ daemon: ServingDaemon, _ log: @Sendable () -> String) async throws -> Void
    ) async throws {
        try await withScratchFolder { folder in
            var daemon = ServingDaemon(folder: folder)
            let process = Process()
            process.executableURL = URL(fileURLWithPath: Programs.daemon)
            let folders = ["state", "runtime", "mount", "socket"].flatMap { ["--\($0)-directory", folder.appending($0).string] }
            let setting = metrics.map { ["--metrics", $0 == "socket" ? "unix:" + daemon.metricsSocket : $0] } ?? []
            process.arguments = ["serve", "--engine-socket", "none"] + folders + setting + flags
            process.environment = ProcessInfo.processInfo.environment.merging(["DOCKER_NFSD_TEST_STAND_IN": "tmpfs:none"]) { $1 }
            let log = folder.appending("log").string
            try Data().write(to: URL(fileURLWithPath: log))
            process.standardError = FileHandle(forWritingAtPath: log)
            try process.run()
            daemon.process = process.processIdentifier
            defer {
                process.terminate()
                process.waitUntilExit()
            }
            let read: @Sendable () -> String = { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }
            try await eventually("it serves: \(read())") { read().contains("serves nfsd") }
            try await body(daemon, read)
        }
    }

    /// Calls the driver as an engine does.
    @discardableResult
    func call(_ method: String, _ body: String) async throws -> String {
        try await command(["curl", "-sS", "--max-time", "60", "--unix-socket", driverSocket, "-d", body, "http://plugin/\(method)"]).output
    }

    /// The page of metrics, read from the socket.
    func page() async throws -> PrometheusPage { try PrometheusPage(try await text()) }

    func text() async throws -> String {
        try await command(["curl", "-sSf", "--max-time", "60", "--unix-socket", metricsSocket, "http://localhost/metrics"]).output
    }

    /// Ports of this host at which nobody listens at this moment. Another process can take one before it is used.
    static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 ? getsockname(descriptor, address, &length) : -1
            }
        }
        if status != 0 { throw Trouble("no free port: \(String(cString: strerror(errno)))") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
