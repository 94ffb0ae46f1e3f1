// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

/// A mount point plugin that takes its own time: a process of this program, which answers at once.
///
/// It is not the first process of its namespace, for what that one listens to is taken for a socket of systemd's.
struct MeasuredPlugin {
    static let word = "plugin"

    let process: Process
    private let clock: UnsafeMutablePointer<Double>

    /// Starts it and returns when it listens.
    ///
    /// - Parameter prefix: of the sources it wants to be asked about.
    init(name: String, wanting prefix: String, in folder: String) throws {
        let socket = "/run/docker/plugins/\(name).sock"
        let file = "\(folder)/\(name).clock"
        try writeFile(file, String(repeating: "\0", count: MemoryLayout<Double>.size))
        clock = try Self.map(file)
        process = try Process(Isolation.ownProgram(), [Self.word, socket, file, prefix])
        for _ in 0..<1000 where access(socket, F_OK) != 0 { usleep(1000) }
    }

    /// What it has taken so far from the last byte of a request until its answer was sent, in nanoseconds.
    var ownTime: Double { clock.pointee }

    /// - Parameter arguments: socket, file of the clock, prefix.
    static func serve(_ arguments: [String]) throws -> Never {
        guard arguments.count == 3 else { throw BenchmarkError("\(word) needs a socket, a file and a prefix") }
        signal(SIGPIPE, SIG_IGN)
        let clock = try map(arguments[1])
        let listener = try listen(arguments[0])
        while true {
            let connection = accept(listener, nil, nil)
            if connection < 0 { continue }
            if let request = read(connection) {
                let start = monotonicNanoseconds()
                let body = answer(request, wanting: arguments[2])
                let text = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                _ = write(connection, text, text.utf8.count)
                clock.pointee += monotonicNanoseconds() - start
            }
            close(connection)
        }
    }

    private static func answer(_ request: String, wanting prefix: String) -> String {
        if request.hasPrefix("POST /Plugin.Activate ") { return #"{"Implements":["mountpoint"]}"# }
        if request.hasPrefix("POST /MountPointPlugin.MountPointProperties ") {
            return #"{"Success":true,"Patterns":[{"Source":[{"PathPrefix":"\#(prefix)"}]}]}"#
        }
        if request.hasPrefix("POST /MountPointPlugin.MountPointAttach ") {
            let attachment = #"{"Attach":true,"EmergencyDetach":[{"Warning":"it was not asked to detach"}]}"#
            let count = request.split(separator: #""Destination":"#, omittingEmptySubsequences: false).count - 1
            return #"{"Success":true,"Attachments":[\#(Array(repeating: attachment, count: count).joined(separator: ","))]}"#
        }
        return #"{"Success":true}"#
    }

    /// - Returns: nil for a connection without a request.
    private static func read(_ connection: CInt) -> String? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(connection, &buffer, buffer.count)
            if count <= 0 { return nil }
            bytes += buffer[..<count]
            let text = String(decoding: bytes, as: UTF8.self)
            let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let field = parts[0].split(separator: "\r\n").first(where: { $0.hasPrefix("Content-Length: ") }),
                let length = Int(field.dropFirst("Content-Length: ".count))
            else { continue }
            if parts[1].utf8.count >= length { return text }
        }
    }

    private static func listen(_ path: String) throws -> CInt {
        let listener = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        if bound != 0 || Glibc.listen(listener, 64) != 0 { throw BenchmarkError("listen on \(path): \(lastError())") }
        return listener
    }

    private static func map(_ file: String) throws -> UnsafeMutablePointer<Double> {
        let descriptor = open(file, O_RDWR | O_CLOEXEC)
        defer { close(descriptor) }
        let size = MemoryLayout<Double>.size
        guard descriptor >= 0, let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), memory != MAP_FAILED else {
            throw BenchmarkError("mmap \(file): \(lastError())")
        }
        return memory.bindMemory(to: Double.self, capacity: 1)
    }
}
