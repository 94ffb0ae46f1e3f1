// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem

/// Where the runtime finds and keeps things on this host.
struct RuntimePlaces: Sendable {
    var settings = "/etc/docker/mountpoint-runc.json"
    var dockerSettings = "/etc/docker/daemon.json"
    /// Only what ends with the boot; mode 0700.
    var state = "/run/mountpoint-runc"

    /// Of this host; for a user other than root, whose engine has no root either, the state is in the user's runtime folder.
    init() {
        guard !EffectiveUser.isRoot, let folder = getenv("XDG_RUNTIME_DIR") else { return }
        state = String(cString: folder) + "/mountpoint-runc"
    }
}
