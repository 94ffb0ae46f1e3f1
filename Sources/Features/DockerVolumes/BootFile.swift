// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
import SystemPackage

/// A file of the runtime directory whose content is true until the next boot: JSON, one object by its name, beside the boot.
struct BootFile: Sendable {
    private let file: FilePath
    private let member: String
    private let longest: Int
    private let boot: String

    /// - Parameters:
    ///   - member: what the object is called in the file.
    ///   - longest: bytes of a file that is read.
    /// - Throws: `SystemError` if it is not known which boot this is.
    init(_ name: String, holding member: String, longest: Int, in runtime: FilePath) throws(SystemError) {
        file = runtime.appending(name)
        self.member = member
        self.longest = longest
        boot = try Boot.current().text
    }

    /// nil if the file cannot be read, or is of another boot. Blocks on a local file.
    func read() -> JSONObjectReader? {
        guard let bytes = try? readRegularFile(file, limit: longest), let fields = try? JSONObjectReader(parsing: bytes),
            (try? fields.textIfPresent("boot")) == boot
        else { return nil }
        return (try? fields.objectIfPresent(member)) ?? nil
    }

    /// Not synced, because a power cut is the end of the boot. Blocks on a local file.
    func write(_ object: JSONObject) throws(SystemError) {
        let document: JSONValue = .object(["boot": .string(boot), member: .object(object)])
        try replaceFile(file, with: document.encoded(.compact), durable: false)
    }

    func remove() throws(SystemError) { try removeFile(file, durable: false) }
}
