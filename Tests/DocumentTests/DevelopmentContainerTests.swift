// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import TestSupport
import Testing

/// The container of `.devcontainer` has the packages of `Scripts/test-needs`, by running it, and no list of its own.
struct DevelopmentContainerTests {
    @Test func itsPackagesAreThoseOfTheTests() throws {
        let file = try Document(".devcontainer/Dockerfile").text
        #expect(file.contains("COPY Scripts/test-needs /usr/local/bin/test-needs\n"))
        #expect(file.contains("&& test-needs \\\n"))
        let installed = file.matches(of: /apt-get install((?: -[a-z-]+)*) ([a-z0-9 -]+)/).map { String($0.output.2) }
        #expect(installed.map { $0.trimmingCharacters(in: .whitespaces) } == ["make"], "anything else belongs in Scripts/test-needs")
    }

    /// The script has to find everything it needs below one file, since nothing else is copied.
    @Test func theScriptReadsNoOtherFileOfTheRepository() throws {
        let script = try Document("Scripts/test-needs").lines
        let code = script.filter { !$0.hasPrefix("#") }
        #expect(code.filter { $0.contains("dirname") || $0.contains("BASH_SOURCE") || $0.hasPrefix("source ") } == [])
    }

    @Test func itIsBuiltFromTheRepository() throws {
        let data = Data(try Document(".devcontainer/devcontainer.json").text.utf8)
        let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let build = try #require(object["build"] as? [String: String])
        #expect(build == ["dockerfile": "Dockerfile", "context": ".."])
        #expect(object["privileged"] as? Bool == true, "the tests mount")
    }
}
