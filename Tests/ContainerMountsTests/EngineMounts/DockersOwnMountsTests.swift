// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import Glibc
import OCIRuntime
import SystemPackage
import TestSupport
import Testing

@testable import ContainerMounts
@testable import DockerFiles

/// Mounts of config.json that Docker's record of the container does not have.
@Suite struct DockersOwnMountsTests {
    private static let other = "2c3eb9e8718f1f58cf1de14290ae5b00c45aeaedea00e695b804efdafb4dc8f5"

    /// A container of Docker's with one more mount; `ROOT` and `ID` in its source are replaced.
    private func find(
        _ destination: String, _ source: String, initPath: String? = nil, change: (String) -> String = { $0 }
    ) async throws -> EngineView {
        var found: EngineView?
        try await withScratchFolder { scratch in
            let docker = DockerFolder(scratch)
            let container = try docker.add("joined-network", change: change)
            let text = try docker.fixture("joined-network/config.json")
            // The ID first: the root has random letters in it.
            let source = source.replacing("ID", with: container.id.text).replacing("ROOT", with: docker.root)
            let mount = #""mounts":[{"destination":"\#(destination)","type":"bind","source":"\#(source)","options":["rbind"]},"#
            let range = try #require(text.range(of: #""mounts"\s*:\s*\["#, options: .regularExpression))
            let configuration = try OCIConfiguration(parsing: Array(text.replacingCharacters(in: range, with: mount).utf8))
            found = try EngineView.find(
                container: container.id, configuration: configuration, bundle: "/run/bundle", runtimeRoot: "/run/docker/runtime-runc/moby",
                dataRoots: [], initPath: initPath)
        }
        return try #require(found)
    }

    @Test(arguments: [
        ("/dev/shm", "ROOT/containers/ID/mounts/shm"), ("/dev/shm", "ROOT/containers/\(other)/mounts/shm"), ("/dev/shm", "/dev/shm"),
        ("/dev/mqueue", "/dev/mqueue"), ("/proc", "/proc"), ("/etc/hosts", "ROOT/containers/ID/hosts"),
        ("/run/secrets/password", "ROOT/containers/ID/mounts/secrets/abc"), ("/etc/app.conf", "ROOT/containers/ID/mounts/configs/abc"),
        ("/run/secrets/password", "ROOT/containers/ID/secrets/abc"), ("/sbin/docker-init", "/nonexistent/docker-init"),
        ("/dev/init", "/nonexistent/tini"),
    ])
    func leavesDockersOwnAlone(destination: String, source: String) async throws {
        #expect(try await find(destination, source).destinations == ["/x"])
    }

    @Test(arguments: [
        ("/data", "/srv/secret"), ("/etc/hosts", "/srv/hosts"), ("/etc/hosts", "ROOT/containers/ID/hostname"),
        ("/etc/hosts", "ROOT/containers/short/hosts"), ("/etc/hosts", "ROOT/containers/ID/sub/hosts"),
        ("/data", "ROOT/containers/ID/hosts"), ("/etc/hosts", "/srv/containers/\(other)/hosts"),
        ("/etc/hosts", "ROOT/containers/ID/../../../../srv/hosts"), ("/dev/shm", "/srv/shm"), ("/dev/shm", "ROOT/containers/ID/mounts"),
        ("/proc", "/srv"), ("/run/secrets/x", "ROOT/containers/\(other)/mounts/secrets/x"),
        ("/run/secrets/x", "ROOT/containers/ID/mounts/other/x"), ("/run/secrets/x", "ROOT/containers/ID/mounts/secrets"),
        ("/sbin/docker-init", "/srv/secret"), ("/sbin/docker-init", "/etc"), ("/init", "/nonexistent/docker-init"),
        ("/x/sub", "/srv/data"),
    ])
    func startsNoContainerWithAnythingElse(destination: String, source: String) async throws {
        let error = await #expect(throws: EngineFilesError.self) { try await find(destination, source) }
        #expect(error?.description.contains("that Docker's record of the container does not have") == true, "\(error?.description ?? "")")
    }

    /// An init that anybody may write to, or a folder of that name, is none.
    @Test func looksAtTheInitItself() async throws {
        try await withScratchFolder { folder in
            let file = folder.appending("docker-init").string
            try Data().write(to: URL(fileURLWithPath: file))
            chmod(file, 0o755)
            let known = try await find("/sbin/docker-init", file)
            #expect(known.destinations == ["/x"])
            chmod(file, 0o777)
            await #expect(throws: EngineFilesError.self) { try await find("/sbin/docker-init", file) }
            let named = folder.appending("anything").string
            try Data().write(to: URL(fileURLWithPath: named))
            chmod(named, 0o755)
            await #expect(throws: EngineFilesError.self) { try await find("/sbin/docker-init", named) }
            let configured = try await find("/sbin/docker-init", named, initPath: named)
            #expect(configured.destinations == ["/x"])
        }
    }

    @Test func refusesARecordWithoutItsMounts() async throws {
        let error = await #expect(throws: EngineFilesError.self) {
            try await find("/dev/shm", "/dev/shm") { $0.replacing("\"MountPoints\"", with: "\"Elsewhere\"") }
        }
        #expect(error?.description.contains("it has no MountPoints") == true)
        // Then the container's own bind is one too many.
        await #expect(throws: EngineFilesError.self) {
            try await find("/dev/shm", "/dev/shm") { $0.replacing("\"MountPoints\":{", with: "\"MountPoints\":{},\"Elsewhere\":{") }
        }
    }
}
