// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import NFSMount
import SystemPackage
import TestSupport
import Testing

/// The whole way, by both methods, with another file system in the place of NFS.
@Suite(.needs(.root), .timeLimit(.minutes(5))) struct NFSMounterTests {
    static let methods = [MountMethod.fsopen, .mount, .automatic]

    private func mounter(_ method: MountMethod, _ folder: FilePath, _ standIn: NFSMounter.StandIn? = .init("tmpfs:nas:/export"))
        -> NFSMounter
    {
        NFSMounter(method: method, stagingFolder: folder.appending("staging"), standIn: standIn)
    }

    private func request(_ folder: FilePath, _ options: String = "", _ subdirectory: Subdirectory? = nil) throws -> NFSMountRequest {
        try makeFolders(folder.appending("target"))
        return NFSMountRequest(
            server: ServerName("nas")!, path: "/export", versions: .default, options: try MountOptions(options), subdirectory: subdirectory,
            target: folder.appending("target").string)
    }

    private func failure(
        _ mounter: NFSMounter, _ request: NFSMountRequest, _ cancellation: Cancellation? = nil
    ) async throws -> NFSMountError {
        let error = await #expect(throws: NFSMountError.self) {
            try await blocking { try mounter.mount(request, cancellation: cancellation) }
        }
        #expect(try MountTable().topmost(at: request.target) == nil)
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
            #expect(mounted.entry == (try MountTable().topmost(at: folder.appending("target").string)))
            #expect(mounted.entry.source == "nas:/export")
            #expect(Set(["ro", "noatime", "nosuid"]).isSubset(of: mounted.entry.options))
            #expect(try mounter(method, folder).unmount(folder.appending("target").string) == .unmounted)
            #expect(try MountTable().mounts(below: folder.string).isEmpty)
        }
    }

    @Test(arguments: methods) func makesASubdirectoryWithModeAndOwner(method: MountMethod) async throws {
        try await withExport(filledBy: { _ in }) { standIn, folder in
            let wanted = try Subdirectory("a/b", creation: .init(mode: 0o2770, user: 1234, group: 5678))
            let mounted = try mounter(method, folder, standIn).mount(try request(folder, "", wanted))
            #expect(mounted.entry.root == "/a/b")
            #expect(FileStatus(folder.appending("target")) == FileStatus(mode: 0o2770, user: 1234, group: 5678))
            try replaceFile(folder.appending("target/file"), with: [1])
            _ = try mounter(method, folder, standIn).unmount(folder.appending("target").string)
            try expectTidy(folder)
            // And it lies where it should, below a parent with the usual mode.
            _ = try mounter(method, folder, standIn).mount(try request(folder))
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
                _ = try mounter(method, folder, standIn).mount(try request(folder, "", Subdirectory("old", creation: creation)))
                #expect(FileStatus(folder.appending("target")) == FileStatus(mode: 0o711, user: 77, group: 88))
                #expect(try namesInFolder(folder.appending("target")) == ["file"])
                _ = try mounter(method, folder, standIn).unmount(folder.appending("target").string)
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
                            mounter(method, folder, standIn), request(folder, "", Subdirectory(path, creation: creation)))
                        #expect(error.kind == .subdirectory)
                        #expect(error.description.contains("is not a directory (symbolic links are not followed)"))
                        #expect(error.description.contains("\(path.split(separator: "/")[0]) in the export"))
                        try expectTidy(folder)
                    }
                }
                #expect(try namesInFolder(outside) == ["victim"])
                #expect(try namesInFolder(outside.appending("victim")).isEmpty)
                _ = try mounter(method, folder, standIn).mount(try request(folder))
                #expect(try namesInFolder(folder.appending("target/real")).isEmpty)
            }
        }
    }

    @Test(arguments: methods) func aSubdirectoryThatIsMissing(method: MountMethod) async throws {
        try await withScratchFolder { folder in
            let error = try await failure(mounter(method, folder), request(folder, "", Subdirectory("a/b")))
            #expect(error.kind == .subdirectory)
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
            let request = try request(folder, "", Subdirectory("missing"))
            try #require(Glibc.mount("of somebody else", request.target, "ramfs", 0, nil) == 0)
            for standIn in ["tmpfs:x", "nosuchfs:x"] {
                let mounter = mounter(method, folder, .init(standIn))
                await #expect(throws: NFSMountError.self) { try await blocking { try mounter.mount(request) } }
                let entries = try MountTable().mounts(below: request.target)
                #expect(entries.map(\.source) == ["of somebody else"])
            }
        }
    }

    @Test(arguments: methods) func optionsHoldForASubdirectoryToo(method: MountMethod) async throws {
        try await withScratchFolder { folder in
            let mounted = try mounter(method, folder).mount(try request(folder, "noatime,nosuid", Subdirectory("a", creation: .init())))
            #expect(Set(["noatime", "nosuid"]).isSubset(of: mounted.entry.options))
            #expect(mounted.entry.root == "/a")
        }
    }

    @Test func aSourceTooLongForFSConfigGoesByMount() async throws {
        try await withScratchFolder { folder in
            let source = "nas:/" + String(repeating: "p", count: 400)
            let standIn = NFSMounter.StandIn("tmpfs:\(source)")
            #expect(try mounter(.automatic, folder, standIn).mount(try request(folder)).entry.source == source)
            _ = try mounter(.automatic, folder).unmount(folder.appending("target").string)
            let error = try await failure(mounter(.fsopen, folder, standIn), request(folder))
            #expect(error.kind == .badOption)
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
                    #expect(try mounter.unmount(request.target) == .unmounted)
                } catch let error as NFSMountError {
                    #expect(error.kind == .cancelled)
                    #expect(try MountTable().topmost(at: request.target) == nil)
                }
                try expectTidy(folder)
            }
        }
    }

    @Test func aCallerThatLeavesEndsTheRetries() async throws {
        try await withScratchFolder { folder in
            let port = try closedPort()
            let gone = try Cancellation()
            let mounter = mounter(.automatic, folder, nil)
            var request = try request(folder, "retry=5,port=\(port)")
            request.server = ServerName("127.0.0.1")!
            let began = ContinuousClock.now
            async let ended: NFSMountError = failure(mounter, request, gone)
            gone.cancel()
            #expect([.cancelled, .refused].contains(try await ended.kind))
            #expect(ContinuousClock.now - began < .seconds(200))
        }
    }

    /// The first attempt finds a server that hangs up; the second goes on to the kernel.
    @Test func retriesUntilTheServerIsThere() async throws {
        try await withScratchFolder { folder in
            let server = try Loopback(.answersTheSecond)
            defer { server.close() }
            let gone = try Cancellation()
            let mounter = mounter(.automatic, folder, nil)
            var request = try request(folder, "retry=5,port=\(server.port)")
            request.server = ServerName("127.0.0.1")!
            async let ended: NFSMountError = failure(mounter, request, gone)
            try await server.waitForCallers(2)
            // What the kernel makes of a server that only answers NULL is not this test's affair.
            gone.cancel()
            #expect(try await ended.kind != .mute)
        }
    }

    @Test(arguments: ["", "retry=0,"]) func withoutRetryThereIsOneAttempt(options: String) async throws {
        try await withScratchFolder { folder in
            let server = try Loopback(.hangsUp)
            defer { server.close() }
            var request = try request(folder, "\(options)port=\(server.port)")
            request.server = ServerName("127.0.0.1")!
            let error = try await failure(mounter(.automatic, folder, nil), request)
            #expect(error.kind == .mute)
            #expect(error.mayPass)
            #expect(server.callers.count == 1)
        }
    }

    @Test func standInsAreTypeAndSource() throws {
        let standIn = try #require(NFSMounter.StandIn("ext4:/dev/loop:0"))
        #expect(standIn.fileSystem == "ext4")
        #expect(standIn.source == "/dev/loop:0")
        for text in ["", "ext4", "ext4:", ":x"] { #expect(NFSMounter.StandIn(text) == nil) }
    }
}
