// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

/// A mount of a container, as it is told to a plugin.
struct AskedMount {
    var type = "bind"
    var source: String
    /// Of the container; `/data` is the destination.
    var label: (key: String, value: String)?
    /// That it runs as.
    var user: uid_t = 0
}

/// What a plugin has made of a mount.
struct AttachedMount {
    let id: String
    let source: String
    let isReadOnly: Bool
    /// Nanoseconds from before the connection until after the answer.
    let time: Double
}

/// mountpoint-plugin serving a kind, asked as mountpoint-runc asks it: a connection for each call.
final class ServedPlugin {
    let kind: String
    private let process: Process
    private let socket: String
    private var count = 0

    /// Starts it and returns when it listens.
    init(_ kind: String, settings: String = "{}", _ host: PluginFolders) throws {
        self.kind = kind
        socket = "/run/docker/plugins/\(kind).sock"
        unlink(socket)
        try writeFile("/etc/docker/mountpoint-plugin/\(kind).json", settings)
        let log = open("\(host.state)/\(kind).log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        defer { close(log) }
        process = try Process(
            host.program, [kind], environment: ["MOUNTPOINT_PLUGIN_STATE_DIRECTORY": host.state], output: log, errors: log)
        for _ in 0..<5000 where access(socket, F_OK) != 0 { usleep(1000) }
    }

    func stop() throws { try process.stop() }

    var residentBytes: Double { get throws { try process.residentBytes } }

    func askForProperties() throws { try ask("Properties", "{}") }

    /// - Throws: `BenchmarkError` if the mount is denied, or not attached to.
    func attach(_ mount: AskedMount) throws -> AttachedMount {
        count += 1
        let id = String(repeating: "b", count: 56) + String(count + 10_000_000)
        // As mountpoint-runc has it before it asks.
        try run("mkdir", ["-p", Self.running(id)])
        let labels = mount.label.map { #""\#($0.key)":"\#($0.value)""# } ?? ""
        let body = """
            {"ID":"\(id)","Mounts":[{"Type":"\(mount.type)","Source":"\(mount.source)","EffectiveSource":"\(mount.source)",\
            "Destination":"/data","Container":{"Name":"bench","Labels":{\(labels)},"User":{"UID":\(mount.user),"GID":\(mount.user)}}}]}
            """
        let start = monotonicNanoseconds()
        let answer = try ask("Attach", body)
        let time = monotonicNanoseconds() - start
        guard answer.contains(#""Attach":true"#) else { throw BenchmarkError("\(kind) has not attached to \(mount): \(answer)") }
        return AttachedMount(
            id: id, source: Self.text("EffectiveSource", in: answer) ?? mount.source,
            isReadOnly: answer.contains(#""ReadOnly":true"#), time: time)
    }

    /// - Returns: nanoseconds.
    @discardableResult
    func detach(_ mount: AttachedMount) throws -> Double {
        let start = monotonicNanoseconds()
        try ask("Detach", #"{"ID":"\#(mount.id)","ExitStatus":0,"Reason":"ended"}"#)
        let time = monotonicNanoseconds() - start
        rmdir(Self.running(mount.id))
        return time
    }

    private static func running(_ id: String) -> String { "/run/mountpoint-runc/containers/default/\(id)" }

    private static func text(_ key: String, in answer: String) -> String? {
        guard let found = answer.firstRange(of: #""\#(key)":""#) else { return nil }
        return answer[found.upperBound...].split(separator: "\"", maxSplits: 1).first.map(String.init)
    }

    @discardableResult
    private func ask(_ call: String, _ body: String) throws -> String {
        let connection = Glibc.socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(connection) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: socket.utf8) }
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(connection, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        if status != 0 { throw BenchmarkError("connect to \(socket): \(lastError())") }
        let request = """
            POST /MountPointPlugin.MountPoint\(call) HTTP/1.1\r\nHost: plugin\r\nContent-Type: application/json\r\n\
            Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)
            """
        if write(connection, request, request.utf8.count) < request.utf8.count { throw BenchmarkError("\(kind): \(lastError())") }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(connection, &buffer, buffer.count)
            if count <= 0 { break }
            bytes += buffer[..<count]
        }
        let answer = String(decoding: bytes, as: UTF8.self)
        if !answer.contains(#""Success":true"#) { throw BenchmarkError("\(kind), \(call): \(answer)") }
        return answer
    }
}

/// A mount that a container would have: a bind mount, made as runc makes it.
struct ContainerMount {
    let place: String

    init(_ source: String, isReadOnly: Bool = false, at place: String) throws {
        try run("mount", ["--rbind", source, place])
        try run("mount", ["--make-rprivate", place])
        if isReadOnly { try run("mount", ["-o", "remount,bind,ro", place]) }
        self.place = place
    }

    init(_ attached: AttachedMount, at place: String) throws {
        try self.init(attached.source, isReadOnly: attached.isReadOnly, at: place)
    }

    func remove() throws { try run("umount", ["--recursive", place]) }
}
