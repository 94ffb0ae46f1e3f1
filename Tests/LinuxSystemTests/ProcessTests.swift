// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

struct ProcessTests {
    @Test func tellsAProcessFromALaterOneOfItsNumber() throws {
        let itself = try #require(ProcessIdentity(of: getpid()))
        #expect(itself.isAlive)
        #expect(itself == ProcessIdentity(of: getpid()))
        #expect(!ProcessIdentity(process: getpid(), startTime: itself.startTime + 1).isAlive)
        #expect(throws: SystemError.self) { try ProcessIdentity(process: getpid(), startTime: itself.startTime + 1).signal(SIGKILL) }
        #expect(ProcessIdentity(of: 0) == nil)
    }

    @Test func zombiesDoNotLive() throws {
        let child = try ChildProcess.spawn("/bin/sleep", ["sleep", "60"])
        let identity = try #require(ProcessIdentity(of: child))
        #expect(identity.isAlive)
        #expect(!identity.waitUntilEnded(Deadline(after: .milliseconds(20))))
        try identity.signal(SIGKILL)
        #expect(identity.waitUntilEnded(Deadline(after: .seconds(10))))
        #expect(!identity.isAlive)
        #expect(try ChildProcess.wait(for: child) == .killed(signal: SIGKILL))
    }

    @Test(arguments: [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 128 + SIGTERM), ("kill -KILL $$", 137)] as [(String, Int32)])
    func exitStatusIsAsShellsSayIt(script: String, status: Int32) throws {
        let child = try ChildProcess.spawn("/bin/sh", ["sh", "-c", script], silence: [.input, .output])
        #expect(try ChildProcess.wait(for: child).exitStatus == status)
    }

    @Test func aProgramThatIsNotThereIsAnErrorOfTheSpawn() {
        let error = #expect(throws: SystemError.self) { try ChildProcess.spawn("/nonexistent/program", ["program"]) }
        #expect(error?.errno == .noSuchFileOrDirectory)
        #expect(error?.operand == "/nonexistent/program")
    }

    @Test func waitingHasALimit() throws {
        let child = try ChildProcess.spawn("/bin/sleep", ["sleep", "60"])
        #expect(try ChildProcess.wait(for: child, until: Deadline(after: .milliseconds(20))) == nil)
        kill(child, SIGKILL)
        #expect(try ChildProcess.wait(for: child, until: Deadline(after: .seconds(10))) == .killed(signal: SIGKILL))
    }

    @Test func aSpawnedProgramHasNoSignalBlocked() async throws {
        // Of this thread alone, so that other tests notice nothing.
        var blocked = sigset_t()
        var before = sigset_t()
        sigemptyset(&blocked)
        sigaddset(&blocked, SIGUSR1)
        pthread_sigmask(SIG_BLOCK, &blocked, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try await withScratchFolder { folder in
            let file = folder.appending("status").string
            let child = try ChildProcess.spawn("/bin/sh", ["sh", "-c", "grep SigBlk /proc/self/status > \(file)"])
            #expect(try ChildProcess.wait(for: child) == .exited(0))
            let text = String(decoding: try readWholeFile(FilePath(file), limit: 100), as: UTF8.self)
            #expect(text == "SigBlk:\t0000000000000000\n")
        }
    }

    @Test func everyProcessIsInControlGroups() throws {
        let groups = try ControlGroups(of: nil)
        #expect(!groups.memberships.isEmpty)
        #expect(groups.memberships.allSatisfy { $0.path.hasPrefix("/") })
        #expect(try groups == ControlGroups(of: getpid()))
        let error = #expect(throws: SystemError.self) { try ControlGroups(of: Int32.max) }
        #expect(error?.errno == .noSuchFileOrDirectory)
    }

    @Test func namespacesThatAProcessIsInAreNotEnteredAgain() throws {
        // With threads, setns(2) refuses to enter a mount namespace, so this would fail.
        let own = try Namespaces(of: nil, [.network, .mount])
        try own.enter(from: try Namespaces(of: getpid(), [.mount, .network]))
        #expect(throws: SystemError.self) { try own.enter() }
        #expect(own.descriptors.count == 3)
    }
}
