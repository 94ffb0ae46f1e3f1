// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc

/// Both ends of a pipe, which executed programs do not get. pipe(7)
///
/// - Throws: `SystemError` of pipe(2).
public func makePipe() throws(SystemError) -> (reading: CInt, writing: CInt) {
    var ends: [CInt] = [-1, -1]
    try systemCall("pipe", on: "a pipe") { pipe(&ends) }
    for end in ends { try systemCall("fcntl", on: "a pipe") { fcntl(end, F_SETFD, FD_CLOEXEC) } }
    return (ends[0], ends[1])
}
