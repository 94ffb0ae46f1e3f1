// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

/// `docker run` with the runtime alone and with ours and a chain of plugins that have nothing to do: what a user waits for.
struct EngineMeasures {
    private let engine: Process
    private let socket: String
    private let source: String
    private let image = "bench"

    /// Starts an engine with data of its own, and makes an image.
    ///
    /// - Parameters:
    ///   - program: mountpoint-runc.
    ///   - source: of the containers' bind mount.
    init(_ program: String, source: String, in folder: String) throws {
        self.source = source
        socket = folder + "/docker.sock"
        try writeFile("/etc/docker/daemon.json", "{\"runtimes\": {\"mountpoint\": {\"path\": \"\(program)\"}}}\n")
        let log = open(folder + "/dockerd.log", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(log) }
        engine = try Process(
            "dockerd",
            [
                "--data-root", folder + "/engine", "--exec-root", "/run/engine", "--host", "unix://" + socket, "--pidfile",
                "/run/engine.pid",
                "--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", "/\(ControlGroups.name)", "--iptables=false",
                "--bridge=none",
            ], output: log, errors: log)
        for _ in 0..<600 where access(socket, F_OK) != 0 { usleep(100_000) }
        try docker("version")
        let root = folder + "/image"
        try run("mkdir", ["-p", root + "/bin"])
        let busybox = try run("which", ["busybox"]).split(separator: "\n").first.map(String.init) ?? "busybox"
        try run("cp", ["-L", busybox, root + "/bin/busybox"])
        try run("tar", ["--create", "--directory", root, "--file", folder + "/image.tar", "."])
        try docker("import", folder + "/image.tar", image)
    }

    @discardableResult
    private func docker(_ words: String...) throws -> String {
        try run("docker", ["--host", "unix://" + socket] + words, environment: ["DOCKER_CONFIG": "/run"])
    }

    /// - Returns: nanoseconds of each round, in turn with ours and with the runtime alone.
    func measure(rounds: Int) throws -> Pairs {
        func time(_ runtime: String) throws -> Double {
            let start = monotonicNanoseconds()
            try docker(
                "run", "--rm", "--network", "none", "--runtime", runtime, "--volume", "\(source):/data", image, "/bin/busybox", "true")
            return monotonicNanoseconds() - start
        }
        var pairs = Pairs()
        // The first of all loads programs, and has the plugins asked for their properties.
        for runtime in ["runc", "mountpoint", "runc", "mountpoint"] { _ = try time(runtime) }
        for number in 0..<rounds {
            // Each is first as often as the other.
            let first = number % 2 == 0 ? try time("mountpoint") : .nan
            let alone = try time("runc")
            pairs.add(ours: number % 2 == 0 ? first : try time("mountpoint"), theirs: alone)
        }
        return pairs
    }

    func stop() throws { try engine.stop() }
}
