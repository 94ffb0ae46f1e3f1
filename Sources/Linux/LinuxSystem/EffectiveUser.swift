// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc

/// Whom the kernel takes this process for. geteuid(2).
public enum EffectiveUser {
    public static var isRoot: Bool { geteuid() == 0 }
}
