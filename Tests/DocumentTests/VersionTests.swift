// SPDX-License-Identifier: AGPL-3.0-or-later

import TestSupport
import Testing

/// The version is in `Version.swift`; everything else that says one says the same.
struct VersionTests {
    private func version() throws -> String {
        let source = try Document("Sources/Programs/docker-nfsd/Version.swift").text
        return String(try #require(source.firstMatch(of: /let version = "(\d+\.\d+\.\d+)"/)?.output.1))
    }

    /// The newest version of the changelog, and its day.
    private func newest() throws -> (version: String, day: String) {
        let match = try #require(try Document("CHANGELOG.md").text.firstMatch(of: /\n## \[(\d[^\]]*)\] - (\d{4}-\d\d-\d\d)\n/))
        return (String(match.output.1), String(match.output.2))
    }

    @Test func theChangelogHasIt() throws { #expect(try newest().version == version()) }

    @Test func theProgramSaysIt() async throws {
        #expect(try await command([Programs.daemon, "--version"]).output == "\(try version())\n")
    }

    @Test func thePackageHasIt() async throws {
        let print = try await command(["make", "-s", "-C", Repository.root, "--eval", "version: ; @echo $(VERSION)", "version"])
        #expect(print.output == "\(try version())\n")
        #expect(try Document("Packaging/debian/control.in").lines.contains("Version: @VERSION@"))
    }

    @Test(arguments: ["docker-nfsd.8", "docker-nfsd.json.5", "mountpoint-runc.8", "mountpoint-runc.json.5", "mountpoint-plugin.8"])
    func theManualHasItWithItsDay(page: String) throws {
        let header = try #require(try ManualPage(page).header)
        #expect(header == (try newest().day, try version()))
    }
}
