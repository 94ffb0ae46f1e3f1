// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
import JSON
import LexicalPaths
import LinuxSystem
import SystemPackage

/// What Docker knows of volumes besides the container's record: labels and options, in `volumes/metadata.db`.
///
/// A volume that is not in there has none: one of a plugin that was made without Docker, or one of a version of 2015. A database that
/// is missing or cannot be read is an error, and the container does not start: a plugin may deny by labels, and a volume without its
/// labels would pass.
public struct DockerVolumes {
    public struct Volume: Sendable {
        /// Empty if nothing is known of it.
        public var driver = ""
        public var labels: StringMap = [:]
        public var options: StringMap = [:]

        public init() {}

        init(driver: String, labels: StringMap = [:], options: StringMap) {
            (self.driver, self.labels, self.options) = (driver, labels, options)
        }
    }

    private static let bucket = "volumes"
    /// Bytes of a local volume's options.
    private static let optionsLimit = 1 << 20

    private let folder: String
    private var known: [(name: String, volume: Volume)] = []

    /// Reads all of them at once, so that they are as one moment had them.
    ///
    /// - Parameter folder: Docker's data root.
    public init(_ wanted: [(name: String, driver: String)], folder: String) throws(EngineFilesError) {
        self.folder = folder
        var volumes: [(name: String, driver: String)] = []
        for volume in wanted where !volumes.contains(where: { $0.name.utf8.elementsEqual(volume.name.utf8) }) { volumes.append(volume) }
        if volumes.isEmpty { return }
        let path = "\(folder)/volumes/metadata.db"
        let values: [[UInt8]?]
        do throws(BoltError) {
            values = try BoltDatabase.values(of: volumes.map(\.name), inBucket: Self.bucket, of: FilePath(path))
        } catch {
            throw EngineFilesError(path, error, hint: "Docker keeps the labels of volumes there, and makes the file when it starts")
        }
        for (volume, value) in zip(volumes, values) {
            if let value {
                known.append((volume.name, try Self.volume(value, volume.name, path)))
            } else if volume.driver == "local" {
                known.append((volume.name, Volume(driver: "local", options: try localOptions(volume.name))))
            }
        }
    }

    public func volume(_ name: String) -> Volume {
        known.first { $0.name.utf8.elementsEqual(name.utf8) }?.volume ?? Volume()
    }

    private static func volume(_ value: [UInt8], _ name: String, _ path: String) throws(EngineFilesError) -> Volume {
        do throws(JSONShapeError) {
            let object = try JSONObjectReader(parsing: value)
            let driver = try object.text("Driver")
            return Volume(
                driver: driver.isEmpty ? "local" : driver, labels: try object.map("Labels"), options: try object.map("Options"))
        } catch {
            throw EngineFilesError(path, "what it says of the volume \(JSONValue.string(name)): \(error)", cause: error)
        }
    }

    /// A local volume's options by themselves: `volumes/NAME/opts.json`, which is not there for a volume without any.
    private func localOptions(_ name: String) throws(EngineFilesError) -> StringMap {
        guard LexicalPath.isComponent(name) else { return [:] }
        let path = "\(folder)/volumes/\(name)/opts.json"
        guard let content = try readEngineFile(path, limit: Self.optionsLimit) else { return [:] }
        do throws(JSONShapeError) {
            let object = try JSONObjectReader(parsing: content)
            var options = StringMap()
            for (key, option) in [("MountType", "type"), ("MountOpts", "o"), ("MountDevice", "device")] {
                let value = try object.text(key)
                if !value.isEmpty { options[option] = value }
            }
            return options
        } catch {
            throw EngineFilesError(path, error)
        }
    }
}
