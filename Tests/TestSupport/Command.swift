// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation

/// What a finished command left.
public struct CommandResult: Sendable, CustomStringConvertible {
    public var status: Int32
    /// Standard output and standard error, in the order in which they were written.
    public var output: String

    public init(status: Int32, output: String) { (self.status, self.output) = (status, output) }

    public var description: String { "exit status \(status): \(output)" }
}

/// Runs a command to its end, at the longest until the limit. timeout(1).
///
/// - Parameters:
///   - input: given to its standard input.
///   - limit: seconds, times the machine's `testTimeFactor`; then it is ended, and the status is 124.
/// - Throws: if it cannot be started.
@discardableResult
public func command(
    _ words: [String], input: String? = nil, environment: [String: String] = [:], limit: Double = 120
) async throws -> CommandResult {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    process.arguments = ["--kill-after=5", String(limit * testTimeFactor)] + words
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    let given = Pipe()
    process.standardInput = input == nil ? FileHandle.nullDevice : given
    try process.run()
    if let input {
        try given.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try given.fileHandleForWriting.close()
    }
    return await withCheckedContinuation { continuation in
        Thread.detachNewThread {
            let bytes = (try? output.fileHandleForReading.readToEnd()) ?? Data()
            process.waitUntilExit()
            continuation.resume(returning: CommandResult(status: process.terminationStatus, output: String(decoding: bytes, as: UTF8.self)))
        }
    }
}
