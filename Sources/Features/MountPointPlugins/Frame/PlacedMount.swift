// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import LinuxSystem
import SystemPackage

/// A copy of a mount, with all that is mounted below it, in a place of a plugin's own.
enum PlacedMount {
    /// For each call of umount2(2).
    private static let limit = Duration.seconds(10)
    /// For whoever only looks at it for a moment, such as a process that is being started with this one's descriptors.
    private static let patience = Duration.seconds(2)

    /// - Parameter place: does not exist yet.
    static func make(_ mount: DetachedMount, at place: String, isFolder: Bool) throws(SystemError) {
        if isFolder {
            try makeFolder(FilePath(place), mode: 0o700)
        } else {
            try replaceFile(FilePath(place), with: [], durable: false)
        }
        try mount.attach(to: place)
    }

    /// Takes it off, inner mounts first, and removes the place. Does nothing if there is nothing.
    static func remove(_ place: String) throws(SystemError) {
        let patience = Deadline(after: patience)
        for mount in try MountTable().mounts(below: place).reversed() {
            while let error = try unmount(mount.mountPoint) {
                if error.errno != .resourceBusy || patience.hasPassed { throw error }
                usleep(10_000)
            }
        }
        do throws(SystemError) { try removeEmptyFolder(FilePath(place)) } catch  where error.errno == .notDirectory {
            try removeFile(FilePath(place), durable: false)
        }
    }

    private static func unmount(_ path: String) throws(SystemError) -> SystemError? {
        let sequence = SystemCallSequence()
        sequence.add(.unmount(path, .noFollow))
        guard case .finished = try sequence.run(until: Deadline(after: limit)) else { throw SystemError("umount2", .timedOut, on: path) }
        return sequence.failure?.error
    }

    /// What a host does if the plugin is away.
    ///
    /// - Parameter source: an absolute path, without links, of what is copied.
    static func emergency(_ place: String, copyOf source: String) -> [EmergencyAction] {
        let prefix = source == "/" ? "" : source
        let inner = ((try? MountTable())?.mounts(below: prefix) ?? []).map(\.mountPoint)
            .filter { $0.utf8.count > prefix.utf8.count + 1 }
            .map { place + String(decoding: $0.utf8.dropFirst(prefix.utf8.count), as: UTF8.self) }
        return inner.reversed().map { .unmount($0) } + [.unmount(place), .remove(place)]
    }
}
