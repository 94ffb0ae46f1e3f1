// SPDX-License-Identifier: AGPL-3.0-or-later

public import JSON
import KernelMount

/// A volume as it was created; what the state directory keeps, one file a volume.
public struct VolumeDefinition: Sendable, Equatable {
    public let name: VolumeName
    /// The driver's name under which Docker created it: it is listed only there.
    public let driver: String
    /// RFC 3339, UTC.
    public let createdAt: String
    /// With the share's server and path, for a volume of a share.
    public let options: VolumeOptions
    /// The share whose catalogue this was learned from; nil for a volume of this host.
    public let share: Share?

    /// Version of the file format.
    private static let format = 1

    public init(name: VolumeName, driver: String, createdAt: String, options: VolumeOptions, share: Share? = nil) {
        self.share = share
        self.name = name
        self.driver = driver
        self.createdAt = createdAt
        self.options = options
    }

    /// In what this differs from another definition of the volume, in words; nil if both mean the same.
    ///
    /// - Throws: `StorageError` if they are of different drivers.
    func difference(from wanted: VolumeDefinition) throws(StorageError) -> String? {
        guard driver == wanted.driver else {
            throw StorageError(.conflict, "volume \(name) exists under the driver name \(driver); use that name, or remove it there first")
        }
        let differing = wanted.options.differences(from: options)
        if differing.isEmpty { return nil }
        return differing.map {
            "\($0)=\(options.canonical[$0] ?? "(not set)") instead of \(wanted.options.canonical[$0] ?? "(not set)")"
        }.joined(separator: ", ")
    }

    /// Reads a definition file.
    ///
    /// - Parameter catalogue: the share in whose catalogue the file is, where other hosts write too; nil for a file of this host.
    /// - Throws: `StorageError` with what is wrong in it.
    init(parsing bytes: [UInt8], kind: any FileSystemKind, in catalogue: Share? = nil) throws(StorageError) {
        let document: JSONValue
        do throws(JSONError) { document = try JSONValue(parsing: bytes) } catch { throw StorageError(.damaged, "\(error)") }
        // The reader's own words name a member; these say what it is for.
        guard let fields = try? JSONObjectReader(document), let format: Int = try? fields.numberIfPresent("format") else {
            throw StorageError(.damaged, "it has no format number")
        }
        guard format == Self.format else { throw StorageError(.damaged, "its format is \(format), and this version reads \(Self.format)") }
        guard let name = (try? fields.textIfPresent("name")).flatMap(VolumeName.init) else {
            throw StorageError(.damaged, "it has no valid name")
        }
        guard let driver = try? fields.textIfPresent("driver"), let createdAt = try? fields.textIfPresent("createdAt"),
            let given = try? fields.objectIfPresent("options")
        else { throw StorageError(.damaged, "driver, createdAt or options are missing") }
        var options: [String: String] = [:]
        for member in given.members.members {
            guard let value = member.value.stringValue else { throw StorageError(.damaged, "option \(member.key) is not a text") }
            options[member.key] = value
        }
        do throws(StorageError) {
            var share = catalogue
            if share == nil, fields.members["share"] != nil { share = try Share((try? fields.textIfPresent("share")) ?? "", kind: kind) }
            if share != nil, kind.namesServer(options) { throw StorageError(.badOption, "a volume of a share names no server") }
            let checked: VolumeOptions
            if let share {
                checked = try share.options(options, of: name, kind: kind)
            } else {
                checked = try VolumeOptions(options, kind: kind)
            }
            self.init(name: name, driver: driver, createdAt: createdAt, options: checked, share: share)
        } catch {
            throw StorageError(.damaged, "\(error)")
        }
        if catalogue != nil { try checkForOthers() }
    }

    /// Checks what other hosts wrote. One bad word in an answer would make Docker refuse all of it.
    private func checkForOthers() throws(StorageError) {
        guard DaemonSettings.driverNames.contains(driver) else { throw StorageError(.damaged, "it has no driver's name in driver") }
        guard isTime(createdAt) else { throw StorageError(.damaged, "createdAt is not a time such as 2026-03-01T12:00:00Z") }
        guard name.text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            throw StorageError(.damaged, "its name has a control character in it")
        }
    }

    /// Whether this is a valid RFC 3339 UTC time, to the second; Go's time package refuses a date that does not exist.
    private func isTime(_ text: String) -> Bool {
        let form = "0000-00-00T00:00:00Z".utf8
        guard text.utf8.count == form.count,
            zip(text.utf8, form).allSatisfy({ (0x30...0x39).contains($0) ? $1 == 0x30 : $0 == $1 && $1 != 0x30 })
        else { return false }
        let numbers = text.utf8.split { !(0x30...0x39).contains($0) }.compactMap { Int(String(decoding: $0, as: UTF8.self)) }
        let (year, month) = (numbers[0], numbers[1])
        guard (1...12).contains(month) else { return false }
        let isLeap = year.isMultiple(of: 4) && !year.isMultiple(of: 100) || year.isMultiple(of: 400)
        let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
        return (1...days).contains(numbers[2]) && numbers[3] < 24 && numbers[4] < 60 && numbers[5] < 60
    }

    /// What this host keeps.
    public var json: JSONValue {
        guard let share else { return .object(object) }
        var object = object
        object["share"] = .string(share.text)
        return .object(object)
    }

    /// What a share's catalogue keeps: nothing of how the share is reached, which is each host's setting.
    var catalogueJSON: JSONValue { .object(object) }

    private var object: JSONObject {
        let given = share.map { share in options.canonical.filter { share.options[$0.key] == nil } } ?? options.canonical
        return [
            "format": JSONValue(Self.format), "name": .string(name.text), "driver": .string(driver), "createdAt": .string(createdAt),
            "options": .object(JSONObject(given)),
        ]
    }
}

extension JSONObject {
    /// Texts by key, sorted, so that equal content gives equal bytes.
    init(_ texts: [String: String]) {
        self.init()
        for (key, value) in texts.sorted(by: { $0.key < $1.key }) { self[key] = .string(value) }
    }
}
