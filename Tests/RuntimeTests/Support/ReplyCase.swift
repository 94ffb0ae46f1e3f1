// SPDX-License-Identifier: AGPL-3.0-or-later

import Testing

/// What a plugin answers, and what the person who started the container must read.
struct ReplyCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var reply: TestPlugin.Reply
    /// In the error beside the plugin's name.
    var message = ""
}
