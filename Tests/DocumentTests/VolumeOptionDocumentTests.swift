// SPDX-License-Identifier: AGPL-3.0-or-later

import NFS
import Testing

@testable import Volumes

/// The options of `docker volume create` are in the reference and in the manual, all of them and no others.
struct VolumeOptionDocumentTests {
    private let names = (NFS().optionNames + NFS().otherOptionNames + VolumeOptions.names).sorted()

    /// What may be a name of an option, such as `subdir`, or one of two words with a hyphen.
    private func words(_ text: String) -> [String] { text.matches(of: /[a-z]+(?:-[a-z]+)*/).map { String($0.output) } }

    @Test func theReferenceHasEachOption() throws {
        let entries = Entry.all(in: try Document("Docs/docker-nfsd.md").section("Volume options"))
        #expect(entries.flatMap(\.names).sorted() == names)
    }

    @Test func theManualHasEachOption() throws {
        let page = try ManualPage("docker-nfsd.8")
        let terms = page.terms("VOLUME OPTIONS").flatMap(words)
        #expect(terms.allSatisfy(names.contains), "\(terms)")
        let found = Set(page.section("VOLUME OPTIONS").flatMap(words))
        #expect(names.filter { !found.contains($0) } == [])
    }

    @Test func theReferenceAndTheManualHaveEachPolicyOfRemoval() throws {
        let entry = try #require(
            Entry.all(in: try Document("Docs/docker-nfsd.md").section("Volume options")).first { $0.names == ["onremove"] })
        let manual = try ManualPage("docker-nfsd.8").section("VOLUME OPTIONS").joined(separator: " ")
        for policy in RemovalPolicy.allCases {
            #expect(entry.cells[0].contains("`\(policy.rawValue)`"), "\(policy)")
            #expect(manual.contains(policy.rawValue), "\(policy)")
        }
    }
}
