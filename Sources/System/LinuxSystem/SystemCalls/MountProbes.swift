// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc

/// Whether the kernel can give a mount and all below it an attribute at once: mount_setattr(2), Linux 5.12. Also false where a filter of
/// system calls forbids it.
public func knowsRecursiveMountAttributes() -> Bool {
    // Without arguments it cannot do anything, and says so.
    CLinux_probe_mount_setattr() < 0 && errno == EINVAL
}
