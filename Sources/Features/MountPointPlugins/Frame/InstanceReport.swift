// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
import JSON
import LinuxSystem
import SystemPackage

/// What the instances of this host have on disk, for people and their scripts. Reads, and asks no plugin.
public struct InstanceReport: Sendable {
    private var instances: [(name: String, containers: [KeptContainer])] = []
    /// What could not be read.
    public private(set) var problems: [String] = []

    /// - Parameter wanted: a container's id, its beginning or its name; nil for all.
    public init(on places: PluginPlaces, container wanted: String? = nil) throws(PluginError) {
        let names: [String]
        do throws(SystemError) {
            names = try namesInFolder(places.state)
        } catch {
            if error.errno == .noSuchFileOrDirectory { return }
            throw PluginError("cannot tell which plugins have been at work: \(error)")
        }
        for name in names {
            let files = ContainerFiles(in: places.state.appending(name))
            var containers: [KeptContainer] = []
            do throws(PluginError) {
                for id in try files.ids() {
                    do throws(PluginError) {
                        if let container = try files.read(id), Self.isWanted(container, wanted) { containers.append(container) }
                    } catch {
                        problems.append("\(error)")
                    }
                }
            } catch {
                problems.append("\(error)")
            }
            if !containers.isEmpty { instances.append((name, containers)) }
        }
    }

    /// - Parameter wanted: a container's id, its beginning or its name; nil for any.
    static func isWanted(_ container: KeptContainer, _ wanted: String?) -> Bool {
        guard let wanted else { return true }
        return container.name.hasSameBytes(as: wanted) || (wanted.utf8.count >= 4 && container.id.hasBytePrefix(wanted))
            || container.id.hasSameBytes(as: wanted)
    }

    /// Whether it has a container.
    public var isEmpty: Bool { instances.isEmpty }

    /// One object on one line; the names of members are documented and stay.
    public var jsonText: String {
        let list = instances.flatMap { name, containers in
            containers.map { container -> JSONValue in
                var object: JSONObject = ["instance": .string(name)]
                for member in container.json.objectValue?.members ?? [] where !member.key.hasSameBytes(as: "version") {
                    object[member.key] = member.value
                }
                return .object(object)
            }
        }
        let report: JSONValue = [
            "version": 1, "containers": .array(list), "problems": .array(problems.map { .string($0) }),
        ]
        return "\(report)\n"
    }

    public var text: String {
        if instances.isEmpty { return "no plugin takes part in the mounts of a container\n" }
        var lines: [String] = []
        for (name, containers) in instances {
            for container in containers {
                let title = container.name.isEmpty ? String(container.id.prefix(12)) : "\(container.name) (\(container.id.prefix(12)))"
                lines.append("\(name): container \(title) since \(container.since)")
                for mount in container.mounts { lines += Self.lines(of: mount) }
            }
        }
        return lines.map { SanitizedText.withoutControls($0) + "\n" }.joined()
    }

    private static func lines(of mount: KeptMount) -> [String] {
        let moved = mount.effectiveSource.hasSameBytes(as: mount.source) ? "" : " -> \(mount.effectiveSource)"
        let rule = mount.record["rule"]?.stringValue
        let why = mount.choice.isEmpty ? rule.map { " [\($0)]" } ?? "" : " [\(mount.choice)]"
        let options = mount.options.isEmpty ? "" : " \(mount.options)"
        return ["  \(mount.destination): \(mount.source)\(moved)\(options)\(why)"]
    }
}
