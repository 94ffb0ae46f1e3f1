// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage
import TestSupport
import Testing

struct FileLinesTests {
    private func lines(of text: String, longest: Int = 100, limit: Int = 1 << 20) async throws -> (lines: [String], isWhole: Bool) {
        var found: [String] = []
        var isWhole = false
        try await withScratchFolder { folder in
            let file = folder.appending("lines")
            try replaceFile(file, with: Array(text.utf8), durable: false)
            isWhole = try readLines(of: file, longest: longest, limit: limit) { found.append(String(decoding: $0, as: UTF8.self)) }
        }
        return (found, isWhole)
    }

    @Test func eachLineOnce() async throws {
        let result = try await lines(of: "a\n\nbc\n")
        #expect(result.lines == ["a", "", "bc"] && result.isWhole)
    }

    @Test func whatIsCutOffIsNoLine() async throws {
        let result = try await lines(of: "a\nb")
        #expect(result.lines == ["a"] && !result.isWhole)
    }

    /// Lines are longer and shorter than a piece of the file.
    @Test func linesAcrossPieces() async throws {
        let words = (0..<20_000).map { String(repeating: "x", count: $0 % 50) + "\($0)" }
        #expect(try await lines(of: words.map { $0 + "\n" }.joined()).lines == words)
    }

    @Test func aLongLineIsPassedOver() async throws {
        let long = String(repeating: "x", count: 100_000)
        #expect(try await lines(of: "a\n\(long)\nb\n").lines == ["a", "b"])
        #expect(try await lines(of: "a\n\(String(repeating: "x", count: 101))\nb\n").lines == ["a", "b"])
        #expect(try await lines(of: "a\n\(long)").isWhole == false)
    }

    @Test func aLongFileIsRefused() async throws {
        await #expect(throws: SystemError.self) { try await lines(of: String(repeating: "x\n", count: 1000), limit: 1999) }
        #expect(try await lines(of: String(repeating: "x\n", count: 1000), limit: 2000).lines.count == 1000)
    }
}
