// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc

/// How much memory of a connected UNIX socket is held by what the other end has not read yet: zero once it has read all. SIOCOUTQ, in
/// unix(7) and tcp(7).
///
/// - Returns: nil if the kernel does not say.
public func unreadBytes(in socket: CInt) -> Int? {
    var count: CInt = 0
    return ioctl(socket, UInt(TIOCOUTQ), &count) == 0 ? Int(count) : nil
}
