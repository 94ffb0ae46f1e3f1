// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import JSON
import LinuxSystem

/// Says what went wrong where the caller looks for it.
struct RuntimeLog: Sendable {
    /// Of `--log`; containerd and conmon read the last error of it and show it to the person.
    var path: String?
    var isJSON = false

    /// As runc does: in the log, and on standard error as well.
    func error(_ foreign: String) {
        let message = Self.line(foreign)
        write("error", message)
        let line = Array("mountpoint-runc: \(message)\n".utf8)
        _ = Glibc.write(2, line, line.count)
    }

    /// What only those want to see who have asked for it: in the log, or in the system's if there is none.
    ///
    /// - Parameter isForSystem: in the system's in any case. An engine that has not asked for it itself may take its log for one error.
    func debug(_ foreign: String, isForSystem: Bool) {
        let message = Self.line(foreign)
        if let path, !path.isEmpty, !isForSystem {
            write("debug", message)
        } else {
            SystemLog.write(message, priority: .debug, from: "mountpoint-runc")
        }
    }

    /// What nobody waits for any more: in the log, and in the system's.
    func warning(_ foreign: String) {
        let message = Self.line(foreign)
        write("warning", message)
        SystemLog.write(message, priority: .warning, from: "mountpoint-runc")
    }

    /// Paths and names that others have chosen stand in messages, which engines print on terminals.
    private static func line(_ message: String) -> String { SanitizedText(message, limit: lineLimit).text }

    private static let lineLimit = 64 << 10

    private func write(_ level: String, _ message: String) {
        guard let path, !path.isEmpty else { return }
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0o644)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var line: [UInt8]
        if isJSON {
            let entry: JSONObject = ["level": .string(level), "msg": .string(message), "time": .string(timestamp())]
            line = JSONValue.object(entry).encoded()
        } else {
            line = Array("time=\"\(timestamp())\" level=\(level) msg=\(JSONValue.string(message))".utf8)
        }
        line.append(UInt8(ascii: "\n"))
        _ = Glibc.write(descriptor, line, line.count)
    }
}
