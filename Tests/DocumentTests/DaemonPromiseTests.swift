// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Promises of SECURITY.md that only the whole daemon can keep: it runs here as root, and mounts tmpfs.
@Suite(
    .needs(.root), .timeLimit(.minutes(5)),
    .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/strace"), "needs strace (Scripts/test-needs)"))
struct DaemonPromiseTests {
    private static let mounting = #"{"Name":"v","ID":"1"}"#

    /// strace(1) as a grandchild, so that the daemon is the test's own process.
    private func trace(_ calls: String, to file: FilePath, _ more: [String] = []) -> [String] {
        ["strace", "-D", "-f", "-qq", "-o", file.string, "-e", "trace=" + calls] + more
    }

    /// The kernel says that it has mounted, and has not: strace answers in its place.
    @Test func aMountThatTheTableDoesNotHaveIsAnError() async throws {
        try await withScratchFolder { folder in
            let words = trace("move_mount", to: folder.appending("trace"), ["-e", "inject=move_mount:retval=0"])
            try await RunningDaemon.with(in: folder, wrapping: words) { daemon in
                try await daemon.create("v")
                let answer = try await daemon.call("VolumeDriver.Mount", Self.mounting)
                #expect(answer.contains("the kernel reported success, but nothing of it is mounted at \(daemon.mounts)"), "\(answer)")
                #expect(try await daemon.call("VolumeDriver.Path", #"{"Name":"v"}"#) == #"{"Mountpoint":"","Err":""}"#)
                let shown = try await daemon.call("VolumeDriver.Get", #"{"Name":"v"}"#)
                #expect(shown.contains(#""state":"not mounted""#) && shown.contains(#""references":0"#), "\(shown)")
            }
            let traced = try String(contentsOfFile: folder.appending("trace").string, encoding: .utf8)
            #expect(traced.contains("INJECTED"), "\(traced)")
        }
    }

    @Test func itRunsNoProgramAndReadsNothingInAVolume() async throws {
        try await withScratchFolder { folder in
            let file = folder.appending("trace")
            try await RunningDaemon.with(in: folder, wrapping: trace("execve,execveat,open,openat,openat2", to: file)) { daemon in
                try await daemon.create("v")
                #expect(try await daemon.call("VolumeDriver.Mount", Self.mounting).contains(#""Err":"""#))
                let program = daemon.mounts.appending("v/program-of-a-user").string
                try "#!/bin/sh\ntouch /tmp/harm\n".write(toFile: program, atomically: false, encoding: .utf8)
                try #require(chmod(program, 0o4755) == 0)
                for method in ["Get", "Path", "Unmount", "Remove"] {
                    let answer = try await daemon.call("VolumeDriver.\(method)", Self.mounting)
                    #expect(answer.contains(#""Err":"""#), "\(method): \(answer)")
                }
            }
            let lines = try String(contentsOfFile: file.string, encoding: .utf8).split(separator: "\n")
            let programs = lines.filter { $0.contains("execve") && $0.contains("= 0") }
            #expect(programs.count == 1 && programs.first?.contains(Programs.daemon) == true, "\(programs)")
            #expect(lines.contains { $0.contains("openat") && $0.contains("state/volumes") }, "the trace has what is opened")
            #expect(!lines.contains { $0.contains("program-of-a-user") })
        }
    }

    /// Whatever the umask is.
    @Test(arguments: ["0", "0777"]) func eachFolderHasItsMode(umask: String) async throws {
        try await withScratchFolder { folder in
            let words = ["sh", "-c", "umask \(umask); exec \"$@\"", "sh"]
            try await RunningDaemon.with(in: folder, wrapping: words) { daemon in
                try await daemon.create("v")
                #expect(try await daemon.call("VolumeDriver.Mount", Self.mounting).contains(#""Err":"""#))
                // The folder below the mount.
                try #require(umount2(daemon.mounts.appending("v").string, 0) == 0)
                var modes = try daemon.modes()
                #expect(modes.removeValue(forKey: "mount/v") == 0)
                // The folder of Docker's sockets is not the daemon's alone.
                modes["socket"] = nil
                #expect(
                    ["state", "state/volumes", "state/damaged", "mount", "runtime", "runtime/references"].allSatisfy { modes[$0] != nil })
                #expect(modes.filter { $0.value != 0o700 } == [:])
                _ = try await daemon.call("VolumeDriver.Unmount", Self.mounting)
            }
        }
    }

    @Test func theLogSaysThatSomethingStandsInForNFS() async throws {
        try await RunningDaemon.with { daemon in
            #expect(daemon.log.contains("tmpfs stands in for NFS: this is a test\n"), "\(daemon.log)")
        }
    }
}
