// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import TestSupport
import Testing

/// Each input of the fuzzer over its corpus: the examples that fuzzing begins with, and whatever once broke a program.
@Suite struct CorpusTests {
    struct Seed: Sendable, CustomTestStringConvertible {
        let input: FuzzInput
        let file: String
        var testDescription: String { file }
        var bytes: [UInt8] { get throws { try Array(Data(contentsOf: URL(fileURLWithPath: CorpusTests.folder + "/" + file))) } }
    }

    static let folder = Repository.root + "/Tests/FuzzingTests/Corpus"

    static let seeds: [Seed] = FuzzInput.all.flatMap { input in
        ((try? FileManager.default.contentsOfDirectory(atPath: folder + "/" + input.name)) ?? []).sorted().map {
            Seed(input: input, file: input.name + "/" + $0)
        }
    }

    @Test(arguments: seeds) func whatIsPromisedHolds(seed: Seed) throws {
        try seed.input.check(try seed.bytes)
    }

    /// A file that is cut off, as after a full disk, and one with a byte that is another: errors, and nothing worse.
    @Test(arguments: seeds) func whatIsPromisedHoldsForDamage(seed: Seed) throws {
        let bytes = try seed.bytes
        // A large example takes as long as a small one.
        let step = bytes.count > 2000 ? bytes.count / 10 : max(1, bytes.count / 100)
        for end in stride(from: 0, to: bytes.count, by: step) {
            try seed.input.check(Array(bytes[..<end]))
            for change: UInt8 in [0x01, 0x20, 0x80] {
                var changed = bytes
                changed[end] ^= change
                try seed.input.check(changed)
            }
        }
    }

    @Test func eachInputHasACorpusAndEachCorpusAnInput() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.folder).sorted()
        #expect(folders == FuzzInput.all.map(\.name).sorted())
        for input in FuzzInput.all { #expect(Self.seeds.contains { $0.input.name == input.name }, "\(input.name) has no example") }
    }

    /// Without this a check that finds nothing would go unnoticed.
    @Test func aBrokenPromiseIsNoticed() {
        #expect(throws: Violation.self) { try require(false, "it does not hold") }
        #expect(throws: Violation.self) { _ = try again("it", { () throws -> Int in throw Trouble("no") }) }
    }
}
