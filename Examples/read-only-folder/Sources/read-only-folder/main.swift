// SPDX-License-Identifier: AGPL-3.0-or-later

// A mount point plugin: what lies below a folder is read-only in containers.
//
// usage: read-only-folder SOCKET FOLDER

import DockerPluginAPI
import Glibc
import Logging
import PluginServer
import SystemPackage

/// Nothing has to be undone, so it keeps nothing.
struct ReadOnlyFolder: MountPointPlugin {
    let properties: MountPointProperties
    let logger: Logger

    init(_ folder: String, logger: Logger) {
        self.logger = logger
        var pattern = MountPointPattern()
        pattern.origin = [StringPattern(pathPrefix: folder)]
        properties = MountPointProperties(patterns: [pattern])
    }

    func attach(_ request: MountPointAttachRequest) async throws(PluginError) -> [Attachment] {
        request.mounts.map { mount in
            Attachment(
                attach: true, emergencyDetach: [.warning("it was away when \(mount.destination) was unmounted")],
                changes: MountPointChanges(readOnly: true))
        }
    }

    func detach(_ request: MountPointDetachRequest) async throws(DetachError) {
        logger.notice("detached \(request.id): \(request.reason.rawValue)")
    }
}

guard CommandLine.arguments.count == 3 else {
    print("usage: read-only-folder SOCKET FOLDER")
    exit(2)
}
let logger = Logger(label: "read-only-folder")
let service = MountPointService(ReadOnlyFolder(CommandLine.arguments[2], logger: logger))
let listener = PluginListener(name: "swift", socket: .path(FilePath(CommandLine.arguments[1])), service: service)
let server = PluginServer(listeners: [listener], logger: logger)
try await server.start()
// Until a signal ends it. The next run takes the socket's file over.
while true { try await Task.sleep(for: .seconds(3600)) }
