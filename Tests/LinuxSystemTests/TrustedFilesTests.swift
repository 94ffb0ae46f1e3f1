// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@Suite struct TrustedFilesTests {
    @Test(
        arguments: [
            ("true", nil), ("chmod 644 F/file", nil), ("chmod 755 F", nil), ("chmod 620 F/file", .notPermitted),
            ("chmod 602 F/file", .notPermitted),
            ("chmod 775 F", .notPermitted), ("chmod 707 F", .notPermitted),
            ("mv F/file F/real && ln -s real F/file", .tooManySymbolicLinkLevels),
            ("rm F/file", .noSuchFileOrDirectory), ("rm F/file && mkfifo F/file", .notPermitted),
            ("rm F/file && mkdir F/file", .notPermitted),
            ("mv F F.real && ln -s F.real F", .tooManySymbolicLinkLevels), ("echo more >> F/file", .fileTooLarge),
        ] as [(String, Errno?)])
    func onlyWhatNobodyElseCanWriteIsRead(_ script: String, _ code: Errno?) async throws {
        try await withScratchFolder { folder in
            let place = folder.appending("f")
            try makeFolder(place, mode: 0o700)
            try replaceFile(place.appending("file"), with: Array("text".utf8), durable: false)
            try #require(try await command(["sh", "-c", script.replacing("F", with: place.string)]).status == 0)
            if let code {
                let error = #expect(throws: SystemError.self) { try readTrustedFile(place.appending("file"), limit: 4) }
                #expect(error?.errno == code)
            } else {
                #expect(try readTrustedFile(place.appending("file"), limit: 4) == Array("text".utf8))
            }
        }
    }

    @Test(.needs(.root), arguments: ["f", "f/file"]) func anotherUsersFileIsNot(_ name: String) async throws {
        try await withScratchFolder { folder in
            let place = folder.appending("f")
            try makeFolder(place, mode: 0o700)
            try replaceFile(place.appending("file"), with: Array("text".utf8), durable: false)
            try #require(chown("\(folder)/\(name)", 12345, 12345) == 0)
            #expect(throws: SystemError.self) { try readTrustedFile(place.appending("file"), limit: 4) }
        }
    }
}
