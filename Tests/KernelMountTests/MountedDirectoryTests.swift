// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import KernelMount

@Suite(.needs(.root), .timeLimit(.minutes(5))) struct MountedDirectoryTests {
    private static let wanted = Subdirectory.Creation(mode: 0o2770, user: 7, group: 8)

    private func apply(_ place: FilePath) throws -> Bool {
        try MountedDirectory(at: place.string, program: "test", until: Deadline(after: .seconds(60))).applyIfEmpty(Self.wanted)
    }

    private func modeAndOwner(_ place: FilePath) -> [UInt32] {
        var status = stat()
        stat(place.string, &status)
        return [status.st_mode & 0o7777, status.st_uid, status.st_gid]
    }

    @Test func anEmptyMountGetsModeAndOwner() async throws {
        try await withScratchFolder { folder in
            let place = folder.appending("place")
            try makeFolder(place, mode: 0)
            try #require(mount("tmpfs", place.string, "tmpfs", 0, nil) == 0)
            defer { umount2(place.string, CInt(MNT_DETACH)) }
            #expect(try apply(place))
            #expect(modeAndOwner(place) == [0o2770, 7, 8])
            try replaceFile(place.appending("file"), with: [7])
            try setMode(of: place, to: 0o700)
            #expect(try !apply(place))
            #expect(modeAndOwner(place) == [0o700, 7, 8])
        }
    }

    /// Somebody has unmounted it since it was looked.
    @Test func theFolderBelowAMountIsNeverChanged() async throws {
        try await withScratchFolder { folder in
            let place = folder.appending("place")
            try makeFolder(place, mode: 0)
            let error = #expect(throws: SystemError.self) { try apply(place) }
            #expect(error?.hint == "nothing is mounted there any more")
            #expect(modeAndOwner(place) == [0, 0, 0])
        }
    }
}
