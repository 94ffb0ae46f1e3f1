// SPDX-License-Identifier: AGPL-3.0-or-later

import NFS
import Testing

struct NFSVersionTests {
    @Test(
        arguments: [
            ("auto", [.v4_2, .v4_1, .v4_0, .v3]), ("4", [.v4_2, .v4_1, .v4_0]), ("4.2", [.v4_2]), ("4.1", [.v4_1]), ("4.0", [.v4_0]),
            ("3", [.v3]),
        ] as [(String, [NFSVersion])])
    func policies(text: String, versions: [NFSVersion]) throws {
        let policy = try #require(VersionPolicy(text))
        #expect(policy.candidates == versions)
        #expect(policy.text == text)
    }

    @Test(arguments: ["", "2", "5", "4.3", "4.", "3.0", "v4", "Auto", " 4", "4.1 ", "4.1.0"]) func otherTextsAreNone(text: String) {
        #expect(VersionPolicy(text) == nil)
    }

    /// The default: no negotiation unless it is asked for.
    @Test func theDefaultIsOneVersion() {
        #expect(VersionPolicy.default == VersionPolicy("4.1"))
    }

    @Test func versionsHaveAnOrderAndAFileSystem() {
        #expect(NFSVersion.allCases.sorted() == [.v3, .v4_0, .v4_1, .v4_2])
        #expect(NFSVersion.allCases.filter { $0.fileSystem == "nfs" } == [.v3])
        #expect(Set(NFSVersion.allCases.map(\.fileSystem)) == ["nfs", "nfs4"])
    }
}
