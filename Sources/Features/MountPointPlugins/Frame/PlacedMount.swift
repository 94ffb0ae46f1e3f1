// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import LinuxSystem
import SystemPackage

/// A copy of a mount, with all that is mounted below it, in a place of a plugin's own.
enum PlacedMount {
    /// For each call of umount2(2).
    private static let limit = Duration.seconds(10)

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
        for mount in try MountTable().mounts(below: place).reversed() { try unmount(mount.mountPoint) }
        do throws(SystemError) { try removeEmptyFolder(FilePath(place)) } catch  where error.errno == .notDirectory {
            try removeFile(FilePath(place), durable: false)
        }
    }

    /// A mount that was made a moment ago may be busy for as long: a process that another call of this plugin has begun has a copy of each
    /// descriptor that was open then.
    private static func unmount(_ place: String) throws(SystemError) {
        let deadline = Deadline(after: patience)
        while true {
            let sequence = SystemCallSequence()
            sequence.add(.unmount(place, .noFollow))
            guard case .finished = try sequence.run(until: Deadline(after: limit)) else {
                throw SystemError("umount2", .timedOut, on: place)
            }
            guard let failure = sequence.failure else { return }
            guard failure.error.errno == .resourceBusy, !deadline.hasPassed else { throw failure.error }
            usleep(pause)
        }
    }

    private static let patience = Duration.seconds(3)
    /// Microseconds.
    private static let pause: UInt32 = 10_000

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
