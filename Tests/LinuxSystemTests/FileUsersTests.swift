// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct FileUsersTests {
    private func users(_ folder: FilePath, most: Int = 5) -> [Int32] {
        FileUser.users(below: folder.string, most: most, until: Deadline(after: .seconds(100))).map(\.process)
    }

    /// A process that sleeps in a folder, with a file as its input.
    private func sleeper(in folder: FilePath, reading file: FilePath? = nil) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sleep")
        process.arguments = ["1000"]
        process.currentDirectoryURL = URL(fileURLWithPath: folder.string)
        if let file { process.standardInput = FileHandle(forReadingAtPath: file.string) }
        try process.run()
        return process
    }

    private func stop(_ processes: [Process]) {
        for process in processes {
            // SIGTERM may be blocked in what this process starts.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
    }

    @Test func workingDirectoriesAndOpenFilesAreFoundAndNeighboursAreNot() async throws {
        try await withScratchFolder { folder in
            for name in ["data", "data/inner", "database"] { try makeFolder(folder.appending(name), mode: 0o700) }
            try replaceFile(folder.appending("data/inner/file"), with: [7])
            let processes = [
                try sleeper(in: folder.appending("data")), try sleeper(in: folder.appending("data/inner")),
                try sleeper(in: "/", reading: folder.appending("data/inner/file")), try sleeper(in: folder.appending("database")),
            ]
            defer { stop(processes) }
            #expect(Set(users(folder.appending("data"))) == Set(processes.prefix(3).map(\.processIdentifier)))
            #expect(users(folder.appending("data"), most: 2).count == 2)
            #expect(users(folder.appending("database")) == [processes[3].processIdentifier])
            #expect(users(folder.appending("nothing")).isEmpty)
            #expect(FileUser(processes[0].processIdentifier).description == "process \(processes[0].processIdentifier) (sleep)")
        }
    }

    @Test func aProcessThatHasEndedHasNoName() {
        #expect(FileUser(.max).description == "process \(Int32.max)")
    }
}
