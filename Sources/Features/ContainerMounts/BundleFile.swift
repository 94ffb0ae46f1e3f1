// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import OCIRuntime
import SystemPackage

/// A bundle's config.json.
enum BundleFile {
    /// - Parameter named: as `--config` has it.
    /// - Returns: an absolute path.
    static func path(bundle: String?, named: String?) -> String {
        let file = named ?? (bundle.map { $0 + "/config.json" } ?? "config.json")
        if file.hasPrefix("/") { return LexicalPath.absolute(file) }
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        guard getcwd(&buffer, buffer.count) != nil else { return file }
        let folder = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return LexicalPath.absolute(folder + "/" + file)
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

    /// Replaces it by rename, with the mode it has.
    static func replace(_ path: String, with content: [UInt8]) throws(RuntimeError) {
        var status = stat()
        let mode = stat(path, &status) == 0 ? status.st_mode & 0o777 : 0o600
        do throws(SystemError) {
            try replaceFile(FilePath(path), with: content, mode: mode, durable: false)
        } catch {
            throw RuntimeError("the bundle's configuration cannot be changed: \(error)")
        }
    }
}
