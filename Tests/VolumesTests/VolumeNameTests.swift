// SPDX-License-Identifier: AGPL-3.0-or-later

@testable import Volumes
import Testing

struct VolumeNameTests {
    @Test(arguments: [
        ("web", "web"), ("My-Data_2", "My-Data_2"), ("a.b", "a.b"), ("a..", "a.."), (".", "%2E"), ("..", "%2E."), (".hidden", "%2Ehidden"),
        ("a/b", "a%2Fb"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"), ("/", "%2F"), ("a b", "a%20b"), ("a\nb", "a%0Ab"), ("a\0b", "a%00b"),
        ("100%", "100%25"), ("%2F", "%252F"),
        ("ä", "%C3%A4"), ("-rf", "-rf"), ("~", "%7E"), ("$(x)", "%24%28x%29"), ("\u{7f}", "%7F"),
    ])
    func anyNameIsOneHarmlessComponent(text: String, fileName: String) throws {
        let name = try #require(VolumeName(text))
        #expect(name.fileName == fileName)
        #expect(name.text.utf8.elementsEqual(text.utf8))
        #expect("\(name)" == text)
    }

    @Test func everyByteIsHarmless() throws {
        for value in UInt8.min...0x7f {
            let name = try #require(VolumeName(String(UnicodeScalar(value))))
            #expect(name.fileName.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "/") })
            #expect(!name.fileName.hasPrefix("."))
        }
    }

    /// Two Swift strings are equal if they look the same; two volumes must not be.
    @Test func namesThatLookTheSameAreDifferentVolumes() throws {
        let composed = try #require(VolumeName("\u{e9}"))
        let decomposed = try #require(VolumeName("e\u{301}"))
        #expect(composed.text == decomposed.text)
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
    }

    @Test func differentNamesNeverShareAFile() throws {
        let names = ["a/b", "a%2Fb", "a%252Fb", ".a", "%2Ea", "a", "A", "ä", "Ä", "a.", "a..", " a", "a "]
        #expect(Set(try names.map { try #require(VolumeName($0)).fileName }).count == names.count)
    }

    @Test func lengthIsLimitedInTheEncodedForm() {
        #expect(VolumeName("") == nil)
        #expect(VolumeName(String(repeating: "a", count: 200)) != nil)
        #expect(VolumeName(String(repeating: "a", count: 201)) == nil)
        #expect(VolumeName(String(repeating: "/", count: 66)) != nil)
        #expect(VolumeName(String(repeating: "/", count: 67)) == nil)
    }

    @Test(arguments: ["web", "a b/ä", ".hidden", "a.b-c_d", "100%", "%41", "\u{1}"]) func isReadBackFromItsFileName(text: String) throws {
        let name = try #require(VolumeName(text))
        #expect(VolumeName(fileName: name.fileName[...])?.text == text)
    }

    @Test(arguments: ["", "%", "%4", "%zz", "%+1", "%41", "%2f", ".a", "a/b", "%FF"]) func isNoOtherFilesName(text: String) {
        #expect(VolumeName(fileName: text[...]) == nil)
    }
}
