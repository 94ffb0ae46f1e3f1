// SPDX-License-Identifier: AGPL-3.0-or-later

/// Why a test cannot go on.
public struct Trouble: Error, Sendable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Looks again and again until a condition holds: for what gives no event that could be waited for.
///
/// - Parameter what: what is waited for, for the error.
/// - Throws: `Trouble` if it does not hold within the limit, and what the condition throws.
public func eventually(_ what: String, within limit: Duration = .seconds(60), _ condition: () async throws -> Bool) async throws {
    let limit = limit.onThisMachine
    let deadline = ContinuousClock.now + limit
    while true {
        if try await condition() { return }
        guard ContinuousClock.now < deadline else { throw Trouble("not within \(limit): \(what)") }
        try await Task.sleep(for: .milliseconds(10))
    }
}
