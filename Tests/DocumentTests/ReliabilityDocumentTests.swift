// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Testing

/// The pages that say what stands behind "it works" name tests that exist, for everything that they list.
struct ReliabilityDocumentTests {
    @Test(arguments: ["Docs/known-pains.md", "Docs/track-record.md", "Docs/testing.md", "Docs/reliability.md"])
    func everyTestThatIsNamedIsThere(path: String) throws {
        let known = try TestNames.all()
        #expect(try TestNames.named(in: Document(path).text).filter { !known.contains($0) } == [])
    }

    /// The facts that the page was made from have 40 numbered pains.
    @Test func everyPainHasAnEntryWithATestOrAReason() throws {
        let document = try Document("Docs/known-pains.md")
        let titles = document.lines.filter { $0.hasPrefix("### ") }.map { String($0.dropFirst(4)) }
        #expect(titles.compactMap { $0.split(separator: ".").first.flatMap { Int($0) } }.sorted() == Array(1...40))
        for title in titles {
            let entry = document.section(title).joined(separator: " ")
            #expect(
                !TestNames.named(in: entry).isEmpty || entry.contains("ut of reach") || entry.contains("](testing.md)"),
                "neither a test nor a reason: \(title)")
        }
    }

    @Test func everyFaultNamesATestOrSaysWhyThereIsNone() throws {
        let faults = try Document("Docs/track-record.md").text.components(separatedBy: "\n- ").dropFirst()
        #expect(faults.count > 20)
        for fault in faults { #expect(!TestNames.named(in: fault).isEmpty || fault.contains("No test: "), "\(fault)") }
    }
}
