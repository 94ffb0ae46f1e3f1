// SPDX-License-Identifier: AGPL-3.0-or-later

import NFS
import Testing

struct MountOptionNamesTests {
    @Test func namesAreKnownWithAndWithoutNo() {
        for name in ["hard", "lock", "nolock", "noac", "noresvport", "ro", "noatime", "timeo"] { #expect(NFSOptions.isKnownName(name)) }
        for name in ["", "no", "server", "hardly", "nonolock"] { #expect(!NFSOptions.isKnownName(name)) }
    }
}
