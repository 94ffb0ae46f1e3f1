// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import TestSupport
import Testing

/// Sets of system calls.
enum FaultCalls {
    /// All that change something others see.
    static let changing =
        "openat,write,writev,fsync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,fchmod,fchown,clone,clone3,"
        + "fsopen,fsconfig,fsmount,move_mount,open_tree,mount_setattr,mount,umount2,accept4,sendto,sendmsg,bind,listen,kill"

    /// By error, those that can fail so. Not those of the threads of Swift and of SwiftNIO's loop that the kernel lets fail in no such way,
    /// and not those by which memory is had.
    static let failing: [(error: Int32, calls: String)] = [
        (
            EIO,
            "openat,openat2,read,pread64,write,fsync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,getdents64,"
                + "fstat,newfstatat,fchmod,fchown,fsconfig,fsmount,move_mount,open_tree,mount,umount2,!NIO,!oot.,!-qos,!signals"
        ),
        (
            ENOSPC,
            "openat,write,fsync,rename,renameat,renameat2,mkdir,mkdirat,link,linkat,fsconfig,move_mount,mount,!NIO,!oot.,!-qos"
        ),
        (EMFILE, "openat,openat2,fsopen,fsmount,open_tree,socket,pidfd_open,clone,accept4,eventfd2,pipe2,!-qos"),
        (
            ENOMEM,
            "openat,rename,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,clone,clone3,fsopen,fsconfig,fsmount,move_mount,open_tree,mount,"
                + "umount2,accept4,eventfd2,!-qos"
        ),
        (EINTR, "openat,read,write,fsync,accept4,poll,ppoll,epoll_wait,epoll_pwait,waitid,wait4,fsconfig,recvfrom,sendto,!-qos"),
    ]
}

extension FaultTests {
    /// The daemon is killed at its nth system call, for every n, and started again.
    @Suite(.serialized, .timeLimit(.minutes(240))) struct KillMatrixTests {
        @Test func aKillAtAnyCallOfAPlainRequestLosesAndLeavesNothing() async throws {
            try await DaemonHost.with { hosts in
                let report = MatrixReport("kill matrix, plain requests")
                let matrix = FaultMatrix(daemon: hosts[0], report: report, calls: "all", action: .kill)
                for scenario in FaultScenario.plain { try await matrix.run(scenario) }
                print(report.text)
                #expect(report.tried >= 150)
            }
        }

        @Test(arguments: [false, true]) func aKillAtACallThatChangesSomethingLosesAndLeavesNothing(isShared: Bool) async throws {
            try await DaemonHost.with(1, DaemonHost.Settings(share: isShared ? "nas:/export" : nil)) { hosts in
                let report = MatrixReport(
                    "kill matrix, \(isShared ? "shared volumes" : "subdirectories, removals of data, two containers")")
                let calls = FaultTests.isLong ? "all" : FaultCalls.changing
                let matrix = FaultMatrix(daemon: hosts[0], report: report, calls: calls, action: .kill)
                for scenario in isShared ? FaultScenario.shared : FaultScenario.others { try await matrix.run(scenario) }
                print(report.text)
                #expect(report.tried >= 50)
            }
        }

        @Test func aKillDuringTheStartLosesAndLeavesNothing() async throws {
            try await DaemonHost.with { hosts in
                let report = MatrixReport("kill matrix, start")
                let calls = FaultTests.isLong ? "all" : FaultCalls.changing
                let step = FaultTests.isLong ? 1 : 2
                try await FaultMatrix(daemon: hosts[0], report: report, calls: calls, action: .kill, step: step).runStart()
                print(report.text)
                #expect(report.tried >= 20)
            }
        }

        @Test func aKillOfTheProcessThatMountsIsAnError() async throws {
            try await DaemonHost.with { hosts in
                let report = MatrixReport("kill matrix, processes that mount")
                let calls = "all,!docker-nfsd,!NIO,!oot.,!-qos,!volume,!engine,!health,!signals,!share"
                let matrix = FaultMatrix(daemon: hosts[0], report: report, calls: calls, action: .killCaller)
                for scenario in FaultScenario.plain + FaultScenario.others { try await matrix.run(scenario) }
                print(report.text)
                #expect(report.tried >= 20)
            }
        }
    }
}
