// SPDX-License-Identifier: AGPL-3.0-or-later

public import JSON

/// A volume as it was created; what the state directory keeps, one file a volume.
public struct VolumeDefinition: Sendable, Equatable {
    public let name: VolumeName
    /// The driver's name under which Docker created it: it is listed only there.
    public let driver: String
    /// RFC 3339, UTC.
    public let createdAt: String
    public let options: VolumeOptions

    /// Version of the file format.
    private static let format = 1

    public init(name: VolumeName, driver: String, createdAt: String, options: VolumeOptions) {
        self.name = name
        self.driver = driver
        self.createdAt = createdAt
        self.options = options
    }

    /// Reads a definition file.
    ///
    /// - Throws: `DamagedFile` with what is wrong in it.
    public init(parsing bytes: [UInt8]) throws(DamagedFile) {
        let document: JSONValue
        do throws(JSONError) { document = try JSONValue(parsing: bytes) } catch { throw DamagedFile("\(error)") }
        guard let format = document["format"]?.intValue else { throw DamagedFile("it has no format number") }
        guard format == Self.format else { throw DamagedFile("its format is \(format), and this version reads \(Self.format)") }
        guard let name = document["name"]?.stringValue.flatMap(VolumeName.init) else { throw DamagedFile("it has no valid name") }
        guard let driver = document["driver"]?.stringValue, let createdAt = document["createdAt"]?.stringValue,
            let members = document["options"]?.objectValue
        else { throw DamagedFile("driver, createdAt or options are missing") }
        var options: [String: String] = [:]
        for member in members.members {
            guard let value = member.value.stringValue else { throw DamagedFile("option \(member.key) is not a text") }
            options[member.key] = value
        }
        do throws(VolumeOptionError) {
            self.init(name: name, driver: driver, createdAt: createdAt, options: try VolumeOptions(options))
        } catch {
            throw DamagedFile("\(error)")
        }
    }

    public var json: JSONValue {
        [
            "format": JSONValue(Self.format), "name": .string(name.text), "driver": .string(driver), "createdAt": .string(createdAt),
            "options": .object(JSONObject(options.canonical)),
        ]
    }
}

/// A file of the daemon's own that cannot be used: what is wrong in it.
public struct DamagedFile: Error, Sendable, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}

extension JSONObject {
    /// Texts by key, sorted, so that equal content gives equal bytes.
    init(_ texts: [String: String]) {
        self.init()
        for (key, value) in texts.sorted(by: { $0.key < $1.key }) { self[key] = .string(value) }
    }
}
