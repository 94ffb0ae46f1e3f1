// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import OCIRuntime
import SystemPackage

/// A bundle's config.json, as the delegate runtime will find and read it.
struct OpenedBundle {
    /// The bundle's folder, absolute and without symbolic links.
    let folder: FilePath
    /// Absolute.
    let file: FilePath
    let bytes: [UInt8]

    /// Opens the bundle as the runtimes do, which change into its folder. So symbolic links are followed before `..` is applied. An empty
    /// path means the working directory to runc and is an error to crun.
    ///
    /// - Parameter config: as `--config` has it.
    /// - Throws: `RuntimeError` if the file is missing or cannot be read, or if runc and crun would read different files.
    init(bundle: PathArgument?, config: PathArgument?) throws(RuntimeError) {
        if let config, config == "config.json", bundle != nil {
            throw RuntimeError(
                .badArguments, "--config config.json with --bundle is one file to runc and another to crun; give its absolute path")
        }
        if let config, config.bytes.isEmpty { throw RuntimeError(.badArguments, "--config needs the path of a file") }
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
            throw RuntimeError(
                .badBundle, "the bundle's configuration cannot be read: \(error); name the bundle with --bundle", cause: error)
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
