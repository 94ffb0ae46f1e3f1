// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import NFSMount
import Testing

@testable import NFSVolumes

struct VolumeSettingsTests {
    private func request(_ options: [String: String], _ settings: VolumeSettings = VolumeSettings()) throws -> NFSMountRequest {
        try settings.request(
            for: VolumeDefinition(
                name: VolumeName("a/b")!, driver: "nfsd", createdAt: "",
                options: try VolumeOptions(["server": "nas", "path": "/export"].merging(options) { $1 })))
    }

    /// The promise: `nfsvers=4.1,rw,noatime,soft` where nobody says anything.
    @Test func theBuiltInDefaults() throws {
        let request = try request([:])
        #expect(request.versions.candidates == [.v4_1])
        #expect(request.options.kernel == [MountOption("soft")])
        #expect(request.options.attributes == .noAccessTime)
        #expect(request.source == "nas:/export")
        #expect(request.subdirectory == nil)
        #expect(request.target == "/var/lib/docker-volumes-nfsd/a%2Fb")
    }

    @Test func theVolumesWordBeatsTheHostsAndThatTheBuiltIn() throws {
        var settings = VolumeSettings()
        settings.mountOptions = "hard,timeo=50,ro"
        settings.versions = .auto
        #expect(try request([:], settings).options.kernel == [MountOption("hard"), MountOption("timeo", "50")])
        #expect(try request([:], settings).options.isReadOnly)
        #expect(try request([:], settings).versions == .auto)
        let own = try request(["o": "softerr,rw", "nfsvers": "3", "subdir": "x"], settings)
        #expect(own.options.kernel == [MountOption("timeo", "50"), MountOption("softerr")])
        #expect(!own.options.isReadOnly)
        #expect(own.versions.candidates == [.v3])
        #expect(own.subdirectory?.path == "x")
    }
}
