// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
import SystemPackage

/// What Docker's `daemon.json` says that matters for finding its records, and for knowing its own mounts.
///
/// dockerd refuses to start with a file that it cannot read, so one that is there and cannot be used here is an error too: without it
/// a container of Docker's could be taken for one of an engine that is not known.
public struct DockerSettings: Sendable, Equatable {
    /// `data-root`, absolute.
    public var dataRoot: String?
    /// `init-path`, absolute: what dockerd mounts at /sbin/docker-init.
    public var initPath: String?
    /// `userns-remap`, as which user containers have their root; nil if as root.
    public var remappedUser: String?

    /// Where Docker's files may be, if they cannot be told from the bundle.
    public var dataRoots: [String] { (dataRoot.map { [$0] } ?? []) + ["/var/lib/docker"] }

    public init(dataRoot: String? = nil, initPath: String? = nil, remappedUser: String? = nil) {
        self.dataRoot = dataRoot
        self.initPath = initPath
        self.remappedUser = remappedUser
    }

    /// Bytes.
    private static let sizeLimit = 1 << 20

    /// - Throws: `EngineFilesError`; a file that is not there says nothing.
    public static func read(from path: String) throws(EngineFilesError) -> DockerSettings {
        let bytes: [UInt8]?
        do throws(SystemError) {
            bytes = try readRegularFileIfThere(FilePath(path), limit: sizeLimit)
        } catch {
            throw EngineFilesError(path, error)
        }
        guard let bytes else { return DockerSettings() }
        do throws(JSONShapeError) {
            // dockerd takes an empty file for one without settings.
            if bytes.allSatisfy({ $0 == 0x20 || (0x09...0x0D).contains($0) }) { return DockerSettings() }
            let object = try JSONObjectReader(parsing: bytes)
            let user = try object.text("userns-remap")
            return DockerSettings(
                dataRoot: try Self.path("data-root", in: object), initPath: try Self.path("init-path", in: object),
                remappedUser: user.isEmpty ? nil : user)
        } catch {
            throw EngineFilesError(path, error)
        }
    }

    private static func path(_ key: String, in object: JSONObjectReader) throws(JSONShapeError) -> String? {
        let path = try object.text(key)
        return path.utf8.first == UInt8(ascii: "/") ? path : nil
    }
}
