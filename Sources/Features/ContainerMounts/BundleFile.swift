// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import OCIRuntime
import SystemPackage

/// A bundle's config.json.
enum BundleFile {
    /// - Parameter named: as `--config` has it.
    /// - Returns: an absolute path.
    /// - Throws: `RuntimeError` if runtimes take it for different files.
    static func path(bundle: String?, named: String?) throws(RuntimeError) -> String {
        if named == "config.json" && bundle != nil {
            throw RuntimeError("--config config.json with --bundle is one file to runc and another to crun; give its absolute path")
        }
        return LexicalPath.fromWorkingDirectory(named ?? (bundle.map { $0 + "/config.json" } ?? "config.json"))
    }

    /// - Returns: nil if it is not there, which the runtime below says best.
    static func read(_ path: String) throws(RuntimeError) -> [UInt8]? {
        // Opening a named pipe would wait for somebody to write to it.
        var status = stat()
        if stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG {
            throw RuntimeError("the bundle's configuration cannot be read: \(path) is not a regular file")
        }
        do throws(SystemError) {
            return try readWholeFile(FilePath(path), limit: OCIConfiguration.sizeLimit)
        } catch  where error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory {
            return nil
        } catch {
            throw RuntimeError("the bundle's configuration cannot be read: \(error)")
        }
    }

    /// Where its next content lies until it takes its place.
    static func draft(_ path: String) -> String { target(path) + ".mountpoint-runc" }

    /// A link stays what it is.
    private static func target(_ path: String) -> String { resolvingSymbolicLinks(FilePath(path)).string }

    /// Replaces it by rename, with the mode it has.
    ///
    /// - Parameter noting: told which file the new one is, before it takes its place.
    static func replace(
        _ path: String, with content: [UInt8], noting: (FileIdentity) throws(RuntimeError) -> Void = { (_) throws(RuntimeError) in }
    ) throws(RuntimeError) {
        var status = stat()
        let mode = stat(path, &status) == 0 ? status.st_mode & 0o777 : 0o600
        let draft = draft(path)
        let file: FileIdentity
        do throws(SystemError) {
            try replaceFile(FilePath(draft), with: content, mode: mode, durable: false)
            file = try FileIdentity(at: draft)
        } catch {
            unlink(draft)
            throw RuntimeError("the bundle's configuration cannot be changed: \(error)")
        }
        do throws(RuntimeError) {
            try noting(file)
            let target = target(path)
            do throws(SystemError) {
                try systemCall("rename", on: target) { rename(draft, target) }
            } catch {
                throw RuntimeError("the bundle's configuration cannot be changed: \(error)")
            }
        } catch {
            unlink(draft)
            throw error
        }
    }
}
