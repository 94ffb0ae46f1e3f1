// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import KernelMount
import LinuxSystem
import Logging
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Volumes

/// The volumes of a host, driven by a caller that is no engine of containers, with a kind of file system made up for it.
@Suite(.needs(.root), .timeLimit(.minutes(2))) struct HostVolumesTests {
    /// A caller whose holders are jobs of a batch system; it says itself which of them have ended.
    private final class BatchSystem: HolderWatch {
        let ended = Mutex<Set<String>>([])
        let changes = Mutex(0)
        let life = Mutex(1)

        func activation(of owner: String) -> Int { life.withLock { $0 } }
        func isStopped(_ holder: String) -> Bool { ended.withLock { $0.contains(holder) } }
        func areAbandoned(_ references: References, of owner: String) -> Bool {
            references.areLeftOver(activation: activation(of: owner), takenBefore: .max)
        }
        func areAbandonedBeforeRemoval(_ references: References, of owner: String) -> Bool {
            ended.withLock { ended in references.holders.keys.allSatisfy(ended.contains) }
        }
        func process(holding mount: MountTableEntry) -> Int32? { nil }
        func referencesChanged() { changes.withLock { $0 += 1 } }
    }

    /// Mounts each volume two folders deep.
    private struct Deep: MountPlaces {
        let folder: FilePath
        func place(of name: VolumeName) -> FilePath { folder.appending("job-\(name.fileName)").appending("work") }
    }

    private static let words = CallerWords(
        owner: "queue", holder: "job", program: "batchd", creation: "batch volume NAME --pool POOL", removal: "batch forget",
        inspection: "batch show", change: "batch change")
    private static let queue = "night"

    private func start(_ folder: FilePath, _ batch: BatchSystem, _ servers: PoolServers? = nil, _ patience: ServerPatience = .none) throws
        -> HostVolumes
    {
        var settings = VolumeSettings(
            kind: MemoryFileSystem(servers: servers), stateDirectory: folder.appending("state"), runtimeDirectory: folder.appending("run"),
            processName: "batch")
        settings.patience = patience
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let state = try VolumeState(
            settings: settings, words: Self.words, places: Deep(folder: folder.appending("jobs")), logger: logger)
        return try HostVolumes(state, watch: batch, authority: LocalDefinitions(), logger: logger)
    }

    private func mounts(_ folder: FilePath) throws -> [MountTableEntry] { try MountTable().mounts(below: folder.string) }

    private func refusal(_ code: StorageError.Code, _ body: () async throws -> Void) async -> String {
        let error = await #expect(throws: StorageError.self) { try await body() }
        #expect(error?.code == code)
        return error?.description ?? ""
    }

    @Test func aVolumeIsMountedForItsFirstHolderAndUnmountedAfterItsLast() async throws {
        try await withScratchFolder { folder in
            let batch = BatchSystem()
            let volumes = try start(folder, batch)
            try await volumes.create("data", options: ["pool": "fast", "size": "1m"], owner: Self.queue)
            let place = try await volumes.mount("data", id: "job 1", owner: Self.queue)
            #expect(place == folder.appending("jobs/job-data/work").string)
            #expect(try await volumes.mount("data", id: "job 2", owner: Self.queue) == place)
            let entry = try #require(try mounts(folder).first)
            #expect(try mounts(folder).count == 1)
            #expect(entry.fileSystem == "tmpfs" && entry.source == "pool:fast" && entry.mountPoint == place)
            #expect(entry.superblockOptions.contains("size=1024k"))
            try await volumes.unmount("data", id: "job 1", owner: Self.queue)
            #expect(try mounts(folder).count == 1)
            try await volumes.unmount("data", id: "job 2", owner: Self.queue)
            #expect(try mounts(folder).isEmpty)
            #expect(batch.changes.withLock { $0 } == 4)
        }
    }

    @Test func whatIsShownSpeaksTheCallersWords() async throws {
        try await withScratchFolder { folder in
            let volumes = try start(folder, BatchSystem())
            try await volumes.create("data", options: ["pool": "fast"], owner: Self.queue)
            _ = try await volumes.mount("data", id: "job 1", owner: Self.queue)
            let status = try #require(volumes.shown("data", owner: Self.queue)?.status)
            #expect(status["state"] == "mounted")
            #expect(status["source"] == "pool:fast")
            #expect(status["requested"] == ["pool": "fast"])
            #expect(status["pool"] == "fast")
            #expect(status["heldBy"] == [["id": "job 1", "count": 1]])
            #expect(volumes.shown("data", owner: "day") == nil)
            #expect(volumes.shownVolumes(owner: "day").isEmpty)
            #expect(volumes.shownVolumes(owner: Self.queue).map(\.name) == ["data"])
        }
    }

    @Test func refusalsNameTheCallersCommands() async throws {
        try await withScratchFolder { folder in
            let volumes = try start(folder, BatchSystem())
            #expect(
                await refusal(.badOption) { try await volumes.create("data", options: [:], owner: Self.queue) }
                    == "cannot create volume data: no options given; say what to mount: batch volume NAME --pool POOL")
            #expect(
                await refusal(.badOption) { try await volumes.create("data", options: ["poll": "a"], owner: Self.queue) }
                    == "cannot create volume data: unknown option poll; did you mean pool?")
            try await volumes.create("data", options: ["pool": "fast"], owner: Self.queue)
            #expect(
                await refusal(.conflict) { try await volumes.create("data", options: ["pool": "slow"], owner: Self.queue) }
                    == "volume data exists with other options: pool=fast instead of slow; remove it first (batch forget data), its data stay on the server"
            )
            #expect(
                await refusal(.conflict) { try await volumes.create("data", options: ["pool": "fast"], owner: "day") }
                    == "volume data exists under the queue night; use that name, or remove it there first")
        }
    }

    @Test func aFailureKeepsItsCodeAndLeavesNothing() async throws {
        try await withScratchFolder { folder in
            let volumes = try start(folder, BatchSystem())
            try await volumes.create("data", options: ["pool": "fast", "size": "much"], owner: Self.queue)
            let line = await refusal(.badOption) { _ = try await volumes.mount("data", id: "job 1", owner: Self.queue) }
            #expect(line.contains("pool fast cannot be had: "))
            #expect(try mounts(folder).isEmpty)
            let status = try #require(volumes.shown("data", owner: Self.queue)?.status)
            #expect(status["lastFailureCode"] == "bad-option")
            #expect(status["references"] == 0)
        }
    }

    @Test func aRestartTakesOverWhatIsHeldAndTidiesUpTheRest() async throws {
        try await withScratchFolder { folder in
            let batch = BatchSystem()
            var volumes = try start(folder, batch)
            try await volumes.create("data", options: ["pool": "fast"], owner: Self.queue)
            let place = try await volumes.mount("data", id: "job 1", owner: Self.queue)
            try makeFolders(folder.appending("jobs/job-gone/work"))
            volumes = try start(folder, batch)
            await volumes.tidy()
            #expect(try mounts(folder).map(\.mountPoint) == [place])
            #expect(try await volumes.mount("data", id: "job 2", owner: Self.queue) == place)
            for job in ["job 1", "job 2"] { try await volumes.unmount("data", id: job, owner: Self.queue) }
            #expect(try mounts(folder).isEmpty)
        }
    }

    @Test func whetherAHolderStillRunsIsItsCallersWord() async throws {
        try await withScratchFolder { folder in
            let batch = BatchSystem()
            let volumes = try start(folder, batch)
            try await volumes.create("data", options: ["pool": "fast"], owner: Self.queue)
            _ = try await volumes.mount("data", id: "job 1", owner: Self.queue)
            #expect(
                await refusal(.inUse) { try await volumes.remove("data", owner: Self.queue) }
                    == "volume data is in use; stop what uses it first")
            batch.ended.withLock { _ = $0.insert("job 1") }
            try await volumes.remove("data", owner: Self.queue)
            #expect(try mounts(folder).isEmpty)
            #expect(volumes.shownVolumes(owner: Self.queue).isEmpty)
        }
    }

    @Test func aDeadServerCostsItsTimeOnceAndHealthyOnesNothing() async throws {
        try await withScratchFolder { folder in
            let servers = try PoolServers()
            let volumes = try start(folder, BatchSystem(), servers)
            for pool in ["a@dead", "b@dead", "c@healthy"] {
                try await volumes.create("on-\(pool.prefix(1))", options: ["pool": pool], owner: Self.queue)
            }
            servers.set("dead", .hangs)
            async let first = refusal(.silent) { _ = try await volumes.mount("on-a", id: "job 1", owner: Self.queue) }
            try await eventually("the dead server is asked") { servers.calls("dead") == 1 }
            #expect(try await !volumes.mount("on-c", id: "job 3", owner: Self.queue).isEmpty)
            // What took less has cost nobody anything.
            try await Task.sleep(for: .milliseconds(1100))
            servers.letGo()
            let failed = ContinuousClock.now
            _ = await first
            let line = await refusal(.silent) { _ = try await volumes.mount("on-b", id: "job 2", owner: Self.queue) }
            if ContinuousClock.now - failed < ServerBreaker.shortestPause {
                #expect(line.contains("dead has not answered since"))
                #expect(servers.calls("dead") == 1)
            }
            #expect(volumes.shown("on-b", owner: Self.queue)?.status?["lastFailureCode"] == "silent")
            servers.set("dead", .answers)
            try await eventually("it is asked again by itself", within: .seconds(60)) {
                (try? await volumes.mount("on-b", id: "job 2", owner: Self.queue)) != nil
            }
            for (volume, job) in [("on-b", "job 2"), ("on-c", "job 3")] { try await volumes.unmount(volume, id: job, owner: Self.queue) }
        }
    }

    @Test func aServerThatIsNotThereYetIsWaitedFor() async throws {
        try await withScratchFolder { folder in
            let servers = try PoolServers()
            let volumes = try start(folder, BatchSystem(), servers, .always(.seconds(60)))
            for pool in ["a@late", "b@late"] {
                try await volumes.create("on-\(pool.prefix(1))", options: ["pool": pool], owner: Self.queue)
            }
            servers.set("late", .fails(.refused))
            let waiting = Task { try await volumes.mount("on-a", id: "job 1", owner: Self.queue) }
            let leaving = Task { try await volumes.mount("on-b", id: "job 2", owner: Self.queue) }
            try await eventually("both were tried") {
                ["on-a", "on-b"].allSatisfy { volumes.shown($0, owner: Self.queue)?.status?["lastFailureCode"] == "refused" }
            }
            leaving.cancel()
            await #expect(throws: StorageError.self) { _ = try await leaving.value }
            #expect(volumes.shown("on-b", owner: Self.queue)?.status?["references"] == 0)
            servers.set("late", .answers)
            #expect(try await !waiting.value.isEmpty)
            #expect(try mounts(folder).count == 1)
            try await volumes.unmount("on-a", id: "job 1", owner: Self.queue)
        }
    }

    /// Writes definitions somewhere else first, and tries to remove the directory of another volume meanwhile.
    private final class Elsewhere: DefinitionAuthority {
        let removed = Mutex<(table: VolumeTable, definition: VolumeDefinition)?>(nil)
        let keeper = Mutex<VolumeName?>(nil)

        func decides(about definition: VolumeDefinition) -> Bool { removed.withLock { $0 != nil } }
        func define(
            _ wanted: VolumeDefinition, acceptsAny: Bool, until deadline: Deadline, _ cancellation: Cancellation
        ) throws(StorageError) { tryToRemove() }
        func redefine(
            _ definition: VolumeDefinition, as new: VolumeDefinition, until deadline: Deadline, _ cancellation: Cancellation
        ) throws(StorageError) { tryToRemove() }
        private func tryToRemove() {
            guard let (table, definition) = removed.withLock({ $0 }) else { return }
            keeper.withLock { $0 = table.beginDisposal(of: definition) }
            table.endDisposal(of: definition.name)
        }
        func prepareMount(
            of definition: VolumeDefinition, until deadline: Deadline, _ cancellation: Cancellation
        ) throws(StorageError) {}
        func released(_ name: VolumeName) {}
        func remove(
            _ definition: VolumeDefinition, until deadline: Deadline, disposingBy dispose: (Deadline) throws(DisposalError) -> Void
        ) throws(StorageError) {}
        func requiredFolder(of definition: VolumeDefinition) -> String? { nil }
        func mayHaveChanged() {}
    }

    /// Else it would be known to other hosts while this one deletes its directory.
    @Test func aDirectoryIsTheNewVolumesBeforeAnythingIsWrittenAnywhere() async throws {
        try await withScratchFolder { folder in
            let settings = VolumeSettings(
                kind: MemoryFileSystem(), stateDirectory: folder.appending("state"), runtimeDirectory: folder.appending("run"),
                processName: "batch")
            let logger = LogBook().logger
            let state = try VolumeState(
                settings: settings, words: Self.words, places: Deep(folder: folder.appending("jobs")), logger: logger)
            let authority = Elsewhere()
            let volumes = try HostVolumes(state, watch: BatchSystem(), authority: authority, logger: logger)
            for (name, directory) in [("old", "a"), ("moved", "b")] {
                try await volumes.create(name, options: ["pool": "p", "subdir": directory], owner: Self.queue)
            }
            let old = try #require(state.table.definition(of: VolumeName("old")!))
            authority.removed.withLock { $0 = (state.table, old) }
            try await volumes.create("new", options: ["pool": "p", "subdir": "a/b"], owner: Self.queue)
            #expect(authority.keeper.withLock { $0 }?.text == "new")
            _ = try await volumes.change("moved", ["subdir": "a"])
            #expect(authority.keeper.withLock { $0 }?.text == "moved")
            // And the other way round: nothing is written while the directory is being removed.
            try state.table.remove(VolumeName("moved")!)
            #expect(state.table.beginDisposal(of: old) == nil)
            authority.keeper.withLock { $0 = nil }
            for creation in [
                { try await volumes.create("late", options: ["pool": "p", "subdir": "a"], owner: Self.queue) },
                { _ = try await volumes.change("late", ["subdir": "a"]) },
            ] {
                let message = await refusal(.inUse) { try await creation() }
                #expect(message.hasSuffix("its directory is being removed with volume old; try again when that is done"))
                if state.table.definition(of: VolumeName("late")!) == nil {
                    authority.removed.withLock { $0 = nil }
                    try await volumes.create("late", options: ["pool": "p", "subdir": "c"], owner: Self.queue)
                }
            }
            #expect(authority.keeper.withLock { $0 } == nil)
        }
    }
}
