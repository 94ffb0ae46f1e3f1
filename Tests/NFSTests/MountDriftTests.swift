// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import Testing

@testable import NFS

/// In what a mount differs from its definition.
struct MountDriftTests {
    private static let mounted =
        "1 2 0:3 / /mnt rw,noatime shared:1 - nfs4 nas:/a rw,vers=4.1,rsize=131072,wsize=131072,namlen=255,hard,proto=tcp,timeo=600,retrans=2,sec=sys"

    private func drift(_ options: [String: String], _ line: String = mounted) throws -> [String] {
        let entry = try #require(MountTable(parsing: Array(line.utf8)).entries.first)
        return try NFS().source(["server": "nas", "path": "/a"].merging(options) { $1 }).drift(from: entry)
    }

    @Test(arguments: [
        ["o": "soft"]: "o: the definition says soft, mounted is hard",
        ["o": "ro"]: "o: the definition says ro, mounted is rw",
        ["o": "timeo=100"]: "timeo: the definition says 100, mounted is 600",
        ["o": "retrans=5"]: "retrans: the definition says 5, mounted is 2",
        ["o": "rsize=8192"]: "rsize: the definition says 8192, mounted is 131072",
        ["o": "sec=krb5p"]: "sec: the definition says krb5p, mounted is sys",
        ["o": "udp"]: "proto: the definition says udp, mounted is tcp",
        ["o": "nocto"]: "o: the definition says nocto, and the mount is without it",
        ["nfsvers": "4.2"]: "nfsvers: the definition says 4.2, mounted is 4.1",
        ["nfsvers": "3"]: "nfsvers: the definition says 3, mounted is 4.1",
    ])
    func aDifferenceIsNamed(options: [String: String], line: String) throws {
        #expect(try drift(options) == [line])
    }

    @Test(arguments: [
        [:], ["o": "hard"], ["o": "rw"], ["o": "timeo=600,retrans=2"], ["o": "timeo=0"], ["o": "sec=sys"], ["o": "sec=krb5:sys"],
        ["o": "tcp"],
        ["o": "cto"], ["o": "noatime,nosuid"], ["o": "nolock"], ["nfsvers": "4.1"], ["nfsvers": "4"], ["nfsvers": "auto"],
        // A server may allow less, and the kernel says nothing of what was not negotiated.
        ["o": "rsize=1048576,wsize=1048576"], ["o": "nconnect=4"], ["o": "somethingnew=5"],
    ])
    func noAlarmIsFalse(options: [String: String]) throws { #expect(try drift(options) == []) }

    /// What protects a host holds over a definition by others, and so it is no difference.
    @Test func aProtectionOfTheHostIsNoDifference() throws {
        let line = Self.mounted.replacing(" rw,noatime", with: " ro,noatime").replacing("sec=sys", with: "sec=krb5")
        var settings = NFSSettings()
        settings.mountOptions = "ro,sec=krb5"
        let source = try NFS(settings).source(["server": "nas", "path": "/a", "o": "rw,sec=sys,soft"])
        let entry = try #require(MountTable(parsing: Array(line.utf8)).entries.first)
        #expect(source.definedByOthers().drift(from: entry) == ["o: the definition says soft, mounted is hard"])
        #expect(source.drift(from: entry).count == 3)
    }

    /// A kernel that shows less cannot be taken for one that has done otherwise.
    @Test func whatTheKernelDoesNotShowIsNoDifference() throws {
        let line = "1 2 0:3 / /mnt rw - nfs4 nas:/a rw"
        #expect(try drift(["o": "soft,timeo=1,retrans=1,rsize=4096,sec=krb5,udp", "nfsvers": "3"], line) == [])
    }

    @Test func severalDifferencesInOrder() throws {
        #expect(
            try drift(["o": "ro,soft,timeo=50", "nfsvers": "4.0"]) == [
                "nfsvers: the definition says 4.0, mounted is 4.1", "o: the definition says soft, mounted is hard",
                "o: the definition says ro, mounted is rw", "timeo: the definition says 50, mounted is 600",
            ])
    }
}
