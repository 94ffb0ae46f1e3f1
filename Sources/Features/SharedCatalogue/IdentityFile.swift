// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
import Logging
import SystemPackage
import Volumes

/// What the catalogue of each share is recognised by: `shares.json` in the state directory.
struct IdentityFile: Sendable {
    private let file: FilePath

    private static let longestFile = 4 << 20

    init(state: FilePath) { file = state.appending("shares.json") }

    /// The identities by the share's text. Where none is stored, the catalogue's present one counts. Blocks on a local file.
    ///
    /// - Throws: `SystemError` if the file is there and cannot be read.
    func read(logger: Logger) throws(SystemError) -> [String: String] {
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readRegularFile(file, limit: Self.longestFile) } catch {
            if error.errno == .noSuchFileOrDirectory { return [:] }
            throw error
        }
        var found: [String: String] = [:]
        if let fields = try? JSONObjectReader(parsing: bytes) {
            for key in fields.members.members.map(\.key) { found[key] = try? fields.textIfPresent(key) }
        }
        if found.isEmpty { logger.error("\(file) is damaged; catalogues of shares are taken as they are now") }
        return found
    }

    /// Blocks on a local file.
    func write(_ identities: [String: String]) throws(SystemError) {
        try replaceFile(file, with: JSONValue.object(JSONObject(identities)).encoded(.pretty))
    }
}
