// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import Testing

@Suite struct JSONRobustnessTests {
    static let document = #"""
        {"ociVersion":"1.2.0","process":{"terminal":false,"args":["sh","-c","echo \"\u00fc\ud83d\ude00\\n\" é"],"rlimits":[{"hard":1048576}]},
        "x-unknown":{"n":[1e3,-0.50,12345678901234567890],"null":null,"empty":[{},[]]},"mounts":[{"destination":"/proc","options":["ro"]}]}
        """#

    @Test func noPartOfADocumentIsADocument() throws {
        let bytes = Array(Self.document.utf8)
        _ = try JSONValue(parsing: bytes)
        for count in 0..<bytes.count {
            let error = #expect(throws: JSONError.self) { try JSONValue(parsing: Array(bytes[..<count])) }
            #expect((error?.offset ?? .max) <= count)
        }
    }

    @Test func readsItsOwnWritingOfAnythingItAccepts() throws {
        var random = SplitMix(state: 20_260_301)
        let bytes = Array(Self.document.utf8)
        var accepted = 0
        for _ in 0..<30_000 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: 0..<damaged.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: damaged[place] = UInt8.random(in: 0...255, using: &random)
                case 1: damaged.remove(at: place)
                case 2: damaged.insert(bytes.randomElement(using: &random)!, at: place)
                default: damaged.removeSubrange(place..<min(place + 20, damaged.count))
                }
            }
            guard let value = try? JSONValue(parsing: damaged) else { continue }
            accepted += 1
            for style in [JSONStyle.compact, .pretty] { #expect(try JSONValue(parsing: value.encoded(style)) == value) }
        }
        #expect(accepted > 100, "else the changes are too wild to test anything")
    }

    @Test func survivesRandomBytes() {
        var random = SplitMix(state: 7)
        let alphabet = Array("{}[]\",:\\u019eE+-.tfn dD8 \n\u{e9}".utf8) + [0, 0x1F, 0x80, 0xED, 0xF0, 0xFF]
        for _ in 0..<100_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
            guard let value = try? JSONValue(parsing: bytes) else { continue }
            #expect((try? JSONValue(parsing: value.encoded())) == value)
        }
    }

    /// A generator with a fixed seed, so that a failure comes again.
    private struct SplitMix: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }
}
