// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerFiles
import LexicalPaths
import OCIRuntime

/// A path of the host that a mount of config.json shows.
struct HostSource {
    /// Of the mount in config.json.
    let index: Int
    /// Cleaned.
    let destination: String
    /// The path as the runtimes read it: a relative one is resolved against the bundle.
    let path: String
    /// Which folder of an overlay it is.
    let layer: Int?
    let isReadOnly: Bool
    let options: [String]

    var isLayer: Bool { layer != nil }

    /// The components of the path; empty if `..` is among them, since after a symbolic link `..` is not what its text says.
    var components: [String] {
        let isPlain = path.utf8.split(separator: UInt8(ascii: "/")).allSatisfy { !$0.elementsEqual("..".utf8) }
        return isPlain ? LexicalPath.components(of: path) : []
    }

    /// The sources of all mounts of a configuration, in its order.
    ///
    /// - Throws: `EngineFilesError` for a mount whose source on the host is not known, or on which runtimes differ.
    static func all(in configuration: OCIConfiguration, bundle: String) throws(EngineFilesError) -> [HostSource] {
        var sources: [HostSource] = []
        for (index, mount) in configuration.mounts.enumerated() {
            switch mount.kind {
            case .kernel: break
            case .bind: sources.append(try bind(mount, index, bundle: bundle))
            case .overlay: sources += try layers(mount, index)
            case .remount:
                throw .unclear(mount, "changes a mount that is there (remount), so that what plugins have seen of it would not hold")
            case .other:
                throw .unclear(mount, "is of the type \(quoted(mount.type ?? "")), of which it cannot be told what of the host it shows")
            }
        }
        return sources
    }

    private static func bind(_ mount: OCIConfiguration.Mount, _ index: Int, bundle: String) throws(EngineFilesError) -> HostSource {
        guard let source = mount.source, !source.isEmpty else {
            throw .unclear(mount, "is a bind mount without a source, which runtimes make of different folders")
        }
        let isAbsolute = source.utf8.first == UInt8(ascii: "/")
        if !isAbsolute && source.utf8.split(separator: UInt8(ascii: "/")).contains(where: { $0.elementsEqual("..".utf8) }) {
            throw .unclear(mount, "has the source \(quoted(source)), which runtimes look for in different folders; give its absolute path")
        }
        return HostSource(
            index: index, destination: mount.cleanedDestination, path: isAbsolute ? source : LexicalPath.absolute("\(bundle)/\(source)"),
            layer: nil, isReadOnly: isReadOnly(mount.options), options: mount.options)
    }

    private static func layers(_ mount: OCIConfiguration.Mount, _ index: Int) throws(EngineFilesError) -> [HostSource] {
        let layers: OverlayLayers
        do throws(ConfigurationError) {
            layers = try OverlayLayers(options: mount.options)
        } catch {
            throw .unclear(mount, "is \(error)", cause: error)
        }
        return layers.folders.enumerated().map { number, path in
            HostSource(
                index: index, destination: mount.cleanedDestination, path: path, layer: number, isReadOnly: number < layers.lower.count,
                options: mount.options)
        }
    }

    private static func isReadOnly(_ options: [String]) -> Bool {
        options.last { $0 == "ro" || $0 == "rw" } == "ro" || options.contains("rro")
    }
}

extension EngineFilesError {
    static func unclear(_ mount: OCIConfiguration.Mount, _ reason: String, cause: (any Error)? = nil) -> EngineFilesError {
        EngineFilesError(
            "plugins cannot be asked about the mount at \(quoted(mount.cleanedDestination)): it \(reason); leave it out, mount it on the "
                + "host and give the container a bind mount of that, or use a runtime without mount point plugins", cause: cause)
    }
}
