// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import KernelMount

/// One attempt on the real kernel, with tmpfs in the place of NFS: it takes options, and complains about them.
@Suite(.needs(.root), .timeLimit(.minutes(5))) struct MountSequenceTests {
    private func parameters(_ options: [MountOption] = [], fileSystem: String = "tmpfs", generic: String = "") throws -> MountPlan {
        var words = GenericMountOptions()
        for word in try MountOption.list(generic) {
            let isGeneric = try words.accept(word)
            #expect(isGeneric)
        }
        return MountPlan(fileSystem: fileSystem, source: "nas:/export", options: options, generic: words)
    }

    private func run(_ sequence: MountSequence) -> AttemptFailure? {
        do throws(AttemptFailure) { try sequence.run(until: Deadline(after: .seconds(30)), cancellation: nil) } catch { return error }
        return nil
    }

    @Test func bothMethodsMountTheSame() async throws {
        try await withScratchFolder { folder in
            let wanted = try parameters([MountOption("size", "64k"), MountOption("mode", "0700")], generic: "ro,noatime,nosuid")
            for name in ["fsopen", "mount"] {
                let target = folder.appending(name)
                try makeFolder(target, mode: 0o700)
                let sequence =
                    name == "fsopen"
                    ? MountSequence.fsopen(wanted, MountDestination(target.string), program: "test")
                    : .mount(wanted, data: wanted.dataString!, MountDestination(target.string), staging: "/nowhere", program: "test")
                #expect(run(sequence)?.error == nil)
                let entry = try #require(try MountTable().topmost(at: target.string))
                #expect(entry.fileSystem == "tmpfs")
                #expect(entry.source == "nas:/export")
                #expect(Set(["ro", "noatime", "nosuid"]).isSubset(of: entry.options))
                #expect(!entry.options.contains("nodev"))
                #expect(Set(["ro", "size=64k", "mode=700"]).isSubset(of: entry.superblockOptions))
            }
        }
    }

    /// mount(2) takes all options as one string, in which a comma begins the next one.
    @Test func aValueWithACommaIsRefusedForMount() throws {
        let plan = try parameters([MountOption("context", "a,b")])
        let error = #expect(throws: AttemptFailure.self) { try Mounter(stagingFolder: "/nowhere", program: "test").dataString(of: plan) }
        #expect(error?.error.description.contains("a value with a comma") == true, "\(String(describing: error))")
    }

    @Test(arguments: [("size", "abc"), ("frobnicate", "1"), ("frobnicate", nil)]) func theKernelsWordsAboutABadOption(
        key: String, value: String?
    ) async throws {
        try await withScratchFolder { folder in
            let option = MountOption(key, value)
            let failure = try #require(
                run(.fsopen(try parameters([MountOption("mode", "0700"), option]), MountDestination(folder.string), program: "test")))
            #expect(failure.stage == .option(key))
            #expect(failure.error == SystemError("fsconfig", .invalidArgument, on: option.description))
            #expect(failure.kernelLog.count == 1)
            #expect(failure.kernelLog[0].contains(key))
            // Without the level in front and the newline behind.
            #expect(!failure.kernelLog[0].hasPrefix("e "))
            #expect(!failure.kernelLog[0].contains("\n"))
            #expect(failure.end == nil)
            #expect(try MountTable().topmost(at: folder.string) == nil)
            // mount(2) cannot say which.
            let old = try #require(
                run(
                    .mount(
                        try parameters([option]), data: option.description, MountDestination(folder.string), staging: "/nowhere",
                        program: "test")))
            #expect(old.stage == .server)
            #expect(old.error.call == "mount")
            #expect(old.error.errno == .invalidArgument)
        }
    }

    @Test func aSecretReachesTheKernelAndNoError() async throws {
        try await withScratchFolder { folder in
            let wanted = try parameters([MountOption("size", "64k", isSecret: true)])
            #expect(wanted.dataString == "size=64k")
            #expect(run(.fsopen(wanted, MountDestination(folder.string), program: "test"))?.error == nil)
            #expect(try MountTable().topmost(at: folder.string)?.superblockOptions.contains("size=64k") == true)
            let refused = try parameters([MountOption("frobnicate", "hunter2", isSecret: true)])
            let failure = try #require(run(.fsopen(refused, MountDestination(folder.string), program: "test")))
            #expect(failure.error == SystemError("fsconfig", .invalidArgument, on: "frobnicate=<hidden>"))
            #expect(!FailureExplanation(refusedOption: failure).reason.contains("hunter2"))
        }
    }

    @Test func aFileSystemThatTheKernelDoesNotHave() async throws {
        try await withScratchFolder { folder in
            let sequence = MountSequence.fsopen(try parameters(fileSystem: "nosuchfs"), MountDestination(folder.string), program: "test")
            let failure = try #require(run(sequence))
            #expect(failure.error.call == "fsopen")
            #expect(failure.error.errno.rawValue == 19)
            // The older interface would not have it either.
            #expect(!sequence.lacksFSOpen(failure))
        }
    }

    /// Kernels before 5.2 and seccomp answer so to fsopen itself; the same answer to a later call is another matter.
    @Test func knowsWhenFSOpenIsToBeHad() async throws {
        try await withScratchFolder { folder in
            let sequence = MountSequence.fsopen(
                try parameters([MountOption("size", "abc")]), MountDestination(folder.string), program: "test")
            let failure = try #require(run(sequence))
            #expect(!sequence.lacksFSOpen(failure))
            #expect(!sequence.lacksFSOpen(AttemptFailure(.local, SystemError("fsopen", .noFunction, on: "tmpfs"))))
        }
    }

    @Test func aTargetThatIsNotThereIsAFailureOfThisHost() async throws {
        try await withScratchFolder { folder in
            let missing = folder.appending("missing").string
            let failure = try #require(run(.fsopen(try parameters(), MountDestination(missing), program: "test")))
            #expect(failure.stage == .local)
            #expect(failure.error == SystemError("move_mount", .noSuchFileOrDirectory, on: missing))
        }
    }

    @Test func aNULInAnOptionIsRefused() async throws {
        try await withScratchFolder { folder in
            let failure = try #require(
                run(.fsopen(try parameters([MountOption("size", "1\0")]), MountDestination(folder.string), program: "test")))
            #expect(failure.stage == .local)
            #expect(failure.error.errno == .invalidArgument)
            #expect(try MountTable().topmost(at: folder.string) == nil)
        }
    }

    @Test func askingForAFileSystemTellsWhetherTheKernelHasIt() {
        #expect(Mounter.opensFileSystem("tmpfs") == nil)
        #expect(Mounter.opensFileSystem("nosuchfs")?.rawValue == 19)
    }
}
