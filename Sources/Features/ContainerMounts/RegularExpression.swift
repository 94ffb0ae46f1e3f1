// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc

/// crun's `--regex`.
enum RegularExpression {
    /// The texts in which a POSIX extended regular expression matches. An invalid expression gives none; crun reports it. regex(3).
    static func filter(_ texts: [String], by expression: String) -> [String] {
        var compiled = regex_t()
        guard regcomp(&compiled, expression, REG_EXTENDED | REG_NOSUB) == 0 else { return [] }
        defer { regfree(&compiled) }
        return texts.filter { regexec(&compiled, $0, 0, nil, 0) == 0 }
    }
}
