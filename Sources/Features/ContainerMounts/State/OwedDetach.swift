// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
import MountPointChain
import OCIRuntime

/// A plugin that has attached for a container and has not, or may not have, been told that the container has ended.
struct OwedDetach: Sendable, Equatable {
    private static let version = 1

    /// The boot in which it attached.
    var boot: Boot
    var id: ContainerID
    /// Its index among the plugins of that container. The last to attach is the first to be asked.
    var place: Int
    /// Seconds that a plugin has for a call, if it has not said more.
    var timeout: Double
    /// With this plugin alone in it.
    var stack: AppliedStack

    /// - Returns: nil for a stack without that place.
    init?(at place: Int, of stack: AppliedStack, boot: Boot, id: ContainerID, timeout: Double) {
        guard stack.plugins.indices.contains(place) else { return nil }
        (self.boot, self.id, self.place, self.timeout) = (boot, id, place, timeout)
        self.stack = stack
        self.stack.plugins = [stack.plugins[place]]
    }

    /// Without `plugin:`.
    var name: String { stack.plugins.first?.name ?? "" }

    /// Whether it could not be asked. Otherwise a plugin above it in the chain stopped the unwinding.
    var couldNotBeAsked: Bool { stack.plugins.first?.state == .owed }

    /// Why, in words that end a sentence.
    ///
    /// - Parameter current: the current boot; nil if it is not known.
    func reason(_ current: Boot?) -> String {
        if let current, current != boot { return "it has not been told that a reboot has ended the container" }
        if couldNotBeAsked { return "it could not be reached when the container ended" }
        return "undoing has stopped: \(stack.stopped ?? "for an unknown reason")"
    }

    func encoded() -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        for (key, value) in [
            ("version", JSONValue(Self.version)), ("boot", .string(boot.text)), ("id", .string(id.text)), ("place", JSONValue(place)),
            ("timeout", JSONNumber(timeout).map { .number($0) } ?? .null),
        ] as [(String, JSONValue)] {
            writer.key(key)
            writer.write(value)
        }
        writer.key("stack")
        stack.write(to: &writer)
        writer.endObject()
        return writer.bytes
    }

    /// - Throws: `JSONShapeError` if it is damaged, or was written by another version of this program.
    init(parsing bytes: [UInt8]) throws(JSONShapeError) {
        let object = try JSONObjectReader.stateFile(bytes, version: Self.version)
        boot = Boot(try object.need("boot", object.textIfPresent))
        id = try object.containerID()
        place = try object.need("place", object.numberIfPresent)
        timeout = try object.callTimeout()
        stack = try AppliedStack(object.need("stack", object.objectIfPresent))
        if stack.plugins.count != 1 { throw object.error("is not of one plugin", at: "stack") }
    }
}
