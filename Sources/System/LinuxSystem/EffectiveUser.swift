// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import SystemPackage

/// The user with whose rights this process acts. geteuid(2).
public enum EffectiveUser {
    public static var isRoot: Bool { geteuid() == 0 }

    /// Root of the host, not only of a user namespace that another user made. user_namespaces(7).
    public static var isRootOfHost: Bool {
        guard isRoot, let bytes = try? readWholeFile("/proc/self/uid_map", limit: 4096) else { return false }
        let numbers = bytes.split { $0 <= 0x20 }.map { String(decoding: $0, as: UTF8.self) }
        return numbers == ["0", "0", "4294967295"]
    }
}
