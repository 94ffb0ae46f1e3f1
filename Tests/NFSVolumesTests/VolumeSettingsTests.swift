// SPDX-License-Identifier: AGPL-3.0-or-later

import NFS
import SystemPackage
import Testing

@testable import NFSVolumes

struct VolumeSettingsTests {
    @Test func aVolumesPlaceHasItsEncodedName() throws {
        #expect(VolumeSettings(kind: NFS()).place(of: VolumeName("a/b")!) == "/var/lib/docker-volumes-nfsd/a%2Fb")
    }
}
