// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import JSON
import TestSupport
import Testing

/// A dockerd that knows the runtime under test, for all tests of a suite.
final class RuntimeHost: DockerUser {
    let dockerd: Dockerd
    /// The runtime under test.
    let binary: String

    /// Where the runtime keeps what it must remember.
    static let stateFolder = "/run/mountpoint-runc"
    static let settingsFile = "/etc/docker/mountpoint-runc.json"
    /// What containers mount.
    static let dataFolder = PrivateHost.folder + "/data"
    /// What the image says of itself.
    static let imageLabels = ["vendor": "busy", "tier": "image"]

    @TaskLocal static var current: RuntimeHost?

    init(on host: PrivateHost, _ settings: Dockerd.Settings) throws {
        guard let binary = Repository.runtimeBinary else { throw Trouble("there is no mountpoint-runc to test; make builds it") }
        self.binary = binary
        dockerd = Dockerd(on: host, settings)
    }

    /// Makes all parts, runs the body, and takes the parts away again, whatever happened.
    ///
    /// - Parameters:
    ///   - extraSettings: members of daemon.json.
    ///   - prepare: runs before dockerd starts.
    static func with(
        _ settings: Dockerd.Settings = .init(), extraSettings: JSONObject = [:],
        prepare: @Sendable (PrivateHost) async throws -> Void = { _ in }, _ body: (RuntimeHost) async throws -> Void
    ) async throws {
        let cleanup = Cleanup()
        let failure: (any Error)?
        do {
            let host = try await PrivateHost()
            cleanup.add {
                if ProcessInfo.processInfo.environment["DOCKER_NFSD_TEST_KEEP"] == nil {
                    try FileManager.default.removeItem(atPath: host.scratch)
                }
            }
            cleanup.add { try await host.end() }
            try await prepare(host)
            let runtimeHost = try RuntimeHost(on: host, settings)
            try await runtimeHost.start(extraSettings)
            try await body(runtimeHost)
            failure = nil
        } catch {
            failure = error
        }
        await cleanup.run()
        if let failure { throw failure }
    }

    private func start(_ extraSettings: JSONObject) async throws {
        let flags: JSONValue = ["--mount-point-plugin=first", "--mount-point-plugin=second", "--mount-point-plugin=first"]
        var settings: JSONObject = [
            "runtimes": [
                "mountpoint": ["path": .string(binary)],
                "mountpoint-flags": ["path": .string(binary), "runtimeArgs": flags],
                "mountpoint-idle": ["path": .string(binary), "runtimeArgs": ["--mount-point-plugin=idle"]],
                "mountpoint-crun": ["path": .string(binary), "runtimeArgs": ["--runtime-path=/usr/bin/crun"]],
                "mountpoint-crun-idle": [
                    "path": .string(binary), "runtimeArgs": ["--mount-point-plugin=idle", "--runtime-path=/usr/bin/crun"],
                ],
                "mountpoint-refused": ["path": .string(Self.refusedRuntime)],
                "mountpoint-refused-idle": ["path": .string(Self.refusedRuntime), "runtimeArgs": ["--mount-point-plugin=idle"]],
                "crun": ["path": "/usr/bin/crun"],
            ]
        ]
        for member in extraSettings.members { settings[member.key] = member.value }
        try host.write("\(JSONValue.object(settings))\n", to: "/etc/docker/daemon.json")
        try host.write(refusal, to: Self.refusedRuntime)
        chmod(host.path(Self.refusedRuntime), 0o755)
        try await startEngine()
        let labels = Self.imageLabels.sorted { $0.key < $1.key }.map { "LABEL \($0.key)=\($0.value)" }
        try await dockerd.importImage("busybox", changes: labels)
        // The first container brings folders, control groups and mounts that stay.
        try await docker("run", "--rm", "--network", "none", "busybox", "true")
        // Not where containers have other users than the host.
        _ = try await runDocker(["run", "--rm", "--network", "host", "busybox", "true"])
    }

    /// The runtime under test where a mount cannot be cloned, as without the privilege. seccomp(2): open_tree(2) is refused.
    private static let refusedRuntime = "/etc/docker/refused-runtime"

    private var refusal: String {
        """
        #!/usr/bin/python3
        import ctypes, os, struct, sys
        program = ctypes.create_string_buffer(struct.pack("HBBI" * 4, 0x20, 0, 0, 0, 0x15, 0, 1, 428, 6, 0, 0, 0x50001, 6, 0, 0, 0x7fff0000))
        filter = struct.pack("HxxxxxxQ", 4, ctypes.addressof(program))
        if ctypes.CDLL(None).prctl(22, 2, filter, 0, 0) != 0: sys.exit("no seccomp")
        os.execv("\(binary)", ["\(binary)"] + sys.argv[1:])

        """
    }

    /// What the runtime finds in its settings.
    func write(settings: JSONValue) throws { try host.write("\(settings)\n", to: Self.settingsFile) }

    /// A folder for containers to mount, with one file `who` in it that says the folder's name.
    func makeFolder(_ name: String) throws -> String {
        let folder = "\(Self.dataFolder)/\(name)"
        try FileManager.default.createDirectory(atPath: host.path(folder), withIntermediateDirectories: true)
        try host.write("\(name)\n", to: folder + "/who")
        return folder
    }

    /// All that a test must not leave behind.
    func state() throws -> HostState {
        var state = try host.state(filesBelow: [
            Self.stateFolder, Dockerd.pluginFolder, "/etc/docker/plugins", PrivateHost.folder + "/exec/runtime-runc",
            PrivateHost.folder + "/exec/containerd/daemon/io.containerd.runtime.v2.task", Dockerd.dataRoot + "/containers",
        ])
        state.files.removeAll(where: Self.isKept)
        return state
    }

    /// What plugins have told of themselves, and the folders above those of containers, are of no container.
    private static func isKept(_ file: String) -> Bool {
        let parts = file.split(separator: "/")
        guard parts.prefix(2) == ["run", "mountpoint-runc"] else { return false }
        switch parts.dropFirst(2).first {
        case "plugins", "owed", "recovered", "recovery.lock": return true
        case "containers": return parts.count < 5
        default: return false
        }
    }
}

/// Gives a suite a ``RuntimeHost``.
struct RuntimeHostTrait: SuiteTrait, TestScoping {
    let settings: Dockerd.Settings

    func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void) async throws {
        try await RuntimeHost.with(settings) { host in
            try await RuntimeHost.$current.withValue(host) { try await function() }
        }
    }
}

extension Trait where Self == RuntimeHostTrait {
    static func runtimeHost(_ settings: Dockerd.Settings = .init()) -> Self { RuntimeHostTrait(settings: settings) }
}
