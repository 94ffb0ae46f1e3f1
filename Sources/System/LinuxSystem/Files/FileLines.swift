// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
public import SystemPackage

/// Hands over a file's lines one by one, without the newline, and never holds more than a piece of the file.
///
/// - Parameters:
///   - longest: bytes; a longer line is passed over.
///   - limit: bytes of the whole file that are read; a longer file is refused with `EFBIG`.
///   - body: gets the line, whose indices are its own.
/// - Returns: whether the file ended with a newline. What comes after the last one is not handed over: it was cut off.
/// - Throws: `SystemError` of open(2) or read(2).
@discardableResult
public func readLines(of path: FilePath, longest: Int, limit: Int, _ body: (ArraySlice<UInt8>) -> Void) throws(SystemError) -> Bool {
    let file = try systemCall("open", on: path.string) { path.withPlatformString { open($0, O_RDONLY | O_CLOEXEC | O_NOCTTY) } }
    defer { Glibc.close(file) }
    var buffer = [UInt8](repeating: 0, count: 32 << 10)
    var rest: [UInt8] = []
    var isTooLong = false
    var total = 0
    while true {
        let count = try systemCall("read", on: path.string) { Glibc.read(file, &buffer, buffer.count) }
        if count == 0 { return rest.isEmpty && !isTooLong }
        total += count
        if total > limit { throw SystemError("read", .fileTooLarge, on: path.string) }
        var start = 0
        while let end = buffer[start..<count].firstIndex(of: UInt8(ascii: "\n")) {
            if !isTooLong, rest.count + end - start <= longest {
                rest.isEmpty ? body(buffer[start..<end]) : body((rest + buffer[start..<end])[...])
            }
            rest.removeAll(keepingCapacity: true)
            isTooLong = false
            start = end + 1
        }
        if !isTooLong { rest.append(contentsOf: buffer[start..<count]) }
        if rest.count > longest {
            rest.removeAll(keepingCapacity: true)
            isTooLong = true
        }
    }
}
