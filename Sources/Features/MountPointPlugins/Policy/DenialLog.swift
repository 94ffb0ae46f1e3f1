// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
import JSON
import LinuxSystem
import SystemPackage

/// What a policy has denied: a JSON object a line, in `denials.log` of its state. A full file becomes `denials.log.1`, in the place of the
/// one before.
public struct DenialLog: Sendable {
    private let file: FilePath
    private let older: FilePath

    /// Bytes of one of the two.
    private static let limit = 1 << 20

    public init(of instance: PluginInstance) {
        file = instance.state.appending("denials.log")
        older = instance.state.appending("denials.log.1")
    }

    /// A log that cannot be written is no reason to let the mount through, nor one to say something else than the reason.
    func append(_ decision: PolicyDecision, _ chosen: ChosenMount) {
        let mount = chosen.mount
        let line: JSONValue = [
            "time": .string(timestamp()), "id": .string(chosen.containerID), "container": .string(mount.container.name),
            "image": .string(mount.image.name), "type": .string(mount.type.rawValue), "source": .string(mount.source),
            "volume": .string(mount.volume.name), "destination": .string(mount.destination), "rule": .string(decision.rule),
            "reason": .string(decision.text),
        ]
        try? makeFolders(file.removingLastComponent(), mode: 0o711)
        try? appendLine(line.encoded() + [UInt8(ascii: "\n")], to: file, movingTo: older, limit: Self.limit)
    }

    /// - Returns: the lines, oldest first, as JSON.
    /// - Throws: `PluginError` if a file cannot be read.
    public func lines() throws(PluginError) -> [String] {
        var lines: [String] = []
        for path in [older, file] {
            do throws(SystemError) {
                let bytes = try readRegularFileIfThere(path, limit: Self.limit * 2) ?? []
                lines += bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
            } catch {
                throw PluginError("cannot read what was denied: \(error)")
            }
        }
        return lines
    }

    /// - Returns: the lines, oldest first, for a person.
    /// - Throws: as ``lines()``.
    public func text() throws(PluginError) -> String {
        try lines().map { line in
            guard let value = try? JSONValue(parsing: Array(line.utf8).span) else { return line }
            func text(_ key: String) -> String { value[key]?.stringValue ?? "" }
            let who = [text("container"), text("image")].filter { !$0.isEmpty }.joined(separator: " of ")
            return SanitizedText.withoutControls("\(text("time")) \(who.isEmpty ? text("id") : who): \(text("reason")) (\(text("rule")))")
        }.map { $0 + "\n" }.joined()
    }
}
