// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import KernelMount
import LinuxSystem
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

/// What `docker volume inspect` shows.
struct VolumeRecordTests {
    private func record() throws -> VolumeRecord {
        var record = VolumeRecord(
            VolumeDefinition(
                name: VolumeName("web")!, owner: "nfsd", createdAt: "2026-03-01T12:00:00Z",
                options: try VolumeOptions(["server": "2001:db8::7", "path": "/export", "subdir": "a/b"])))
        let line = "1 2 0:3 /a/b /place ro,noatime shared:1 - nfs4 nas:/export rw,vers=4.1,soft,proto=tcp6,addr=2001:db8::7"
        record.mount = MountTable(parsing: Array(line.utf8)).entries[0]
        return record
    }

    @Test func aMountedVolume() throws {
        var record = try record()
        record.references.retain("b", activation: 0, now: 0)
        record.references.retain("a", activation: 0, now: 0)
        record.references.retain("b", activation: 0, now: 0)
        let shown = record.view(at: "/place", holderNames: ["a": "shop", "other": "x"], .docker)
        #expect(shown.name == "web")
        #expect(shown.mountpoint == "/place")
        #expect(shown.createdAt == "2026-03-01T12:00:00Z")
        #expect(
            shown.status == [
                "state": "mounted", "source": "[2001:db8::7]:/export/a/b",
                "requested": ["path": "/export", "server": "2001:db8::7", "subdir": "a/b"],
                // The mount's ro, and not the superblock's rw.
                "effective": "ro,noatime,vers=4.1,soft,proto=tcp6,addr=2001:db8::7", "fileSystem": "nfs4", "address": "2001:db8::7",
                "nfsvers": "4.1", "references": 3, "heldBy": [["id": "a", "count": 1, "container": "shop"], ["id": "b", "count": 2]],
            ])
    }

    @Test func aPersonReadsALineAnItem() throws {
        var record = try record()
        for id in ["b", "a", "b"] { record.references.retain(id, activation: 0, now: 0) }
        record.lastFailure = MountFailure(text: "why", code: .silent)
        record.shortcomings = ["no locks"]
        #expect(
            VolumeStatus(record: record, holderNames: ["a": "shop"], .docker).text(at: "/place") == """
                  source     [2001:db8::7]:/export/a/b
                  state      mounted at /place
                  requested  path=/export server=2001:db8::7 subdir=a/b
                  effective  ro,noatime,vers=4.1,soft,proto=tcp6,addr=2001:db8::7
                  server     2001:db8::7
                  warning    no locks
                  failed     why (silent)
                  held by    container shop
                  held by    mount b, 2 times

                """)
        #expect(VolumeStatus(record: record, holderNames: [:], .docker).json["warnings"] == ["no locks"])
        record.mount = nil
        #expect(VolumeStatus(record: record, holderNames: [:], .docker).json["warnings"] == nil)
        record.references.releaseAll()
        record.lastFailure = nil
        #expect(
            VolumeStatus(record: record, holderNames: [:], .docker).text(at: "/place") == """
                  source     [2001:db8::7]:/export/a/b
                  state      not mounted
                  requested  path=/export server=2001:db8::7 subdir=a/b

                """)
    }

    @Test func aVolumeThatIsNotMounted() throws {
        var record = try record()
        record.mount = nil
        record.lastFailure = MountFailure(text: "why", code: .silent)
        let shown = record.view(at: "/place", holderNames: [:], .docker)
        #expect(shown.mountpoint == "")
        let status = try #require(shown.status)
        #expect(status["state"] == "not mounted")
        #expect(status["effective"] == "")
        #expect(status["lastFailure"] == "why")
        #expect(status["lastFailureCode"] == "silent")
        for key in ["fileSystem", "address", "nfsvers"] { #expect(status[key] == nil) }
    }

    @Test func aVolumeThatTheKernelHolds() throws {
        var record = try record()
        record.busy = "process 7 is held"
        let shown = record.view(at: "/place", holderNames: [:], .docker)
        #expect(shown.status?["state"] == "process 7 is held")
    }
}
