// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc

/// Runs this program again with its own mounts and its own processes: whatever goes wrong, all that it mounted and started is
/// gone with it.
package enum Isolation {
    private static let mark = "BENCH_FOLDER"

    /// The folder to work in, if this is the inner program.
    package static var folder: String? { getpid() == 1 ? Process.environment[mark] : nil }

    /// Runs the inner program and takes its folder away afterwards.
    ///
    /// - Returns: the inner program's exit status.
    package static func run(_ arguments: [String]) throws -> CInt {
        if geteuid() != 0 { throw BenchmarkError("mounting needs root; run: sudo make bench") }
        // Not in /tmp, which may be in memory: what the daemon keeps is on a disk in real life.
        var template = Array("/var/tmp/docker-nfsd-bench.XXXXXX\0".utf8CString)
        guard let made = mkdtemp(&template) else { throw BenchmarkError("mkdtemp: \(lastError())") }
        let folder = String(cString: made)
        defer { _ = try? Measuring.run("rm", ["-rf", "--one-file-system", folder]) }
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGCHLD] { sigaddset(&signals, signal) }
        sigprocmask(SIG_BLOCK, &signals, nil)
        // The inner program is killed with unshare, and unshare with this one.
        var words = ["--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private"]
        words += ["--pid", "--fork", "--kill-child", "--mount-proc", try ownProgram()]
        let inner = try Process("setpriv", words + arguments, environment: [mark: folder])
        while true {
            var signal: CInt = 0
            sigwait(&signals, &signal)
            if signal != SIGCHLD {
                // The inner program is the first of its processes: they all end with it.
                kill(inner.id, SIGKILL)
                inner.wait()
                return 128 + signal
            }
            var status: CInt = 0
            if waitpid(inner.id, &status, WNOHANG) == inner.id { return Process.exitStatus(status) }
        }
    }

    package static func ownProgram() throws -> String {
        var path = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = path.withUnsafeMutableBytes { readlink("/proc/self/exe", $0.baseAddress!, $0.count) }
        if count < 0 { throw BenchmarkError("readlink /proc/self/exe: \(lastError())") }
        return String(decoding: path[..<count], as: UTF8.self)
    }

    /// Has mounts as systemd leaves them on every host; here only among those of this program.
    package static func shareMounts() throws { try Measuring.run("mount", ["--make-rshared", "/"]) }

    /// Puts folders of this program's own, in memory, over those in which engines and plugins are found.
    package static func coverEngineFolders() throws {
        for path in ["/run", "/etc/docker"] {
            try Measuring.run("mkdir", ["-p", path])
            try Measuring.run("mount", ["-t", "tmpfs", "-o", "mode=755", "none", path])
        }
    }
}

/// The control groups of the containers that are measured.
package enum ControlGroups {
    package static let name = "docker-nfsd-bench"

    /// Removes what is left of containers when the inner program is killed: everything else goes with its namespaces.
    package static func remove() {
        _ = try? run("find", ["/sys/fs/cgroup", "-depth", "-type", "d", "-path", "*/\(name)*", "-delete"])
    }
}
