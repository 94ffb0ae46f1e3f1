// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import TestSupport

/// A whole file of /proc. What Foundation gives of a file that says it has no size is not always all of it.
///
/// - Throws: `Trouble` if it cannot be read.
public func readProcess(_ path: String) throws -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Trouble("\(path): \(String(cString: strerror(errno)))") }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    var count = 0
    while count < bytes.count {
        let more = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress! + count, $0.count - count) }
        guard more >= 0 else { throw Trouble("\(path): \(String(cString: strerror(errno)))") }
        if more == 0 { break }
        count += more
    }
    return String(decoding: bytes[..<count], as: UTF8.self)
}
