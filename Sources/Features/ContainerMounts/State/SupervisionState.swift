// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
import OCIRuntime

/// What `container.json` says of a container that plugins take part in, for the processes that come later.
struct SupervisionState: Sendable, Equatable {
    /// How far the container's life has come.
    enum Phase: String, Sendable {
        /// Plugins are being asked; the delegate runtime does not know the container yet.
        case attaching
        /// The delegate runtime has been asked to create it.
        case creating
        /// The container exists; its process may have been started.
        case created
        /// The plugins have been asked to detach, as far as possible. They are not asked again.
        case ended
    }

    private static let version = 1

    /// The boot that the container was created in. After a reboot, nothing that the record describes exists any more.
    var boot: String
    var id: ContainerID
    var phase = Phase.attaching
    /// The path of the delegate runtime.
    var runtime: String
    /// The delegate runtime's global arguments, for further commands about this container.
    var arguments: [String]
    /// The bundle's config.json.
    var configuration: String
    /// Seconds that a plugin has for a call.
    var timeout: Double
    /// Whether the container's processes end with its first one: it has a process id namespace of its own.
    var ownsProcesses: Bool
    /// The process that the engine regards as the container's.
    var supervisor: ProcessIdentity?
    /// The container's first process.
    var process: ProcessIdentity?
    /// Device and inode of config.json as this program has written it. It is restored only if it is still that file.
    var writtenConfiguration: [UInt64]?
    /// When its creation began, in RFC 3339 form, for people. Records of earlier versions have no time.
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

extension SupervisionState {
    /// - Throws: `JSONShapeError` if it is damaged, or was written by another version of this program.
    init(parsing bytes: [UInt8]) throws(JSONShapeError) {
        let object = try JSONObjectReader.stateFile(bytes, version: Self.version)
        let phase = try object.need("phase", object.textIfPresent)
        guard let phase = Phase(rawValue: phase) else { throw object.error("must not be \(JSONValue.string(phase))", at: "phase") }
        self.init(
            boot: try object.need("boot", object.textIfPresent), id: try object.containerID(), phase: phase,
            runtime: try object.need("runtime", object.textIfPresent), arguments: try object.need("arguments", object.textsIfPresent),
            configuration: try object.need("configuration", object.textIfPresent), timeout: try object.callTimeout(),
            ownsProcesses: try object.need("ownsProcesses", object.flagIfPresent), supervisor: try Self.identity("supervisor", in: object),
            process: try Self.identity("process", in: object), writtenConfiguration: try object.numbersIfPresent("writtenConfiguration"),
            since: try object.textIfPresent("since"), name: try object.textIfPresent("name"), image: try object.textIfPresent("image"))
    }

    private static func identity(_ key: String, in object: JSONObjectReader) throws(JSONShapeError) -> ProcessIdentity? {
        guard let numbers: [UInt64] = try object.numbersIfPresent(key) else { return nil }
        guard numbers.count == 2, let process = Int32(exactly: numbers[0]) else {
            throw object.error("must be the id of a process and its time of start", at: key)
        }
        return ProcessIdentity(process: process, startTime: numbers[1])
    }
}

/// Members that all state files of this program have.
extension JSONObjectReader {
    /// Parses a state file.
    ///
    /// - Throws: `JSONShapeError` if it is damaged, or was written by another version of this program.
    static func stateFile(_ bytes: [UInt8], version: Int) throws(JSONShapeError) -> JSONObjectReader {
        let object = try JSONObjectReader(parsing: bytes)
        let written: Int = try object.need("version", object.numberIfPresent)
        if written != version { throw object.error("must be \(version), not \(written)", at: "version") }
        return object
    }

    func containerID() throws(JSONShapeError) -> ContainerID {
        let text = try need("id", textIfPresent)
        do throws(ContainerIDError) {
            return try ContainerID(text)
        } catch {
            throw self.error("is not one of a container: \(error)", at: "id")
        }
    }

    /// Seconds that a plugin has for a call.
    func callTimeout() throws(JSONShapeError) -> Double {
        let timeout = try need("timeout", secondsIfPresent)
        if timeout <= 0 || timeout > 3600 { throw error("must be above 0 and at most 3600", at: "timeout") }
        return timeout
    }
}
