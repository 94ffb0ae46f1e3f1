// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import OCIRuntime
import SystemPackage
import TestSupport

@testable import ContainerMounts
@testable import DockerFiles

/// A data root of Docker's in a scratch folder, filled with what Docker 20.10 wrote (Tests/Fixtures/docker-20.10; each container's
/// folder there has its config.json besides). In the fixtures it is `/var/lib/docker`.
struct DockerFolder {
    static let image = "07e4a33340ff6671bb858c9961a53ceb2b67ab5b0867b53f4531fde4aeee6a22"
    private static let fixtures = Repository.root + "/Tests/Fixtures/docker-20.10"

    /// The data root.
    let root: String

    init(_ scratch: FilePath) { root = scratch.appending("docker").string }

    /// The text of a fixture, with this data root in it.
    func fixture(_ name: String) throws -> String {
        try String(contentsOfFile: "\(Self.fixtures)/\(name)", encoding: .utf8).replacing("/var/lib/docker", with: root)
    }

    /// - Parameter path: below the data root.
    func write(_ content: some Sequence<UInt8>, to path: String) throws {
        let file = URL(fileURLWithPath: "\(root)/\(path)")
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(content).write(to: file)
    }

    func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: "\(root)/\(path)") }

    func copyDatabase(_ name: String = "metadata.db") throws {
        try write(try Data(contentsOf: URL(fileURLWithPath: "\(Self.fixtures)/\(name)")), to: "volumes/metadata.db")
    }

    /// Puts a container's record, the database of volumes and the image where they belong.
    ///
    /// - Parameter change: what to make of the record.
    func add(_ name: String, change: (String) -> String = { $0 }) throws -> Container {
        let configuration = try OCIConfiguration(parsing: Array(try fixture("\(name)/config.json").utf8))
        let id = try ContainerID(String((configuration.cgroupsPath ?? "").split(separator: "/").last ?? ""))
        try write(change(try fixture("\(name)/config.v2.json")).utf8, to: "containers/\(id)/config.v2.json")
        try copyDatabase()
        try write(try fixture("image.json").utf8, to: "image/overlay2/imagedb/content/sha256/\(Self.image)")
        return Container(id: id, configuration: configuration)
    }

    struct Container {
        var id: ContainerID
        var configuration: OCIConfiguration

        func find(
            runtimeRoot: String = "/run/docker/runtime-runc/moby", dataRoots: [String] = [],
            scope: (String) -> MountPoint.Scope? = { _ in nil }
        ) throws(EngineFilesError) -> EngineView {
            try EngineView.find(
                container: id, configuration: configuration, bundle: "/run/bundle", runtimeRoot: runtimeRoot, dataRoots: dataRoots,
                scope: scope)
        }
    }
}

extension EngineView {
    /// By destination.
    subscript(_ destination: String) -> MountPoint? {
        mounts.first { $0.mountPoint.destination == destination }?.mountPoint
    }

    var destinations: [String] { mounts.map(\.mountPoint.destination) }
}
