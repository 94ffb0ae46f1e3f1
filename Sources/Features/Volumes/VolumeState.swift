// SPDX-License-Identifier: AGPL-3.0-or-later

package import LinuxSystem
package import Logging
import SystemPackage

/// What all have in common that work on the volumes of a host: which volumes there are, who may change one, and how one is mounted.
package struct VolumeState: Sendable {
    package let settings: VolumeSettings
    package let words: CallerWords
    package let places: any MountPlaces
    package let table: VolumeTable
    package let locks = VolumeLocks()
    package let exports: ExportMounts
    /// Which servers answer.
    package let servers: ServerStates
    let files: VolumeFiles
    /// Two processes on the same files would unmount each other's volumes.
    private let lock: ProcessLock

    /// Makes the folders of the files. The table is empty. Blocks on local files.
    ///
    /// - Parameters:
    ///   - words: the caller's own, for messages.
    ///   - places: where the caller wants its volumes to be mounted.
    /// - Throws: `SystemError` if a folder cannot be made, or another process works on the files.
    package init(settings: VolumeSettings, words: CallerWords, places: any MountPlaces, logger: Logger) throws(SystemError) {
        self.settings = settings
        self.words = words
        self.places = places
        files = try VolumeFiles(state: settings.stateDirectory, runtime: settings.runtimeDirectory, kind: settings.kind)
        lock = try ProcessLock(settings.stateDirectory.appending("lock"))
        servers = ServerStates(logger: logger)
        exports = ExportMounts(settings: settings, gate: servers)
        table = VolumeTable(files: files, words: words, places: places)
    }
}
