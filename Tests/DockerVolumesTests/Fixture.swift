// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import LinuxSystem
import Logging
import KernelMount
import NFS
import StandIn
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

/// The daemons that a test has started on the same folders. A real one ends before the next one can begin.
private final class Runs: Sendable {
    private struct Run: Sendable {
        weak var volumes: HostVolumes?
    }

    private let runs = Mutex<[Run]>([])

    /// Notes that another one begins, after what the others have left for later.
    func begin(_ start: () throws -> VolumeDrivers) rethrows -> VolumeDrivers {
        for run in runs.withLock({ $0 }) { run.volumes?.chores.doAll() }
        let new = try start()
        runs.withLock { $0.append(Run(volumes: new.volumes)) }
        return new
    }
}

/// The folders of a daemon, for one test.
struct Fixture: Sendable {
    let folder: FilePath
    let log = LogBook()
    private let runs = Runs()
    var settings = DaemonSettings()

    init(_ folder: FilePath, standIn: String) {
        self.folder = folder
        settings.volumes.kind = StandIn(standIn)!
        settings.volumes.stateDirectory = folder.appending("state")
        settings.volumes.runtimeDirectory = folder.appending("run")
        settings.mountDirectory = folder.appending("mnt")
        settings.engine.dataRoot = folder.appending("docker")
        settings.engine.apiSocket = nil
        // The machine may just have booted.
        settings.volumes.patience = .none
        settings.engine.daemonFile = folder.appending("daemon.json")
    }

    var logger: Logger { log.logger }

    /// A new daemon on these folders, as after a restart.
    func start() throws -> VolumeDrivers { try runs.begin { try VolumeDrivers(settings: settings, logger: logger) } }

    func place(_ name: String) -> FilePath { settings.places.place(of: VolumeName(name)!) }

    /// Another host, with folders of its own and the share `nas:/export`.
    func host(_ name: String) throws -> Fixture {
        var other = Fixture(folder.appending(name), standIn: "none:none")
        other.settings.volumes.kind = settings.volumes.kind
        other.settings.volumes.share = try Share("nas:/export", kind: settings.volumes.kind)
        other.settings.catalogue.node = name
        return other
    }

    /// What is mounted at a volume's place, lowest first.
    func mounts(_ name: String) throws -> [MountTableEntry] {
        try MountTable().entries.filter { $0.mountPoint == place(name).string }
    }

    func isMounted(_ name: String) throws -> Bool { try !mounts(name).isEmpty }

    /// Mounts by hand, as a daemon that was killed just after it.
    func mountByHand(at place: FilePath, fileSystem: String = "tmpfs") throws {
        try makeFolders(place)
        try #require(mount("by hand", place.string, fileSystem, 0, nil) == 0)
    }

    /// The names of the folder's files, empty if it is not there.
    func names(_ path: String) -> [String] { (try? namesInFolder(folder.appending(path))) ?? [] }
}

/// Gives the body folders of its own, and takes away afterwards what is mounted in them and the folders themselves.
func withFixture(standIn: String = "tmpfs:nas:/export", _ body: (Fixture) async throws -> Void) async throws {
    var template = Array("/tmp/nfs-volumes-tests-XXXXXX".utf8CString)
    let path = try #require(mkdtemp(&template).map { String(cString: $0) })
    defer {
        for mount in (try? MountTable().mounts(below: path))?.reversed() ?? [] { umount2(mount.mountPoint, CInt(MNT_DETACH)) }
        try? FileManager.default.removeItem(atPath: path)
    }
    try await body(Fixture(FilePath(path), standIn: standIn))
}

/// A fixture whose export keeps what is written: an ext4 image on a loop device. `export` is a place where it is mounted too.
func withExport(_ body: (_ fixture: Fixture, _ export: FilePath) async throws -> Void) async throws {
    try await withFixture { plain in
        let image = plain.folder.appending("image").string
        try replaceFile(FilePath(image), with: [], durable: false)
        try #require(truncate(image, 16 << 20) == 0)
        let made = try await command(["mkfs.ext4", "-q", "-O", "^has_journal", image])
        try #require(made.status == 0, "\(made)")
        let attached = try await command(["losetup", "--find", "--show", image])
        try #require(attached.status == 0, "\(attached)")
        let device = String(attached.output.dropLast())
        let export = plain.folder.appending("export")
        do {
            try makeFolder(export, mode: 0o700)
            try #require(mount(device, export.string, "ext4", 0, nil) == 0)
            try await body(Fixture(plain.folder, standIn: "ext4:\(device)"), export)
        } catch {
            Issue.record(error)
        }
        for mount in try MountTable().mounts(below: plain.folder.string).reversed() { umount2(mount.mountPoint, CInt(MNT_DETACH)) }
        let detached = try await command(["losetup", "--detach", device])
        #expect(detached.status == 0, "\(detached)")
    }
}

/// Options as NFS reads them, with no settings of a host.
extension VolumeOptions {
    init(_ options: [String: String]) throws(StorageError) { try self.init(options, kind: NFS()) }
}

extension Share {
    init(_ text: String) throws(StorageError) { try self.init(text, kind: NFS()) }

    func options(_ given: [String: String], of name: VolumeName) throws(StorageError) -> VolumeOptions {
        try options(given, of: name, kind: NFS())
    }
}

extension VolumeDefinition {
    init(parsing bytes: [UInt8], in catalogue: Share? = nil) throws(StorageError) {
        try self.init(parsing: bytes, kind: NFS(), in: catalogue)
        if catalogue != nil { try checkAsForeign(owners: DaemonSettings.driverNames) }
    }
}

extension VolumeDrivers {
    var nfsd: NFSVolumeDriver { driver(named: "nfsd") }
    var table: VolumeTable { state.table }
    var locks: VolumeLocks { state.locks }
    var remover: VolumeRemover { volumes.remover }
}

extension NFSVolumeDriver {
    /// With the least that a volume needs.
    func create(_ name: String) async throws { try await create(name, options: ["server": "nas", "path": "/export"]) }
}

/// A process in a mount namespace of its own, as a container has one; it lives until the body ends.
func withUnshared(_ propagation: String, doing script: String = ":", _ body: (Int32) async throws -> Void) async throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
    process.arguments = ["--mount", "--propagation", propagation, "sh", "-ec", "\(script); echo ready; read end"]
    let (input, output) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    let ready = try await BlockingThread.run(named: "ready") { String(decoding: output.fileHandleForReading.availableData, as: UTF8.self) }
    do {
        try #require(ready == "ready\n")
        try await body(process.processIdentifier)
    } catch {
        Issue.record(error)
    }
    try input.fileHandleForWriting.close()
    try await BlockingThread.run(named: "end") { process.waitUntilExit() }
}
