// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON

/// For messages: in quotes, with control characters escaped.
func quoted(_ text: String) -> String { JSONValue.string(text).description }
