// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import SystemPackage
import TestSupport
import Testing

/// mountpoint-runc as a program, with a script in the place of the runtime below.
struct RuntimeProgramTests {
    /// Gives the body a runtime that prints its arguments.
    private func withEcho(_ body: (String) async throws -> Void) async throws {
        try await withScratchFolder { folder in
            let path = folder.string + "/echo"
            try "#!/bin/sh\nprintf '[%s]' \"$@\"\n".write(toFile: path, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
            try await body(path)
        }
    }

    @Test(arguments: ["--help", "--version", "-h", "-v"])
    func helpAndVersionAreThoseOfTheRuntimeBelow(flag: String) async throws {
        try await withEcho { path in
            let result = try await command([Programs.runtime, "--runtime-path", path, flag])
            #expect(result.status == 0)
            #expect(result.output == "[\(flag)]")
        }
    }

    @Test func askSaysHowItIsUsed() async throws {
        let result = try await command([Programs.runtime, "ask", "--help"])
        #expect(result.status == 0)
        #expect(result.output.hasPrefix("usage: mountpoint-runc "))
    }

    @Test(arguments: [
        (["--runtime-path"], "--runtime-path"), (["--runtime-path", "/nonexistent/runc", "list"], "/nonexistent/runc"),
        (["status", "--nonsense"], "--nonsense"), (["ask", "--nonsense"], "--nonsense"), (["doctor", "word"], "doctor"),
        (["create", "a", "b"], "create"),
    ])
    func failsInOneLine(words: [String], part: String) async throws {
        let result = try await command([Programs.runtime] + words)
        #expect(result.status == 1)
        #expect(result.output.contains(part) && result.output.filter { $0 == "\n" }.count == 1, "\(result)")
    }
}
