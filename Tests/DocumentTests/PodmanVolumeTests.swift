// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import KernelMount
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

/// docker-nfsd as podman's volume plugin. Podman takes every answer with status 200 for a success, asks for no Capabilities, sends List
/// without a body, and introduces itself once for each command.
@Suite(.timeLimit(.minutes(5)), .needs(.podman)) struct PodmanVolumeTests {
    private struct Podman: Sendable {
        let folder: FilePath
        let configuration: String

        init(_ daemon: RunningDaemon) throws {
            folder = daemon.folder.appending("podman")
            configuration = folder.appending("containers.conf").string
            try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
            let text = "[engine]\nevents_logger=\"none\"\n[engine.volume_plugins]\nnfsd = \"\(daemon.driverSocket)\"\n"
            try text.write(toFile: configuration, atomically: true, encoding: .utf8)
        }

        func run(_ subcommand: String, _ words: [String] = []) async throws -> CommandResult {
            let storage = [
                "--root", folder.appending("root").string, "--runroot", folder.appending("run").string, "--storage-driver", "vfs",
            ]
            return try await command(
                ["podman", "--cgroup-manager", "cgroupfs"] + storage + ["volume", subcommand] + words,
                environment: ["CONTAINERS_CONF": configuration],
                limit: 60)
        }
    }

    private static let options = ["--driver", "nfsd", "--opt", "server=nas", "--opt", "path=/export"]

    @Test func aVolumeLives() async throws {
        try await RunningDaemon.with(metrics: "socket") { daemon in
            let podman = try Podman(daemon)
            let place = daemon.folder.appending("mount/web").string
            func isMounted() throws -> Bool { try MountTable().entries.contains { $0.mountPoint == place } }
            let created = try await podman.run("create", Self.options + ["web"])
            #expect(created.status == 0 && created.output == "web\n", "\(created)")
            #expect(try await podman.run("ls", ["--format", "{{.Driver}} {{.Name}}"]).output.contains("nfsd web\n"))
            let shown = try await podman.run("inspect", ["web"])
            #expect(shown.status == 0 && shown.output.contains(#""source": "nas:/export""#), "\(shown)")
            #expect(try await podman.run("mount", ["web"]).status == 0)
            #expect(try isMounted())
            #expect(try await podman.run("unmount", ["web"]).status == 0)
            #expect(try !isMounted())
            let removed = try await podman.run("rm", ["web"])
            #expect(removed.status == 0, "\(removed)")
            #expect(try await daemon.call("VolumeDriver.List", "") == #"{"Volumes":[],"Err":""}"#)
            let page = try await daemon.page()
            for call in ["create", "mount", "unmount", "remove"] {
                #expect(page.value("docker_nfsd_calls_total", ["call": call, "code": "ok"]) ?? 0 >= 1, "\(call)")
            }
            #expect(page.value("docker_nfsd_references") == 0)
            #expect(page.value("docker_nfsd_calls_total", ["call": "activate", "code": "ok"]) ?? 0 > 1, "once for each command")
        }
    }

    /// Each call that fails is a failure to podman, with the daemon's words.
    @Test func aFailureIsOneToPodman() async throws {
        try await RunningDaemon.with(metrics: nil) { daemon in
            let podman = try Podman(daemon)
            let refused = try await podman.run("create", ["--driver", "nfsd", "--opt", "servr=nas", "--opt", "path=/export", "web"])
            #expect(refused.status != 0 && refused.output.contains("unknown option servr; did you mean server?"), "\(refused)")
            #expect(try await daemon.call("VolumeDriver.List", "") == #"{"Volumes":[],"Err":""}"#)

            let created = try await podman.run("create", Self.options + ["--opt", "subdir=a/b", "web"])
            #expect(created.status == 0, "\(created)")
            let unmountable = try await podman.run("mount", ["web"])
            #expect(unmountable.status != 0 && unmountable.output.contains("the subdirectory a/b does not exist"), "\(unmountable)")
            #expect(try MountTable().mounts(below: daemon.folder.appending("mount").string).isEmpty)
        }
    }
}
