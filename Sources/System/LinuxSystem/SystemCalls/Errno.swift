// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import SystemPackage

extension Errno {
    /// The calling thread's errno, valid directly after a failed call.
    static var current: Errno { Errno(rawValue: Glibc.errno) }
}
