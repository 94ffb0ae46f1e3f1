// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage

/// Replaces a bundle's config.json.
enum ConfigurationFile {
    /// The file that the next content is written to before it is renamed.
    static func draft(_ path: FilePath) -> FilePath { target(path).extended(by: ".mountpoint-runc") }

    /// The file that is replaced: a symbolic link stays, and its target is replaced.
    private static func target(_ path: FilePath) -> FilePath { resolvingSymbolicLinks(path) }

    /// The permissions that it has.
    static func mode(_ path: FilePath) -> mode_t {
        var status = stat()
        return path.withPlatformString { stat($0, &status) } == 0 ? status.st_mode & 0o777 : 0o600
    }

    /// Replaces the file by rename and keeps its mode.
    ///
    /// - Parameter noting: called with the identity of the new file before the rename.
    static func replace(
        _ path: FilePath, with content: [UInt8], noting: (FileIdentity) throws(RuntimeError) -> Void = { (_) throws(RuntimeError) in }
    ) throws(RuntimeError) {
        let draft = draft(path)
        let file: FileIdentity
        do throws(SystemError) {
            try replaceFile(draft, with: content, mode: mode(path), durable: false)
            file = try FileIdentity(at: draft)
        } catch {
            try? removeFile(draft, durable: false)
            throw RuntimeError(.local, "the bundle's configuration cannot be changed: \(error)", cause: error)
        }
        do throws(RuntimeError) {
            try noting(file)
            let target = target(path)
            do throws(SystemError) {
                try renameFile(draft, to: target)
            } catch {
                throw RuntimeError(.local, "the bundle's configuration cannot be changed: \(error)", cause: error)
            }
        } catch {
            try? removeFile(draft, durable: false)
            throw error
        }
    }
}
