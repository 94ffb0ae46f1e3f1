// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import OCIRuntime
import SystemPackage

/// A bundle's config.json, as the runtime below will find and read it.
struct OpenedBundle {
    /// The bundle's folder, absolute and without symbolic links.
    let folder: FilePath
    /// Absolute.
    let file: FilePath
    let bytes: [UInt8]

    /// Opens the bundle as the runtimes do, which change into it: symbolic links are followed before `..` is looked at, and an empty path
    /// is the working directory to runc and an error to crun.
    ///
    /// - Parameter config: as `--config` has it.
    /// - Throws: `RuntimeError` if it is not there or cannot be read, or if runtimes take it for different files.
    init(bundle: PathArgument?, config: PathArgument?) throws(RuntimeError) {
        if let config, config == "config.json", bundle != nil {
            throw RuntimeError("--config config.json with --bundle is one file to runc and another to crun; give its absolute path")
        }
        if let config, config.bytes.isEmpty { throw RuntimeError("--config needs the path of a file") }
        do throws(SystemError) {
            let opened = try OpenFolder(at: FilePath(bundle ?? ""))
            folder = try opened.path()
            if let config {
                // Not relative to the bundle, but to the working directory.
                let named = FilePath(config)
                bytes = try readRegularFile(named, limit: OCIConfiguration.sizeLimit)
                file = named.isAbsolute ? named : try OpenFolder(at: "").path().pushing(named)
            } else {
                bytes = try readRegularFile("config.json", in: opened, limit: OCIConfiguration.sizeLimit)
                file = folder.appending("config.json")
            }
        } catch {
            throw RuntimeError("the bundle's configuration cannot be read: \(error); name the bundle with --bundle")
        }
    }

    /// Whether the paths can be compared with those in config.json and kept in records, which are UTF-8.
    var hasTextPaths: Bool { String(validating: folder) != nil && String(validating: file) != nil }
}

extension FilePath {
    fileprivate init(_ argument: PathArgument) {
        self = (argument.bytes + [0]).withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { $0.baseAddress.map { FilePath(platformString: $0) } ?? "" }
        }
    }
}

/// Changing a bundle's config.json.
enum BundleFile {
    /// Where its next content lies until it takes its place.
    static func draft(_ path: FilePath) -> FilePath { target(path).extended(by: ".mountpoint-runc") }

    /// A link stays what it is.
    private static func target(_ path: FilePath) -> FilePath { resolvingSymbolicLinks(path) }

    /// The permissions that it has.
    static func mode(_ path: FilePath) -> mode_t {
        var status = stat()
        return path.withPlatformString { stat($0, &status) } == 0 ? status.st_mode & 0o777 : 0o600
    }

    /// Replaces it by rename, with the mode it has.
    ///
    /// - Parameter noting: told which file the new one is, before it takes its place.
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
            throw RuntimeError("the bundle's configuration cannot be changed: \(error)")
        }
        do throws(RuntimeError) {
            try noting(file)
            let target = target(path)
            do throws(SystemError) {
                try renameFile(draft, to: target)
            } catch {
                throw RuntimeError("the bundle's configuration cannot be changed: \(error)")
            }
        } catch {
            try? removeFile(draft, durable: false)
            throw error
        }
    }
}
