// SPDX-License-Identifier: AGPL-3.0-or-later

import SystemPackage
import Testing

@testable import DockerVolumes
@testable import Volumes

struct VolumeSettingsTests {
    @Test func aVolumesPlaceHasItsEncodedName() throws {
        #expect(DaemonSettings().places.place(of: VolumeName("a/b")!) == "/var/lib/docker-volumes-nfsd/a%2Fb")
    }
}
