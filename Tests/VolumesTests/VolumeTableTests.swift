// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import Logging
import SystemPackage
import TestSupport
import Testing

@testable import Volumes

/// A creation and a disposal that would meet in one directory: whichever begins second is refused.
struct VolumeTableTests {
    private func table(_ folder: FilePath) throws -> VolumeTable {
        let settings = VolumeSettings(
            kind: MemoryFileSystem(), stateDirectory: folder.appending("state"), runtimeDirectory: folder.appending("run"), processName: "x"
        )
        let words = CallerWords(owner: "queue", holder: "job", program: "batchd", creation: "", removal: "", inspection: "", change: "")
        return try VolumeState(
            settings: settings, words: words, places: FolderForEachVolume(in: folder.appending("mounts")),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ).table
    }

    private func volume(_ name: String, _ subdirectory: String?, pool: String = "p") throws -> VolumeDefinition {
        var options = ["pool": pool]
        options["subdir"] = subdirectory
        return VolumeDefinition(
            name: try #require(VolumeName(name)), owner: "night", createdAt: "2026-03-01T12:00:00Z",
            options: try VolumeOptions(options, kind: MemoryFileSystem()))
    }

    @Test func noVolumeIsMadeInADirectoryThatIsBeingRemoved() async throws {
        try await withScratchFolder { folder in
            let table = try table(folder)
            let removed = try volume("old", "a/b")
            try table.define(removed)
            #expect(table.beginDisposal(of: removed) == nil)
            for inTheWay in ["a/b", "a/b/c", "a"] {
                let error = #expect(throws: StorageError.self) { try table.beginCreation(of: volume("new", inTheWay)) }
                #expect(error?.code == .inUse)
                #expect(
                    error?.description
                        == "its directory is being removed with volume old; try again when that is done")
                #expect(throws: StorageError.self) { try table.define(volume("new", inTheWay)) }
                #expect(table.definition(of: try #require(VolumeName("new"))) == nil)
            }
            // Elsewhere, and of the same volume.
            for other in [try volume("new", "a/c"), try volume("new", "a/b", pool: "q"), try volume("new", nil), removed] {
                try table.beginCreation(of: other)
                table.endCreation(of: other.name)
            }
            table.endDisposal(of: removed.name)
            try table.beginCreation(of: volume("new", "a/b"))
        }
    }

    @Test func noDirectoryIsRemovedInWhichAVolumeIsBeingMade() async throws {
        try await withScratchFolder { folder in
            let table = try table(folder)
            let removed = try volume("old", "a/b")
            try table.define(removed)
            let new = try volume("new", "a/b/c")
            try table.beginCreation(of: new)
            #expect(table.beginDisposal(of: removed) == new.name)
            // The creation has come to its end: the volume is known.
            try table.define(new)
            table.endCreation(of: new.name)
            #expect(table.beginDisposal(of: removed) == new.name)
            try table.remove(new.name)
            #expect(table.beginDisposal(of: removed) == nil)
        }
    }
}
