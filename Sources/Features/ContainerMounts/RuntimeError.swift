// SPDX-License-Identifier: AGPL-3.0-or-later

/// Why a command of the runtime failed: one line for the person at `docker run`.
struct RuntimeError: Error, Sendable, Equatable, CustomStringConvertible {
    var message: String

    init(_ message: String) { self.message = message }

    var description: String { message }
}
