// SPDX-License-Identifier: AGPL-3.0-or-later

package import KernelMount
import LinuxSystem
import Logging

/// An option of a volume before and after a change; nil: not set.
package struct OptionChange: Sendable, Equatable {
    package var name: String
    package var old: String?
    package var new: String?
}

extension HostVolumes {
    /// Changes options of a volume that nobody uses, whoever its owner is.
    ///
    /// - Parameter changes: by name; an empty value takes an option away.
    /// - Returns: what has changed, by name; empty if all options were so before.
    /// - Throws: `StorageError`; then nothing has changed.
    package func change(_ text: String, _ changes: [String: String]) async throws(StorageError) -> [OptionChange] {
        guard let name = VolumeName(text), table.record(name) != nil else { throw StorageError(.noSuchVolume, "no such volume: \(text)") }
        for (option, value) in changes where value.utf8.count > VolumeOptions.longestValue {
            throw StorageError(
                .badOption, "cannot change volume \(text): option \(option) is longer than \(VolumeOptions.longestValue) bytes")
        }
        let deadline = Deadline(after: Self.creationLimit)
        return try await locks.exclusively(name) { [self] cancellation in
            do throws(StorageError) { return try change(name, changes, until: deadline, cancellation) } catch {
                throw error.prefixed(by: "cannot change volume \(name)")
            }
        }
    }

    private func change(
        _ name: VolumeName, _ changes: [String: String], until deadline: Deadline, _ cancellation: Cancellation
    ) throws(StorageError) -> [OptionChange] {
        guard let record = table.record(name) else { throw StorageError(.noSuchVolume, "no such volume: \(name)") }
        if let busy = record.busy { throw StorageError(.stuck, busy) }
        guard record.isFree else {
            throw StorageError(
                .inUse, "it is mounted; stop what uses it first (\(state.words.inspection) \(name) shows the \(state.words.holder)s)")
        }
        let old = record.definition
        let new = try old.changed(by: changes)
        let names = new.options.differences(from: old.options)
        if names.isEmpty { return [] }
        try table.beginCreation(of: new)
        defer { table.endCreation(of: name) }
        if authority.decides(about: old) { try authority.redefine(old, as: new, until: deadline, cancellation) }
        try table.redefine(new)
        let made = names.map { OptionChange(name: $0, old: old.options.canonical[$0], new: new.options.canonical[$0]) }
        for note in new.options.source.notes { logger.notice("volume \(name): \(note)") }
        logger.notice(
            "volume \(name) changed: \(made.map { "\($0.name)=\($0.new ?? "(not set)") instead of \($0.old ?? "(not set)")" }.joined(separator: ", "))"
        )
        return made
    }
}
