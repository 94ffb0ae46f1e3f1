// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import SystemPackage

/// Runs libFuzzer over one of the inputs: `fuzz INPUT [libFuzzer's flags] [FOLDER OR FILE…]`.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<CInt>, _ words: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ entry: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

private func complain(_ message: String) { _ = try? FileDescriptor.standardError.writeAll("fuzz: \(message)\n".utf8) }

// A function for C captures nothing, so the choice is made from the environment, which libFuzzer's own processes inherit.
private let name = getenv("FUZZ_INPUT").map { String(cString: $0) } ?? ""
private let names = FuzzInput.all.map(\.name).joined(separator: " ")
if name == "" {
    print(names)
    exit(0)
}
private let chosen = FuzzInput.all.first { $0.name == name }
if chosen == nil {
    complain("FUZZ_INPUT=\(name) is none of \(names)")
    exit(2)
}

private var count = CommandLine.argc
private var words = CommandLine.unsafeArgv
exit(
    runFuzzer(&count, &words) { start, count in
        let bytes = Array(UnsafeBufferPointer(start: start, count: count))
        do { try chosen?.check(bytes) } catch {
            complain("\(name): \(error)")
            abort()
        }
        return 0
    })
