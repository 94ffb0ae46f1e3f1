// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Logging
import KernelMount
import Synchronization
import SystemPackage
import Volumes

/// The catalogues of the shares that this host knows volumes of, and what each is recognised by.
final class CatalogueAccess: Sendable {
    private let state: VolumeState
    private let file: IdentityFile
    private let owners: [String]
    private let blocked: BlockedShares
    /// What other hosts of a share know this one by; nil if they could not tell it from another.
    private let hostName: String?
    /// The identity of each share's catalogue, by the share's text.
    private let identities: Mutex<[String: String]>
    /// Held while identities are stored: they are in one file, so that only one of them can be stored at a time.
    private let storing = Mutex(())

    /// Reads the identities that an earlier run has stored. Blocks on a local file.
    ///
    /// - Throws: `SystemError` if they cannot be read.
    init(
        _ state: VolumeState, settings: CatalogueSettings, blocked: BlockedShares, logger: Logger
    ) throws(SystemError) {
        self.state = state
        self.blocked = blocked
        owners = settings.owners
        hostName = settings.node ?? Self.machineID()
        file = IdentityFile(state: state.settings.stateDirectory)
        identities = Mutex(try file.read(logger: logger))
    }

    /// - Parameter deadline: for all that is done with it.
    func catalogue(
        of share: Share, until deadline: Deadline, _ cancellation: Cancellation? = nil
    ) throws(StorageError) -> ShareCatalogue {
        ShareCatalogue(
            share: share, export: try state.exports.export(of: share), host: hostName, deadline: deadline, cancellation: cancellation,
            blocked: blocked, words: state.words, owners: owners, identity: identity(of: share))
    }

    func knowsVolumes(of share: Share) -> Bool { state.table.contains { $0.definition.share == share } }

    /// What the catalogue of a share is recognised by. A host that knows no volumes of the share accepts any, which is nil.
    func identity(of share: Share) -> String? { knowsVolumes(of: share) ? identities.withLock { $0[share.text] } : nil }

    /// Recognises the share's catalogue by this identity from now on. On disk first; blocks on a local file.
    func keep(_ identity: String, of share: Share) throws(StorageError) {
        let failure: SystemError? = storing.withLock { _ in
            let others = state.table.records.compactMap(\.definition.share?.text)
            let known = identities.withLock { $0 }
            if known[share.text] == identity { return nil }
            var kept = [share.text: identity]
            for other in others where other != share.text { kept[other] = known[other] }
            do throws(SystemError) { try file.write(kept) } catch { return error }
            identities.withLock { [kept] in $0 = kept }
            return nil
        }
        if let failure {
            throw StorageError(.local, "the identity of the share's catalogue cannot be stored: \(failure)", cause: failure)
        }
    }

    /// What other hosts know this one by. machine-id(5)
    private static func machineID() -> String? {
        let bytes = (try? readRegularFile("/etc/machine-id", limit: 4096)) ?? []
        let id = bytes.prefix { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        return id.count == 32 ? String(decoding: id, as: UTF8.self) : nil
    }
}
