// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
public import SystemPackage

/// Keeps each plugin's answer about itself in `directory/NAME.json`, so that it is asked once while its process lives.
///
/// A kept answer is used only for the same address, found at the same place, and the same ``PluginInstanceID``. A file that other users
/// could have written, or that is damaged, is replaced. If nothing can be kept, the plugin is asked each time.
public struct PluginPropertiesCache: Sendable {
    public var directory: FilePath
    /// How long to wait for another process that is asking the plugin. After that, this process asks too.
    public var patience: Duration

    /// Bytes of a kept file: an answer of the client's limit, with each byte escaped.
    private static let limit = 8 << 20
    private static let format = 1

    public init(_ directory: FilePath, patience: Duration) {
        self.directory = directory
        self.patience = patience
    }

    /// The kept answer, or a new one.
    ///
    /// - Parameters:
    ///   - ask: asks the plugin. While it does, others wait for the result, in other processes too.
    ///   - read: parses an answer. An answer that it cannot parse is not kept; if a kept one cannot be parsed, the plugin is asked again.
    /// - Throws: only what `ask` or `read` throw.
    public func properties<Value, Failure: Error>(
        of endpoint: PluginEndpoint, ask: () throws(Failure) -> PluginAnswer, read: ([UInt8]) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let first = load(endpoint)
        guard let instance = PluginInstanceID(of: endpoint, known: first?.run) else { return try read(try ask().body) }
        if let value = usable(first, instance, read) { return value }
        let lock = self.lock(endpoint)
        if lock != nil, let value = usable(load(endpoint), instance, read) { return value }
        return try withExtendedLifetime(lock) { () throws(Failure) in
            let answer = try ask()
            let value = try read(answer.body)
            // If a process other than the socket's listener answers, its restart cannot be noticed, so the answer is not kept.
            let isOwn = instance.listener == nil || instance.listener == answer.sender
            if lock != nil && isOwn && PluginInstanceID(of: endpoint, known: instance.text) == instance {
                keep(answer.body, endpoint, instance)
            }
            return value
        }
    }

    private func usable<Value, Failure: Error>(_ entry: Entry?, _ instance: PluginInstanceID, _ read: ([UInt8]) throws(Failure) -> Value)
        -> Value?
    {
        guard let entry, entry.run.utf8.elementsEqual(instance.text.utf8) else { return nil }
        return try? read(entry.answer)
    }

    private struct Entry {
        var run: String
        var answer: [UInt8]
    }

    private func file(_ endpoint: PluginEndpoint, _ ending: String) -> FilePath { directory.appending("\(endpoint.name).\(ending)") }

    private func load(_ endpoint: PluginEndpoint) -> Entry? {
        guard let bytes = try? readTrustedFile(file(endpoint, "json"), limit: Self.limit) else { return nil }
        return try? read(bytes, endpoint)
    }

    /// - Returns: nil for what was kept of another plugin, or by another version.
    private func read(_ bytes: [UInt8], _ endpoint: PluginEndpoint) throws(JSONShapeError) -> Entry? {
        let object = try JSONObjectReader(parsing: bytes)
        guard try object.number("format") == Self.format else { return nil }
        for (key, own) in [
            ("plugin", endpoint.name.text), ("address", endpoint.address.description), ("foundAt", endpoint.foundAt),
        ] {
            guard try object.text(key).utf8.elementsEqual(own.utf8) else { return nil }
        }
        return Entry(run: try object.need("run", object.textIfPresent), answer: Array(try object.need("answer", object.textIfPresent).utf8))
    }

    private func keep(_ answer: [UInt8], _ endpoint: PluginEndpoint, _ instance: PluginInstanceID) {
        // An answer that is not UTF-8 would not be read back as the same bytes.
        guard let text = String(validating: answer, as: UTF8.self) else { return }
        let content: JSONValue = [
            "format": JSONValue(Self.format), "plugin": .string(endpoint.name.text), "address": .string(endpoint.address.description),
            "foundAt": .string(endpoint.foundAt), "run": .string(instance.text), "answer": .string(text),
        ]
        try? replaceFile(file(endpoint, "json"), with: content.encoded(), mode: 0o600, durable: false)
    }

    /// Locks the file of a plugin; nil if that fails or takes too long.
    private func lock(_ endpoint: PluginEndpoint) -> FileLock? {
        do throws(SystemError) {
            do throws(SystemError) {
                try checkTrustedFolder(directory)
            } catch  where error.errno == .noSuchFileOrDirectory {
                try makeFolders(directory, mode: 0o700)
                try checkTrustedFolder(directory)
            }
            return try FileLock.wait(for: file(endpoint, "lock"), until: Deadline(after: patience))
        } catch {
            return nil
        }
    }
}
