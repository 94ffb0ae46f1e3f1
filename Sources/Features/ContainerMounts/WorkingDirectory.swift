// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LexicalPaths
import OCIRuntime

extension LexicalPath {
    /// The absolute path; a relative one is resolved against the working directory. getcwd(3)
    static func fromWorkingDirectory(_ path: String) -> String {
        if path.hasPrefix("/") { return absolute(path) }
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        guard getcwd(&buffer, buffer.count) != nil else { return path }
        let folder = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return absolute(folder + "/" + path)
    }
}
