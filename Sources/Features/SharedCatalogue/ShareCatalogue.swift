// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
import KernelMount
import SystemPackage
import Volumes

/// What all hosts of a share have in common, as files of the share itself: ``CatalogueDefinitions`` and ``UseMarks``.
///
///     .docker-nfsd/id.ID/                     empty; tells this catalogue from one on another file system
///     .docker-nfsd/volumes/NAME.json          a definition; never changed, only made and removed
///     .docker-nfsd/uses/use.NAME.HOST         HOST has the volume mounted; only where a removal would touch its data
///     .docker-nfsd/uses/removing.NAME.HOST    HOST began to remove the volume's data
///
/// Each access mounts the share for itself alone, in the process that makes the calls, so that nothing is left of it and nothing can
/// become stale. All methods block; they end by the mounter's limits.
struct ShareCatalogue: Sendable {
    let share: Share
    let export: ExportCalls
    /// This host, as others see it: letters, digits and `-`. nil: they could not tell it from another.
    var host: String?
    /// For all accesses together.
    var deadline: Deadline
    /// Ends what is under way.
    let cancellation: Cancellation?
    let blocked: BlockedShares
    let words: CallerWords
    /// The owners of volumes on this host; a definition of another one is damaged.
    let owners: [String]
    /// The catalogue that this host knows volumes of; nil: any.
    var identity: String?
    /// Of all definitions that one look reads, in bytes: 10,000 of an ordinary size are some 3 MiB.
    var longestReading = 16 << 20

    /// Prefix of the name of the folder that is the catalogue's identity.
    static let identityPrefix = "id."

    /// The folder that is a catalogue's identity, from the export's root.
    static func folder(of identity: String) -> String { "\(Share.catalogueFolder)/\(identityPrefix)\(identity)" }

    /// Shorter limit while a volume lock is held, and for shares other than the configured one.
    static let briefLimit = Duration.seconds(10)

    /// Calls of getdents64(2), and how much each may give: some 10,000 names.
    private static let listings = 12
    private static let listingSize = 64 << 10

    /// The same with a shorter limit, for work during which an engine may be waiting for a volume.
    func briefly() -> ShareCatalogue {
        var brief = self
        brief.deadline = deadline.earlier(Deadline(after: Self.briefLimit))
        return brief
    }

    /// The names in a folder of the catalogue that are UTF-8, sorted, and whether these are all.
    ///
    /// - Parameter isExpected: false if there need not be such a folder.
    func names(in folder: String, isExpected: Bool = true) throws(StorageError) -> (names: [String], isComplete: Bool) {
        let (calls, listings) = try run { sequence, root in
            let top = open(root, sequence)
            let handle = sequence.add(.openDirectory(folder, in: top, operand: folder))
            let readable = sequence.add(.openForReading(handle, operand: folder))
            return (0..<Self.listings).map { _ in
                let buffer = sequence.buffer(Self.listingSize)
                return (sequence.add(.directoryEntries(of: readable, into: buffer)), buffer)
            }
        }
        if let failed = calls.failedCall, let error = calls.error(of: failed) {
            guard error.errno == .noSuchFileOrDirectory else { throw explained(error) }
            if isExpected { throw lost(error) }
            return ([], true)
        }
        var names: Set<String> = []
        var isComplete = false
        for (call, buffer) in listings {
            guard case .success(let count) = calls.result(of: call) else { break }
            if count == 0 {
                isComplete = true
                break
            }
            for name in DirectoryEntries.names(in: calls.bytes(of: buffer, count: count)) {
                if let name = String(validating: name, as: UTF8.self) { names.insert(name) }
            }
        }
        return (names.sorted(), isComplete)
    }

    /// Makes calls at the share's root.
    func run<Work>(
        _ prepare: (SystemCallSequence, SystemCallSequence.Call) -> Work
    ) throws(StorageError) -> (calls: SystemCallSequence, work: Work) {
        if let reason = blocked.reason(share) { throw StorageError(.stuck, "\(share.text) cannot be used now: \(reason)") }
        do throws(StorageError) { return try export.run(until: deadline, cancellation: cancellation, prepare) } catch {
            if let stuck = error.stuck { blocked.block(share, because: stuck.reason, until: stuck.waitUntilGone) }
            throw error
        }
    }

    /// - Throws: why a call failed that must not.
    func check(_ calls: SystemCallSequence) throws(StorageError) {
        if let failed = calls.failedCall, let error = calls.error(of: failed) { throw lost(error) }
    }

    /// The catalogue's folder, if it is the catalogue that this host knows.
    func open(_ root: SystemCallSequence.Call, _ sequence: SystemCallSequence) -> SystemCallSequence.Call {
        let folder = sequence.add(.openDirectory(Share.catalogueFolder, in: root, operand: Share.catalogueFolder))
        if let identity { sequence.add(.openDirectory(Self.identityPrefix + identity, in: folder, operand: Self.folder(of: identity))) }
        return folder
    }

    /// What the catalogue is known by. Two hosts that begin one at the same moment give it a name each, and either will do.
    func identities() throws(StorageError) -> [String] {
        try names(in: ".", isExpected: false).names.filter { $0.hasBytePrefix(Self.identityPrefix) }
            .map { String($0.dropFirst(Self.identityPrefix.count)) }
    }

    /// If this is for want of a file: the catalogue was there, as this host knows of volumes in it, and is not any more.
    func lost(_ error: SystemError) -> StorageError {
        guard error.errno == .noSuchFileOrDirectory else { return explained(error) }
        let own = identity.map(Self.folder)
        if error.operand == own {
            return StorageError(
                .catalogue,
                "\(share.text) has another catalogue than the one that this host knows volumes of: is the right file system exported there? (mkdir \(error.operand) in it makes this the right one)",
                cause: error
            )
        }
        let folders = ["volumes", "uses"].map { "\(Share.catalogueFolder)/\($0)" } + [own].compactMap { $0 }
        return StorageError(
            .catalogue,
            "\(share.text) has no \(folders[0]) any more: is the right file system exported there? (mkdir -p \(folders.joined(separator: " ")) in it begins a new catalogue)",
            cause: error
        )
    }

    func explained(_ error: SystemError) -> StorageError {
        let (code, hint): (StorageError.Code, String) =
            switch error.errno {
            case .permissionDenied, .notPermitted:
                (.accessDenied, "; root of this host must be able to write there: the export needs no_root_squash")
            case .readOnlyFileSystem: (.accessDenied, "; export it rw")
            case .noSpace, .diskQuotaExceeded: (.catalogue, "; make room there")
            default: (.catalogue, "")
            }
        return StorageError(code, "the catalogue of \(share.text): \(error)\(hint)", cause: error)
    }
}
