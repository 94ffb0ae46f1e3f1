// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import KernelMount
import LinuxSystem
import NFS
import StandIn
import SystemPackage
import TestSupport
import Testing

/// The whole way, by both methods, with another file system in the place of NFS.
@Suite(.needs(.root), .timeLimit(.minutes(5))) struct MounterTests {
    static let methods = [MountMethod.fsopen, .mount, .automatic]

    private func mounter(_ method: MountMethod, _ folder: FilePath) -> Mounter {
        Mounter(method: method, stagingFolder: folder.appending("staging"), program: "test")
    }

    private static let tmpfs = StandIn("tmpfs:nas:/export")!

    private func request(
        _ folder: FilePath, _ options: String = "", _ subdirectory: Subdirectory? = nil, of kind: StandIn = tmpfs
    ) throws -> MountRequest {
        try makeFolders(folder.appending("target"))
        return MountRequest(
            try kind.source(["server": "nas", "path": "/export", "o": options]),
            at: MountDestination(folder.appending("target").string, subdirectory: subdirectory))
    }

    private func failure(
        _ mounter: Mounter, _ request: MountRequest, _ cancellation: Cancellation? = nil
    ) async throws -> StorageError {
        let error = await #expect(throws: StorageError.self) {
            try await blocking { try mounter.mount(request, cancellation: cancellation) }
        }
        #expect(try MountTable().topmost(at: request.destination.target) == nil)
        return try #require(error)
    }

    /// Nothing but what the test put there may be left.
    private func expectTidy(_ folder: FilePath) throws {
        #expect(try MountTable().mounts(below: folder.appending("staging").string).isEmpty)
        #expect(((try? namesInFolder(folder.appending("staging"))) ?? []).isEmpty)
    }

    @Test(arguments: methods) func mountsAndTellsWhatTheKernelHas(method: MountMethod) async throws {
        try await withScratchFolder { folder in
            let mounted = try mounter(method, folder).mount(try request(folder, "ro,noatime,nosuid"))
            #expect(mounted == (try MountTable().topmost(at: folder.appending("target").string)))
            #expect(mounted.source == "nas:/export")
            #expect(Set(["ro", "noatime", "nosuid"]).isSubset(of: mounted.options))
            #expect(try mounter(method, folder).unmount(folder.appending("target").string) == .unmounted)
            #expect(try MountTable().mounts(below: folder.string).isEmpty)
        }
    }

    @Test(arguments: methods) func makesASubdirectoryWithModeAndOwner(method: MountMethod) async throws {
        try await withExport(filledBy: { _ in }) { standIn, folder in
            let wanted = try Subdirectory("a/b", creation: .init(mode: 0o2770, user: 1234, group: 5678))
            let mounted = try mounter(method, folder).mount(try request(folder, "", wanted, of: standIn))
            #expect(mounted.root == "/a/b")
            #expect(FileStatus(folder.appending("target")) == FileStatus(mode: 0o2770, user: 1234, group: 5678))
            try replaceFile(folder.appending("target/file"), with: [1])
            _ = try mounter(method, folder).unmount(folder.appending("target").string)
            try expectTidy(folder)
            // And it lies where it should, below a parent with the usual mode.
            _ = try mounter(method, folder).mount(try request(folder, of: standIn))
            #expect(FileStatus(folder.appending("target/a")) == FileStatus(mode: 0o755))
            #expect(try namesInFolder(folder.appending("target/a")) == ["b"])
            #expect(try namesInFolder(folder.appending("target/a/b")) == ["file"])
            #expect(try namesInFolder(folder.appending("target")) == ["a", "lost+found"])
        }
    }

    @Test(arguments: methods) func leavesADirectoryThatIsThereAsItIs(method: MountMethod) async throws {
        try await withExport(filledBy: { export in
            try makeFolder(export.appending("old"), mode: 0o711)
            try #require(chown(export.appending("old").string, 77, 88) == 0)
            try replaceFile(export.appending("old/file"), with: [1])
        }) { standIn, folder in
            for creation in [nil, Subdirectory.Creation(mode: 0o777, user: 1, group: 2)] {
                _ = try mounter(method, folder).mount(try request(folder, "", Subdirectory("old", creation: creation), of: standIn))
                #expect(FileStatus(folder.appending("target")) == FileStatus(mode: 0o711, user: 77, group: 88))
                #expect(try namesInFolder(folder.appending("target")) == ["file"])
                _ = try mounter(method, folder).unmount(folder.appending("target").string)
            }
            try expectTidy(folder)
        }
    }

    @Test(arguments: methods) func neverLeavesTheExport(method: MountMethod) async throws {
        try await withScratchFolder { outside in
            try makeFolder(outside.appending("victim"), mode: 0o700)
            try await withExport(filledBy: { export in
                try #require(symlink(outside.string, export.appending("absolute").string) == 0)
                try #require(symlink("../..", export.appending("relative").string) == 0)
                try #require(symlink("real", export.appending("inside").string) == 0)
                try makeFolder(export.appending("real"), mode: 0o700)
                try replaceFile(export.appending("file"), with: [])
            }) { standIn, folder in
                for path in ["absolute", "absolute/victim", "relative", "relative/x", "inside", "inside/new", "file", "file/x"] {
                    for creation in [nil, Subdirectory.Creation()] {
                        let error = try await failure(
                            mounter(method, folder), request(folder, "", Subdirectory(path, creation: creation), of: standIn))
                        #expect(error.code == .subdirectory)
                        #expect(error.description.contains("is not a directory (symbolic links are not followed)"))
                        #expect(error.description.contains("\(path.split(separator: "/")[0]) in the export"))
                        try expectTidy(folder)
                    }
                }
                #expect(try namesInFolder(outside) == ["victim"])
                #expect(try namesInFolder(outside.appending("victim")).isEmpty)
                _ = try mounter(method, folder).mount(try request(folder, of: standIn))
                #expect(try namesInFolder(folder.appending("target/real")).isEmpty)
            }
        }
    }

    @Test(arguments: methods) func aSubdirectoryThatIsMissing(method: MountMethod) async throws {
        try await withScratchFolder { folder in
            let error = try await failure(mounter(method, folder), request(folder, "", Subdirectory("a/b")))
            #expect(error.code == .subdirectory)
            #expect(error.description.contains("the subdirectory a/b does not exist in the export"))
            try expectTidy(folder)
        }
    }

    /// Why it could not be made is told, not that it is not there.
    @Test(arguments: methods) func aSubdirectoryOnAReadOnlyExport(method: MountMethod) async throws {
        try await withScratchFolder { folder in
            let error = try await failure(mounter(method, folder), request(folder, "ro", Subdirectory("new", creation: .init())))
            #expect(error.description.contains("cannot be made because the export is mounted read-only"))
            try expectTidy(folder)
        }
    }

    /// Somebody mounted there between our look and our mount.
    @Test(arguments: methods) func aFailureTakesNothingOffThatIsNotIts(method: MountMethod) async throws {
        try await withScratchFolder { folder in
            try makeFolders(folder.appending("target"))
            try #require(Glibc.mount("of somebody else", folder.appending("target").string, "ramfs", 0, nil) == 0)
            for standIn in ["tmpfs:x", "nosuchfs:x"] {
                let mounter = mounter(method, folder)
                let request = try request(folder, "", Subdirectory("missing"), of: StandIn(standIn)!)
                await #expect(throws: StorageError.self) { try await blocking { try mounter.mount(request) } }
                let entries = try MountTable().mounts(below: request.destination.target)
                #expect(entries.map(\.source) == ["of somebody else"])
            }
        }
    }

    @Test(arguments: methods) func optionsHoldForASubdirectoryToo(method: MountMethod) async throws {
        try await withScratchFolder { folder in
            let mounted = try mounter(method, folder).mount(try request(folder, "noatime,nosuid", Subdirectory("a", creation: .init())))
            #expect(Set(["noatime", "nosuid"]).isSubset(of: mounted.options))
            #expect(mounted.root == "/a")
        }
    }

    @Test func aSourceTooLongForFSConfigGoesByMount() async throws {
        try await withScratchFolder { folder in
            let source = "nas:/" + String(repeating: "p", count: 400)
            let standIn = try #require(StandIn("tmpfs:\(source)"))
            #expect(try mounter(.automatic, folder).mount(try request(folder, of: standIn)).source == source)
            _ = try mounter(.automatic, folder).unmount(folder.appending("target").string)
            let error = try await failure(mounter(.fsopen, folder), request(folder, of: standIn))
            #expect(error.code == .badOption)
        }
    }

    @Test(arguments: methods) func aCancellationBeforehandMountsNothing(method: MountMethod) async throws {
        try await withScratchFolder { folder in
            let gone = try Cancellation()
            gone.cancel()
            let mounter = mounter(method, folder)
            let request = try request(folder, "", Subdirectory("a", creation: .init()))
            // The process may be faster than the kill; then it is mounted, and said so.
            for _ in 0..<20 {
                do {
                    _ = try await blocking { try mounter.mount(request, cancellation: gone) }
                    #expect(try mounter.unmount(request.destination.target) == .unmounted)
                } catch let error as StorageError {
                    #expect(error.code == .cancelled)
                    #expect(try MountTable().topmost(at: request.destination.target) == nil)
                }
                try expectTidy(folder)
            }
        }
    }

    @Test func standInsAreTypeAndSource() throws {
        let standIn = try #require(StandIn("ext4:/dev/loop:0"))
        #expect(standIn.fileSystem == "ext4")
        #expect(standIn.device == "/dev/loop:0")
        for text in ["", "ext4", "ext4:", ":x"] { #expect(StandIn(text) == nil) }
    }
}
