// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import JSON
import LinuxSystem

/// Writes messages to the log that the engine reads, to standard error and to the system's log.
struct RuntimeLog: Sendable {
    /// Of `--log`; containerd and conmon read the last error of it and show it to the person.
    var path: String?
    var isJSON = false

    /// Writes an error to the log and to standard error, as runc does.
    func error(_ error: RuntimeError) {
        let message = Self.line(error.message)
        write("error", message, error.code)
        let line = Array("mountpoint-runc: \(message)\n".utf8)
        _ = Glibc.write(STDERR_FILENO, line, line.count)
    }

    /// Writes a debug message to the log, or to the system's log if there is no log.
    ///
    /// - Parameter isForSystem: write to the system's log in any case. An engine that did not ask for debug output may show its whole log
    ///   as one error.
    func debug(_ foreign: String, isForSystem: Bool) {
        let message = Self.line(foreign)
        if let path, !path.isEmpty, !isForSystem {
            write("debug", message)
        } else {
            SystemLog.write(message, priority: .debug, from: "mountpoint-runc")
        }
    }

    /// Writes a warning to the log and to the system's log. The engine may no longer read the log then.
    func warning(_ foreign: String) {
        let message = Self.line(foreign)
        write("warning", message)
        SystemLog.write(message, priority: .warning, from: "mountpoint-runc")
    }

    /// Messages contain paths and names that users chose, and engines print them on terminals. So control characters are removed.
    private static func line(_ message: String) -> String { SanitizedText(message, limit: lineLimit).text }

    private static let lineLimit = 64 << 10

    /// - Parameter code: a further member in JSON. containerd and podman read `level` and `msg`, and ignore members that they do not know.
    private func write(_ level: String, _ message: String, _ code: RuntimeError.Code? = nil) {
        guard let path, !path.isEmpty else { return }
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0o644)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var line: [UInt8]
        if isJSON {
            var entry: JSONObject = ["level": .string(level), "msg": .string(message), "time": .string(timestamp())]
            if let code { entry["code"] = .string(code.description) }
            line = JSONValue.object(entry).encoded()
        } else {
            line = Array("time=\"\(timestamp())\" level=\(level) msg=\(JSONValue.string(message))".utf8)
        }
        line.append(UInt8(ascii: "\n"))
        _ = Glibc.write(descriptor, line, line.count)
    }
}
