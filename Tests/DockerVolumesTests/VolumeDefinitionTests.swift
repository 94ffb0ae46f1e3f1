// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import KernelMount
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

struct VolumeDefinitionTests {
    private func definition(_ name: String = "web/ä") throws -> VolumeDefinition {
        VolumeDefinition(
            name: VolumeName(name)!, owner: "nfsd", createdAt: "2026-03-01T12:00:00Z",
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
            #expect(throws: StorageError.self) { try VolumeDefinition(parsing: Array(whole.prefix(count))) }
        }
    }

    @Test func aFlippedByteIsDamagedOrAnotherDefinitionButNoCrash() throws {
        let written = try definition()
        let whole = written.json.encoded(.compact)
        var damaged = 0
        // The one value whose letters may be small or capital.
        let create = try #require(whole.firstRange(of: #""create":"true""#.utf8))
        for index in whole.indices {
            for flip: UInt8 in [0x01, 0x20, 0x80] where flip != 0x20 || !create.suffix(5).contains(index) {
                var bytes = whole
                bytes[index] ^= flip
                do throws(StorageError) {
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
        let error = #expect(throws: StorageError.self) { try VolumeDefinition(parsing: Array(text.utf8)) }
        if word != "value" { #expect(error?.description.contains(word) == true) }
        #expect(error?.description.isEmpty == false)
    }

    /// Docker reads all volumes of an answer or none, and Go takes only times that there are.
    @Test(arguments: [
        ("2026-03-01T12:00:00Z", true), ("2024-02-29T23:59:59Z", true), ("2000-02-29T00:00:00Z", true), ("0000-02-29T00:00:00Z", true),
        ("2026-13-45T25:61:61Z", false), ("2026-00-01T00:00:00Z", false), ("2026-13-01T00:00:00Z", false), ("2026-01-00T00:00:00Z", false),
        ("2026-01-32T00:00:00Z", false), ("2026-04-31T00:00:00Z", false), ("2026-02-29T00:00:00Z", false), ("2100-02-29T00:00:00Z", false),
        ("2026-01-01T24:00:00Z", false), ("2026-01-01T00:60:00Z", false), ("2026-01-01T00:00:60Z", false), ("2026-01-01 00:00:00Z", false),
        ("2026-01-01T00:00:00", false), ("", false),
    ])
    func aTimeInACatalogueIsOneThatThereIs(time: String, isGood: Bool) throws {
        let text = #"{"format":1,"name":"a","driver":"nfsd","createdAt":"\#(time)","options":{}}"#
        let read = try? VolumeDefinition(parsing: Array(text.utf8), in: try Share("nas:/export"))
        #expect((read != nil) == isGood)
    }
}
