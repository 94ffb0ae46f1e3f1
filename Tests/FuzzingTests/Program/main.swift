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

/// Of this thread, so that a busy machine makes no difference.
private func processorTime() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
}

private var count = CommandLine.argc
private var words = CommandLine.unsafeArgv
exit(
    runFuzzer(&count, &words) { start, count in
        let bytes = Array(UnsafeBufferPointer(start: start, count: count))
        let begin = processorTime()
        do { try chosen?.check(bytes) } catch {
            complain("\(name): \(error)")
            abort()
        }
        // Some hundred times what inputs need, and no more for each byte of a long one than of a short one.
        let spent = processorTime() - begin
        if spent > .milliseconds(500) + .microseconds(300) * bytes.count {
            complain("\(name): \(bytes.count) bytes take \(spent)")
            abort()
        }
        return 0
    })
