// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import KernelMount
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import Volumes

/// The watch over servers and mounted volumes, with servers that exist in memory only.
@Suite(.timeLimit(.minutes(5))) struct HealthWatchTests {
    private static let pace: HealthWatch.Pace = {
        var pace = HealthWatch.Pace()
        pace.interval = .milliseconds(20)
        pace.usageLifetime = .milliseconds(20)
        // One that hangs does so until the end of its test.
        pace.probe = .seconds(600)
        return pace
    }()

    /// For machines that do much else.
    private static let patience = Duration.seconds(100)

    /// A watch, and what it works on.
    private struct Scene {
        let state: VolumeState
        let watch: HealthWatch
        let servers: PoolServers
        let lines: LogBook
        let runtime: FilePath

        /// A volume that counts as mounted.
        func add(_ name: String, pool: String, device: String = "0:99") throws {
            let definition = VolumeDefinition(
                name: try #require(VolumeName(name)), owner: "night", createdAt: "2026-03-01T12:00:00Z",
                options: try VolumeOptions(["pool": pool], kind: state.settings.kind))
            var record = VolumeRecord(definition)
            let place = state.places.place(of: definition.name)
            let line = "1 2 \(device) / \(place) rw - tmpfs pool:\(pool) rw"
            record.mount = MountTable(parsing: Array(line.utf8)).entries.first
            state.table.insert(record)
        }

        func health(_ name: String) -> VolumeHealth {
            VolumeName(name).flatMap(state.table.record).map(watch.health) ?? VolumeHealth()
        }

        var file: HealthFile.Content? { (try? HealthFile(runtime: runtime))?.read() }

        /// Runs the watch while the body runs, and sees it end.
        func watching(_ body: () async throws -> Void) async throws {
            let ending = try Cancellation()
            let running = Task { [watch] in await watch.run(until: ending) }
            do { try await body() } catch { Issue.record(error) }
            ending.cancel()
            await running.value
        }
    }

    private func withScene(_ body: (Scene) async throws -> Void) async throws {
        try await withScratchFolder { folder in
            let servers = try PoolServers()
            let lines = LogBook()
            let settings = VolumeSettings(
                kind: MemoryFileSystem(servers: servers), stateDirectory: folder.appending("state"),
                runtimeDirectory: folder.appending("run"),
                processName: "x")
            try makeFolders(settings.runtimeDirectory)
            let words = CallerWords(owner: "queue", holder: "job", program: "batchd", creation: "", removal: "", inspection: "", change: "")
            let state = try VolumeState(
                settings: settings, words: words, places: FolderForEachVolume(in: folder.appending("mounts")), logger: lines.logger)
            let watch = try HealthWatch(state, pace: Self.pace, logger: lines.logger)
            try await body(
                Scene(state: state, watch: watch, servers: servers, lines: lines, runtime: settings.runtimeDirectory))
        }
    }

    @Test func anOutageIsToldOnceAndItsEndOnce() async throws {
        try await withScene { scene in
            for name in ["b", "a"] { try scene.add(name, pool: "\(name)@nas") }
            try scene.add("other", pool: "x@well")
            scene.servers.set("nas", .fails(.refused))
            try await scene.watching {
                try await eventually("the server is known to be away", within: Self.patience) {
                    scene.health("a").isAway && scene.file?.servers["nas"]?.awaySince != nil
                }
                let asked = scene.servers.calls("nas")
                try await eventually("it was asked again", within: Self.patience) { scene.servers.calls("nas") > asked + 2 }
                #expect(!scene.health("other").isAway && scene.health("other").server?.lastAnswer != nil)
                #expect(scene.health("b").server?.code == "refused")
                #expect(scene.file?.servers["well"]?.lastAnswer != nil)
                #expect(scene.lines.all.filter { $0.contains("these volumes wait: a, b") }.count == 1)
                scene.servers.set("nas", .answers)
                try await eventually("it is back", within: Self.patience) {
                    !scene.health("a").isAway && scene.file?.servers["nas"]?.awaySince == nil
                }
                let again = scene.servers.calls("nas")
                try await eventually("it was asked again", within: Self.patience) { scene.servers.calls("nas") > again + 2 }
            }
            #expect(scene.lines.all.filter { $0.contains("server nas answers again; these volumes go on: a, b") }.count == 1)
            #expect(scene.lines.all.filter { $0.contains("server nas answers again; it had not since") }.count == 1)
        }
    }

    /// More mute servers than are asked at a time, but for one.
    @Test func aMuteServerDelaysNoOther() async throws {
        try await withScene { scene in
            for number in 0..<7 {
                scene.servers.set("mute\(number)", .hangs)
                try scene.add("m\(number)", pool: "x@mute\(number)")
            }
            for number in 0..<3 { try scene.add("w\(number)", pool: "x@well\(number)") }
            try await scene.watching {
                try await eventually("the others were asked again and again", within: Self.patience) {
                    (0..<3).allSatisfy { scene.servers.calls("well\($0)") > 3 }
                }
                // None of them is asked twice at a time.
                for number in 0..<7 { #expect(scene.servers.calls("mute\(number)") == 1) }
            }
            // The watch has ended, so none of them is asked any more.
            #expect(!scene.health("m0").isAway)
        }
    }

    @Test func nothingIsDoneWhileNothingIsMounted() async throws {
        try await withScene { scene in
            try await scene.watching { try await Task.sleep(for: .milliseconds(200)) }
            #expect(scene.file == nil)
            #expect(scene.servers.calls("nas") == 0)
        }
    }

    @Test(.needs(.root)) func theRoomOfAMountIsFoundOut() async throws {
        try await withScene { scene in
            let place = scene.state.places.place(of: try #require(VolumeName("full")))
            try makeFolders(place)
            try #require(mount("pool", place.string, "tmpfs", 0, "size=4096k,nr_inodes=100") == 0)
            let device = try #require(try MountTable.topmost(at: place.string)?.device)
            try scene.add("full", pool: "x@nas", device: device)
            try await scene.watching {
                try await eventually("it is known", within: Self.patience) { scene.file?.usage[device]?.space != nil }
                let space = try #require(scene.health("full").usage?.space)
                #expect(space.size == 4096 << 10 && space.used == 0 && space.free == 4096 << 10 && space.inodes == 100)
                try replaceFile(place.appending("data"), with: [UInt8](repeating: 1, count: 1 << 20), durable: false)
                try await eventually("it is looked at again", within: Self.patience) { scene.health("full").usage?.space?.used == 1 << 20 }
                #expect(scene.health("full").usage?.space?.usedPercent == 25)
                scene.servers.set("nas", .fails(.silent))
                try await eventually("it is not known any more", within: Self.patience) { scene.health("full").usage?.unknownSince != nil }
                #expect(scene.health("full").usage?.space?.used == 1 << 20)
                scene.servers.set("nas", .answers)
                try await eventually("it is known again", within: Self.patience) { scene.health("full").usage?.unknownSince == nil }
            }
        }
    }

    /// The folder of a volume that somebody has unmounted is on this host's own disk.
    @Test func theRoomOfAnEmptyFolderIsNotTaken() async throws {
        try await withScene { scene in
            try makeFolders(scene.state.places.place(of: try #require(VolumeName("gone"))))
            try scene.add("gone", pool: "x@nas")
            try await scene.watching { try await eventually("it was asked", within: Self.patience) { scene.servers.calls("nas") > 3 } }
            #expect(scene.health("gone").usage == nil)
        }
    }

    @Test func aFileOfAnotherBootOrADamagedOneSaysNothing() async throws {
        try await withScratchFolder { folder in
            let file = try HealthFile(runtime: folder)
            #expect(file.read() == nil)
            var content = HealthFile.Content(written: "2026-03-01T12:00:00Z", seconds: 77)
            content.servers["nas"] = .init(awaySince: "2026-03-01T11:00:00Z", code: "silent", reason: "no answer", lastAnswer: nil)
            content.usage["0:5"] = .init(
                space: FileSystemSpace(size: 10, used: 4, free: 5, inodes: 3, freeInodes: 2), asOf: "2026-03-01T12:00:00Z",
                unknownSince: nil)
            content.usage["0:6"] = .init(unknownSince: "2026-03-01T12:00:00Z")
            try file.write(content)
            #expect(file.read() == content)
            let path = folder.appending("health.json")
            let text = String(decoding: try readWholeFile(path, limit: 1 << 20), as: UTF8.self)
            for length in [0, 1, text.utf8.count / 2, text.utf8.count - 1] {
                try replaceFile(path, with: Array(text.utf8.prefix(length)), durable: false)
                #expect(file.read() == nil)
            }
            try replaceFile(path, with: Array(text.replacing(try Boot.current().text, with: "another").utf8), durable: false)
            #expect(file.read() == nil)
        }
    }
}
