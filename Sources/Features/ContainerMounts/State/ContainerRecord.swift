// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
import OCIRuntime

/// What whoever comes next has to know about a container that plugins take part in.
struct ContainerRecord: Sendable, Equatable {
    /// How far the container's life has come.
    enum Phase: String, Sendable {
        /// Plugins are being asked; the runtime below knows nothing of the container yet.
        case attaching
        /// The runtime below has been asked to create it.
        case creating
        /// It is there; its process may have been started.
        case created
        /// The plugins have been asked to detach, all or as far as that went. Nobody asks them again.
        case ended
    }

    private static let version = 1

    /// A record of another boot describes nothing that is still there.
    var boot: String
    var id: ContainerID
    var phase = Phase.attaching
    /// The path of the runtime below.
    var runtime: String
    /// Its global arguments, for further commands about this container.
    var arguments: [String]
    /// The bundle's config.json.
    var configuration: String
    /// Seconds that a plugin has for a call.
    var timeout: Double
    /// Whether the container's processes end with its first one: it has a process id namespace of its own.
    var ownsProcesses: Bool
    /// The process that the engine takes for the container's.
    var supervisor: ProcessIdentity?
    /// The container's first process.
    var process: ProcessIdentity?
    /// config.json as this program has written it, to be put back only if nobody has changed it since: device, inode.
    var writtenConfiguration: [UInt64]?
    /// When its creation began, for people; as RFC 3339 has it. Records of earlier versions have no time.
    var since: String?
    /// What the engine calls the container and its image, for people, where that is known.
    var name: String?
    var image: String?

    func encoded() -> [UInt8] {
        var object: JSONObject = [
            "version": JSONValue(Self.version), "boot": .string(boot), "id": .string(id.text), "phase": .string(phase.rawValue),
            "runtime": .string(runtime), "arguments": .array(arguments.map { .string($0) }), "configuration": .string(configuration),
            "ownsProcesses": .bool(ownsProcesses),
        ]
        object["timeout"] = JSONNumber(timeout).map { .number($0) }
        object["supervisor"] = supervisor.map(Self.encode)
        object["process"] = process.map(Self.encode)
        object["writtenConfiguration"] = writtenConfiguration.map { .array($0.map { JSONValue($0) }) }
        for (key, text) in [("since", since), ("name", name), ("image", image)] { object[key] = text.map { .string($0) } }
        return JSONValue.object(object).encoded()
    }

    private static func encode(_ identity: ProcessIdentity) -> JSONValue {
        .array([JSONValue(identity.process), JSONValue(identity.startTime)])
    }
}

extension ContainerRecord {
    /// - Throws: `RuntimeError` if it is damaged, or was written by another version of this program.
    init(parsing bytes: [UInt8]) throws(RuntimeError) {
        let document: JSONValue
        do throws(JSONError) {
            document = try JSONValue(parsing: bytes)
        } catch {
            throw RuntimeError("not valid JSON: \(error)")
        }
        guard document["version"]?.intValue == Self.version else { throw RuntimeError("not of version \(Self.version)") }
        guard let boot = document["boot"]?.stringValue, let id = document["id"]?.stringValue.flatMap({ try? ContainerID($0) }),
            let phase = document["phase"]?.stringValue.flatMap(Phase.init), let runtime = document["runtime"]?.stringValue,
            let arguments = document["arguments"]?.arrayValue, let configuration = document["configuration"]?.stringValue,
            let timeout = document["timeout"]?.doubleValue, timeout > 0, timeout <= 3600,
            let ownsProcesses = document["ownsProcesses"]?.boolValue
        else { throw RuntimeError("not complete") }
        self.init(
            boot: boot, id: id, phase: phase, runtime: runtime, arguments: arguments.compactMap(\.stringValue),
            configuration: configuration,
            timeout: timeout, ownsProcesses: ownsProcesses, supervisor: Self.identity(document["supervisor"]),
            process: Self.identity(document["process"]), writtenConfiguration: Self.numbers(document["writtenConfiguration"]),
            since: document["since"]?.stringValue, name: document["name"]?.stringValue, image: document["image"]?.stringValue)
    }

    private static func identity(_ value: JSONValue?) -> ProcessIdentity? {
        guard let numbers = numbers(value), numbers.count == 2, let process = Int32(exactly: numbers[0]) else { return nil }
        return ProcessIdentity(process: process, startTime: numbers[1])
    }

    private static func numbers(_ value: JSONValue?) -> [UInt64]? {
        value?.arrayValue?.compactMap { value in
            guard case .number(let number) = value else { return nil }
            return UInt64(number.text)
        }
    }
}
