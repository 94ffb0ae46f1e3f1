// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import PluginClient

/// The files and folders that the runtime uses on this host.
struct RuntimePlaces: Sendable {
    var settings = "/etc/docker/mountpoint-runc.json"
    var dockerSettings = "/etc/docker/daemon.json"
    var plugins = PluginDiscovery()
    /// State that is lost at a reboot; mode 0700.
    var state = "/run/mountpoint-runc"
    /// State that survives a reboot; mode 0700. Nil if no folder is known for it.
    var durableState: String? = "/var/lib/mountpoint-runc"

    /// The places of this host. For a rootless engine, which may be root in a user namespace, they are in the user's runtime folder.
    init() {
        guard let folder = getenv("XDG_RUNTIME_DIR"), !EffectiveUser.isRootOfHost else { return }
        state = String(cString: folder) + "/mountpoint-runc"
        let home = getenv("XDG_STATE_HOME").map { String(cString: $0) } ?? getenv("HOME").map { String(cString: $0) + "/.local/state" }
        durableState = home.map { $0 + "/mountpoint-runc" }
    }

    /// All of them in one folder, for tests.
    init(in folder: String) {
        settings = folder + "/settings.json"
        dockerSettings = folder + "/daemon.json"
        plugins = PluginDiscovery(socketDirectory: folder + "/plugins", specificationDirectories: [folder + "/plugins"])
        state = folder + "/run"
        durableState = folder + "/lib"
    }
}
