// SPDX-License-Identifier: AGPL-3.0-or-later

import Testing

/// README shows the first use of each program, and what it prints, without scrolling.
struct FirstUseTests {
    @Test(arguments: ["docker-nfsd: NFS volumes", "mountpoint-runc: mount point plugins"])
    func itIsOnOneScreenWithItsResult(part: String) throws {
        let lines = try Document("README.md").section(part)
        let result = try #require(lines.firstIndex(of: "```text"))
        let end = try #require(lines[(result + 1)...].firstIndex(of: "```"))
        // The heading, the lines up to the result's last, and its end.
        #expect(end + 2 <= 40)
    }
}
