// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import Testing

@testable import NFSVolumes

struct VolumeDefinitionTests {
    private func definition(_ name: String = "web/ä") throws -> VolumeDefinition {
        VolumeDefinition(
            name: VolumeName(name)!, driver: "nfsd", createdAt: "2026-03-01T12:00:00Z",
            options: try VolumeOptions([
                "server": "2001:db8::7", "path": "/a \"b\"/c", "vers": "4", "o": "hard,timeo=50", "subdir": "d/e", "create": "true",
                "uid": "7", "onremove": "archive",
            ]))
    }

    @Test func isReadBackAsItWasWritten() throws {
        let written = try definition()
        #expect(try VolumeDefinition(parsing: written.json.encoded(.pretty)) == written)
        #expect(try VolumeDefinition(parsing: written.json.encoded(.compact)) == written)
    }

    @Test func equalVolumesGiveEqualBytes() throws {
        let bytes = try definition().json.encoded(.pretty)
        for _ in 0..<20 { #expect(try definition().json.encoded(.pretty) == bytes) }
    }

    /// A disk that was full, a power cut without a journal.
    @Test func aPartIsDamagedAndNeverSomethingElse() throws {
        let written = try definition()
        let whole = written.json.encoded(.compact)
        for count in 0..<whole.count {
            #expect(throws: DamagedFile.self) { try VolumeDefinition(parsing: Array(whole.prefix(count))) }
        }
    }

    @Test func aFlippedByteIsDamagedOrAnotherDefinitionButNoCrash() throws {
        let written = try definition()
        let whole = written.json.encoded(.compact)
        var damaged = 0
        for index in whole.indices {
            for flip: UInt8 in [0x01, 0x20, 0x80] {
                var bytes = whole
                bytes[index] ^= flip
                do throws(DamagedFile) {
                    let read = try VolumeDefinition(parsing: bytes)
                    #expect(read != written)
                } catch {
                    damaged += 1
                }
            }
        }
        #expect(damaged > whole.count)
    }

    @Test(arguments: [
        ("", "value"), ("null", "format number"), ("[]", "format number"), ("{}", "format number"),
        (#"{"format":2}"#, "format is 2, and this version reads 1"),
        (#"{"format":"1"}"#, "format number"), (#"{"format":1}"#, "valid name"), (#"{"format":1,"name":""}"#, "valid name"),
        (#"{"format":1,"name":7}"#, "valid name"),
        (#"{"format":1,"name":"a"}"#, "are missing"),
        (#"{"format":1,"name":"a","driver":"nfsd","createdAt":"x","options":[]}"#, "are missing"),
        (#"{"format":1,"name":"a","driver":"nfsd","createdAt":"x","options":{"server":7}}"#, "option server is not a text"),
        (#"{"format":1,"name":"a","driver":"nfsd","createdAt":"x","options":{}}"#, "no options given"),
        (
            #"{"format":1,"name":"a","driver":"nfsd","createdAt":"x","options":{"server":"nas","path":"/a","bogus":"1"}}"#,
            "unknown option bogus"
        ),
        (#"{"format":1,"name":"a","driver":"nfsd","createdAt":"x","options":{"server":"nas","path":"/../a"}}"#, ".. in it"),
    ])
    func saysWhatIsWrong(text: String, word: String) {
        let error = #expect(throws: DamagedFile.self) { try VolumeDefinition(parsing: Array(text.utf8)) }
        if word != "value" { #expect(error?.description.contains(word) == true) }
        #expect(error?.description.isEmpty == false)
    }
}
