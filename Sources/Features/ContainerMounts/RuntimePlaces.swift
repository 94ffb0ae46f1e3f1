// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem

/// Where the runtime finds and keeps things on this host.
struct RuntimePlaces: Sendable {
    var settings = "/etc/docker/mountpoint-runc.json"
    var dockerSettings = "/etc/docker/daemon.json"
    /// Only what ends with the boot; mode 0700.
    var state = "/run/mountpoint-runc"

    /// Of this host; for an engine without root, which may call itself root in a user namespace, in the user's runtime folder.
    init() {
        guard let folder = getenv("XDG_RUNTIME_DIR"), !EffectiveUser.isRootOfHost else { return }
        state = String(cString: folder) + "/mountpoint-runc"
    }
}
