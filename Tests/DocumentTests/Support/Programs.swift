// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import TestSupport

/// The programs of this build, beside the tests' own.
enum Programs {
    private static let folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
    static let daemon = folder + "/docker-nfsd"
    static let runtime = folder + "/mountpoint-runc"
    static let plugin = folder + "/mountpoint-plugin"
}

extension String {
    /// Every run of white space as one blank: help is broken into lines for a terminal.
    var joined: String { split(whereSeparator: \.isWhitespace).joined(separator: " ") }
}
