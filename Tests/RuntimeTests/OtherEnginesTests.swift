// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("Called by others than Docker")
    struct OtherEngines {
        private func withPodman(_ body: (Podman, Scenario) async throws -> Void) async throws {
            try await Scenario.run("first", "second") { scenario in
                try await Podman.run(in: scenario) { try await body($0, scenario) }
            }
        }

        private static func options(_ scenario: Scenario) throws -> [String] { ["--network", "none"] + (try scenario.binds("a")) }

        @Test("podman: run, with the status and the container's output")
        func podmanRun() async throws {
            try await withPodman { podman, scenario in
                let moved = try scenario.folder("moved")
                scenario["second"].when(.attach, .attachments(["Attach": true, "Changes": ["EffectiveSource": .string(moved)]]))
                let result = try await podman.run(
                    ["run", "--rm"] + Self.options(scenario) + ["localhost/busybox", "sh", "-c", "cat /a/who; exit 7"])
                #expect(result.status == 7 && result.output == "moved\n", "\(result)")
                let source = try scenario.folder("a")
                #expect(
                    scenario.log.containerLines == ["first Attach \(source)", "second Attach \(source)", "second Detach", "first Detach"],
                    "podman's own mounts are not interposed")
            }
        }

        @Test("podman: policy denies a place that an overlay (:O) would show, alone or with what is above it; others pass")
        func podmanOverlayPolicy() async throws {
            try await withPodman { podman, scenario in
                let secret = try scenario.folder("above/secret")
                _ = try scenario.folder("above")
                _ = try scenario.folder("other")
                let settings = #"{"rules": [{"action": "deny", "source": ["\#(secret)"], "reason": "it is secret"}]}"#
                try await ServedPlugin.run("policy", settings: settings, in: scenario) {
                    for name in ["above/secret", "above", "other"] {
                        let words = ["run", "--rm", "--network", "none", "-v", "\(try scenario.folder(name)):/a:O"]
                        let result = try await podman.run(words + ["localhost/busybox", "cat", "/a/who"])
                        if name == "other" {
                            #expect(result.status == 0 && result.output == "other\n", "\(result)")
                        } else {
                            #expect(
                                result.status != 0 && result.output.contains("/a would show \(secret): it is secret (rule 1)"), "\(result)")
                            #expect(!result.output.contains(name + "\n"), "\(result)")
                        }
                    }
                }
            }
        }

        @Test("podman: a volume, exec, stop, start again, rm")
        func podmanLife() async throws {
            try await withPodman { podman, scenario in
                try await podman.succeed("volume", "create", "work")
                let script = "trap 'exit 3' TERM; while :; do sleep 1000 & wait $!; done"
                try await podman.succeed(
                    "run", "--detach", "--name", "box", "--network", "none", "--volume", "work:/work", "localhost/busybox", "sh", "-c",
                    script)
                let mount = try #require(scenario.log.calls(.attach, of: "first").first?.mounts.first)
                #expect(mount["Destination"] == "/work" && mount["Type"] == "volume" && mount["Volume"]?["Name"] == "work", "\(mount)")
                #expect(try await podman.succeed("exec", "box", "sh", "-c", "echo kept > /work/file; cat /work/file") == "kept")
                #expect(try await podman.succeed("ps", "--format", "{{.Names}} {{.State}}").hasPrefix("box"))
                let file = scenario.host.scratch + "/to-copy"
                try scenario.host.write("copied", to: file)
                try await podman.succeed("cp", file, "box:/copied-by-podman")
                #expect(try await podman.succeed("exec", "box", "cat", "/copied-by-podman") == "copied")
                #expect(scenario.host.contents(of: "/copied-by-podman") == nil, "podman finds the container's files by its process")
                let there = try await podman.succeed("exec", "box", "readlink", "/proc/self/ns/pid")
                let here = try await podman.succeed(
                    "run", "--rm", "--network", "none", "--pid", "container:box", "localhost/busybox", "readlink", "/proc/self/ns/pid")
                #expect(here == there)
                try await podman.succeed("stop", "--time", "10", "box")
                #expect(try await podman.succeed("inspect", "--format", "{{.State.ExitCode}}", "box") == "3")
                try await podman.succeed("start", "box")
                #expect(try await podman.succeed("exec", "box", "cat", "/work/file") == "kept")
                try await podman.succeed("kill", "box")
                #expect(try await podman.succeed("wait", "box") == "137")
                try await podman.succeed("rm", "box")
                let lines = scenario.log.calls.filter { $0.id != nil }.map { "\($0.plugin) \($0.method.shortName)" }
                let once = ["first Attach", "second Attach", "second Detach", "first Detach"]
                #expect(lines == once + once)
            }
        }

        @Test("podman: denial, and a detach that fails")
        func podmanFailures() async throws {
            try await withPodman { podman, scenario in
                scenario["second"].when(.attach, .refusal("not in this house"))
                let words = try ["run", "--rm"] + Self.options(scenario) + ["localhost/busybox", "true"]
                let denied = try await podman.run(words)
                #expect(denied.status == 126 || denied.status == 127 || denied.status == 125, "\(denied)")
                #expect(
                    denied.output.contains(
                        "middleware plugin:second failed with error: MountPointPlugin.MountPointAttach: not in this house"), "\(denied)")
                scenario["second"].when(.attach, .attachments(["Attach": true]))
                scenario["second"].when(.detach, .failure("stuck", recoverable: true))
                let failed = try await podman.run(words)
                #expect(failed.status == 129, "\(failed)")
            }
        }

        @Test("podman: the folder below an overlay is asked about, and no other of it")
        func podmanOverlay() async throws {
            try await withPodman { podman, scenario in
                let source = try scenario.folder("a")
                let words = [
                    "run", "--rm", "--network", "none", "--volume", source + ":/m:O", "localhost/busybox", "sh", "-c",
                    "cat /m/who; echo changed > /m/who; cat /m/who",
                ]
                let result = try await podman.run(words)
                #expect(result.status == 0 && result.output == "a\nchanged\n", "\(result)")
                let mounts = scenario.log.calls(.attach, of: "first").flatMap(\.mounts)
                #expect(mounts.map { $0["Source"]?.stringValue } == [source], "not what podman keeps the changes in")
                let mount = try #require(mounts.first)
                #expect(mount["Destination"] == "/m" && mount["Type"] == "bind" && mount["ReadOnly"] == true, "\(mount)")
                #expect(scenario.host.contents(of: source + "/who") == "a\n")
                scenario["second"].when(.attach, .refusal("not in this house"))
                let denied = try await podman.run(words)
                #expect(denied.status != 0 && denied.output.contains("not in this house"), "\(denied)")
                let moved = try scenario.folder("moved")
                scenario["second"].when(.attach, .attachments(["Attach": true, "Changes": ["EffectiveSource": .string(moved)]]))
                let changed = try await podman.run(words)
                #expect(changed.status != 0 && changed.output.contains("gave another source for a folder of the overlay"), "\(changed)")
            }
        }

        @Test("podman: an init that its user chooses is a mount like others, and annotations are labels")
        func podmanInit() async throws {
            try await withPodman { podman, scenario in
                let result = try await podman.run([
                    "run", "--rm", "--network", "none", "--init", "--init-path", "/bin/busybox", "--annotation", "team=x",
                    "localhost/busybox", "true",
                ])
                let mount = try #require(scenario.log.calls(.attach, of: "first").first?.mounts.first, "\(result)")
                #expect(mount["Destination"] == "/run/podman-init" && mount["Source"] == "/bin/busybox", "\(mount)")
                #expect(mount["Container"]?["Labels"]?["team"] == "x", "\(mount)")
            }
        }

        @Test("podman build: what a user mounts is asked about, and not what buildah mounts for itself")
        func podmanBuild() async throws {
            try await withPodman { podman, scenario in
                let source = try scenario.folder("a")
                let file = scenario.host.scratch + "/Containerfile"
                try FileManager.default.createDirectory(
                    atPath: scenario.host.path(scenario.host.scratch + "/empty-context"), withIntermediateDirectories: true)
                try scenario.host.write("FROM localhost/busybox\nRUN cat /m/who /etc/hostname\n", to: file)
                let result = try await podman.run([
                    "build", "--isolation", "oci", "--network", "none", "--volume", source + ":/m", "--file", file, "--no-cache",
                    scenario.host.scratch + "/empty-context",
                ])
                #expect(result.status == 0 && result.output.contains("a\n"), "\(result)")
                let mounts = try #require(scenario.log.calls(.attach, of: "first").first?.mounts, "\(result)")
                #expect(mounts.map { $0["Destination"]?.stringValue } == ["/m"])
                #expect(mounts.first?["Source"]?.stringValue?.contains("/buildah-bind-target-") == true, "\(mounts)")
            }
        }

        /// Of SECURITY.md's table, whose rows about Docker are in ``OwnEngineTests/OtherWaysIn``.
        @Test("podman: a folder of the host as the root file system is no mount, and the mounts beside it are")
        func podmanRoot() async throws {
            try await withPodman { podman, scenario in
                let root = try scenario.folder("root")
                _ = try await scenario.host.run(["cp", "-a", scenario.host.scratch + "/image.tar.d/.", root])
                try scenario.host.write("of the host\n", to: root + "/seed/other")
                scenario["second"].when(.attach, .refusal("not in this house"))
                let words = ["run", "--rm", "--network", "none"]
                let result = try await podman.run(words + ["--rootfs", root, "cat", "/seed/other"])
                #expect(result.status == 0 && result.output == "of the host\n", "\(result)")
                #expect(scenario.log.calls(.attach).isEmpty)
                let denied = try await podman.run(words + scenario.binds("a") + ["--rootfs", root, "cat", "/a/who"])
                #expect(denied.status != 0 && denied.output.contains("not in this house"), "\(denied)")
            }
        }

        @Test("containerd's own client")
        func containerd() async throws {
            try await Scenario.run("first") { scenario in
                let ctr = ["ctr", "--address", PrivateHost.folder + "/exec/containerd/containerd.sock", "--namespace", "test"]
                let image = scenario.host.scratch + "/saved.tar"
                try await scenario.docker("save", "--output", image, "busybox")
                let imported = try await scenario.host.run(ctr + ["image", "import", image])
                #expect(imported.status == 0, "\(imported)")
                let result = try await scenario.host.run(
                    ctr + [
                        "run", "--rm", "--runc-binary", scenario.runtimeHost.binary, "--mount",
                        "type=bind,src=\(try scenario.folder("a")),dst=/a,options=rbind:rw", "docker.io/library/busybox:latest", "box",
                        "sh", "-c",
                        "cat /a/who; exit 5",
                    ])
                #expect(result.status == 5 && result.output.hasPrefix("a\n"), "\(result)")
                #expect(scenario.log.containerLines == ["first Attach \(try scenario.folder("a"))", "first Detach"])
                _ = try await scenario.host.run(ctr + ["image", "rm", "docker.io/library/busybox:latest"])
                _ = try await scenario.host.run([
                    "rmdir", PrivateHost.folder + "/exec/containerd/daemon/io.containerd.runtime.v2.task/test",
                ])
            }
        }
    }
}
