// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import LinuxSystem
public import SystemPackage

/// Gives the body a folder of its own, and takes away afterwards what is mounted in it and the folder itself.
public func withScratchFolder(_ body: (FilePath) async throws -> Void) async throws {
    var template = Array("/tmp/docker-nfsd-tests-XXXXXX".utf8CString)
    guard let path = mkdtemp(&template).map({ String(cString: $0) }) else {
        throw Trouble("mkdtemp: \(String(cString: strerror(errno)))")
    }
    defer {
        for mount in (try? MountTable().mounts(below: path))?.reversed() ?? [] {
            umount2(mount.mountPoint, CInt(MNT_DETACH))
        }
        try? FileManager.default.removeItem(atPath: path)
    }
    try await body(FilePath(path))
}
