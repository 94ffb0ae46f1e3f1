// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    /// containerd with its interface for Kubernetes, as a kubelet would use it: the runtime is set by `BinaryName`. Docker's containerd has
    /// that interface switched off, so this is another one.
    @Suite("Called by containerd for Kubernetes", .enabled(if: hasClient, "needs python3-grpcio (Scripts/test-needs)"))
    struct Kubernetes {
        private static let folder = PrivateHost.folder + "/kubernetes"
        private static let socket = folder + "/containerd.sock"
        private static let image = "docker.io/library/pause:latest"

        private func withContainerd(_ body: (Scenario) async throws -> Void) async throws {
            try await Scenario.run("first") { scenario in
                let host = scenario.host
                _ = try await host.run(["mkdir", "-p", Self.folder + "/logs"])
                try host.write(settings(runtime: scenario.runtimeHost.binary), to: Self.folder + "/config.toml")
                let containerd = try host.start(["containerd", "--config", Self.folder + "/config.toml"], log: "kubernetes.log")
                let process = try await containerd.child(running: "containerd")
                let failure: (any Error)?
                do {
                    try await importImage(scenario)
                    try await body(scenario)
                    failure = nil
                } catch { failure = error }
                kill(process, SIGTERM)
                try await containerd.end(within: .seconds(20))
                _ = try await host.run(["rm", "-rf", Self.folder])
                _ = host.removeEmptyControlGroups(named: "pods")
                if let failure { throw Trouble("\(failure)\n\(host.log("kubernetes.log").suffix(3000))") }
            }
        }

        private func importImage(_ scenario: Scenario) async throws {
            let file = scenario.host.scratch + "/pause.tar"
            try await scenario.docker("import", "--change", #"CMD ["/bin/sleep", "1000"]"#, scenario.host.scratch + "/image.tar", "pause")
            try await scenario.docker("save", "--output", file, "pause")
            try await scenario.docker("rmi", "pause")
            try await eventually("containerd listens") { UnixSocket.accepts(scenario.host.path(Self.socket)) }
            let imported = try await scenario.host.run(["ctr", "--address", Self.socket, "--namespace", "k8s.io", "image", "import", file])
            guard imported.status == 0 else { throw Trouble("\(imported)") }
        }

        private func settings(runtime: String) -> String {
            """
            version = 2
            root = "\(Self.folder)/root"
            state = "\(Self.folder)/state"
            [grpc]
            address = "\(Self.socket)"
            [plugins."io.containerd.grpc.v1.cri"]
            sandbox_image = "\(Self.image)"
            restrict_oom_score_adj = true
            disable_apparmor = true
            [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
            runtime_type = "io.containerd.runc.v2"
            [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
            BinaryName = "\(runtime)"

            """
        }

        /// Runs a pod with one container, which has a folder of the host at `/a`.
        ///
        /// - Returns: what the container has written, or why it did not start.
        private func runPod(_ scenario: Scenario) async throws -> String {
            let words = [
                Self.socket, "/\(scenario.host.name)/pods", Self.folder + "/logs", Self.image, try scenario.folder("a"), "cat /a/who",
            ]
            return try await scenario.host.run(["/usr/bin/python3", "-c", Self.client] + words).output
        }

        @Test("A pod: what its user mounts is asked about, and not what containerd mounts for it")
        func pod() async throws {
            try await withContainerd { scenario in
                let log = scenario.log
                let output = try await runPod(scenario)
                #expect(output.hasSuffix(" stdout F a\n"), "\(output)")
                let asked = ["first Attach \(try scenario.folder("a"))", "first Detach"]
                #expect(log.containerLines == asked, "not about hosts, nor about the sandbox")
                let mount = try #require(log.calls(.attach).first?.mounts.first)
                #expect(mount["Container"]?["Labels"]?["io.kubernetes.cri.container-name"] == "box", "\(mount)")
                scenario["first"].when(.attach, .refusal("not in this house"))
                let denied = try await runPod(scenario)
                #expect(denied.contains("not in this house"), "\(denied)")
            }
        }

        /// A kubelet of a few lines. cri-api's `runtime/v1/api.proto`; the messages are put together by hand.
        private static let client = #"""
            import grpc, sys

            def varint(number):
                out = b""
                while number > 127: out, number = out + bytes([number & 127 | 128]), number >> 7
                return out + bytes([number])

            # A message: numbers of fields and their values, in the order in which they are sent.
            def message(*fields):
                out = b""
                for number, value in fields:
                    if isinstance(value, int): out += varint(number << 3) + varint(value)
                    else:
                        data = value.encode() if isinstance(value, str) else value
                        out += varint(number << 3 | 2) + varint(len(data)) + data
                return out

            def text(answer):
                length, start, shift = 0, 1, 0
                while True:
                    length |= (answer[start] & 127) << shift; shift += 7; start += 1
                    if answer[start - 1] < 128: return answer[start:start + length].decode()

            socket, group, folder, image, source, command = sys.argv[1:]
            channel = grpc.insecure_channel("unix://" + socket)
            def call(name, *fields):
                method = channel.unary_unary("/runtime.v1.RuntimeService/" + name, lambda it: it, lambda it: it)
                return method(message(*fields), timeout=60, wait_for_ready=True)

            linux = message((1, group), (2, message((1, message((1, 2))))))
            sandbox_settings = message((1, message((1, "pod"), (2, "uid-1"), (3, "default"))), (3, folder), (8, linux))
            sandbox = text(call("RunPodSandbox", (1, sandbox_settings)))
            container = ""
            try:
                settings = message((1, message((1, "box"))), (2, message((1, image))), (3, "/bin/sh"), (3, "-c"), (3, command),
                    (7, message((1, "/a"), (2, source))), (11, "box.log"))
                container = text(call("CreateContainer", (1, sandbox), (2, settings), (3, sandbox_settings)))
                call("StartContainer", (1, container))
                status = b""
                while b"Completed" not in status and b"Error" not in status: status = call("ContainerStatus", (1, container))
                print(open(folder + "/box.log").read(), end="")
            except grpc.RpcError as error: print(error.details())
            finally:
                if container: call("RemoveContainer", (1, container))
                call("StopPodSandbox", (1, sandbox)); call("RemovePodSandbox", (1, sandbox))
            """#
    }
}

private let hasClient = FileManager.default.fileExists(atPath: "/usr/lib/python3/dist-packages/grpc")
