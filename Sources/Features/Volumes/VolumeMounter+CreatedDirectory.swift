// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import Logging
import SystemPackage

extension VolumeMounter {
    /// For an engine that waits for the answer meanwhile.
    private static let creationLimit = Duration.seconds(3)

    /// Gives a directory the mode and owner that its volume asks for again, as long as it is empty.
    ///
    /// Before a container's first start Docker copies the image's folder into an empty volume, between a mount and an unmount of its own,
    /// and gives the volume that folder's mode and owner, even if there was nothing to copy.
    ///
    /// That it cannot be done is only logged. Blocks on the server.
    func applyCreation(of definition: VolumeDefinition) {
        guard let creation = definition.options.subdirectory?.creation, creation.isSpecial else { return }
        guard let record = table.record(definition.name), record.busy == nil else { return }
        let place = table.place(of: definition.name)
        // Never the folder below the mount point.
        guard let entry = try? MountTable.topmost(at: place.string), exports.isOurs(entry), !entry.options.contains("ro") else { return }
        do throws(SystemError) {
            let directory = MountedDirectory(
                at: place.string, program: exports.processName, until: Deadline(after: Self.creationLimit))
            if try directory.applyIfEmpty(creation) {
                logger.debug("volume \(definition.name): its empty directory has the mode and owner that were asked for")
            }
        } catch {
            logger.warning("volume \(definition.name): its empty directory may not have the mode and owner that were asked for: \(error)")
        }
    }
}
