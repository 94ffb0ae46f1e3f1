// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LexicalPaths
import OCIRuntime

/// The mounts on the command line of `ask`, in the words of `docker run`.
struct AskedMounts: Equatable {
    static let usage = """
        usage: mountpoint-runc [--mount-point-plugin NAME]... ask [FLAG]...
        Asks the plugins of the chain what they would make of a container's mounts, without a container.
        Plugins are really asked to attach, with an id that is made up, and may do work. They are asked to detach at once, last first,
        also after SIGINT or SIGTERM.
          -v, --volume SOURCE:PATH[:MODE]   a bind mount or volume, as docker run has it
          --mount KEY=VALUE,...             likewise: type, source, target, readonly, bind-propagation, consistency, volume-driver,
                                            volume-opt, volume-label
          --volume-driver NAME              of volumes by -v (default: local)
          --label KEY=VALUE                 of the container
          --image NAME                      the image
          --image-label KEY=VALUE           of the image
          --name NAME                       of the container
          --dry-run                         send nothing but the question for properties: only say who would be asked
          --json                            the answer as JSON
        Exit status: 0 if the container would start, 1 if not.
        """

    struct Mount: Equatable {
        var isVolume = false
        /// A path, or a volume's name.
        var source = ""
        var destination = ""
        var isReadOnly = false
        /// The third field of `-v`.
        var mode = ""
        var propagation = ""
        var consistency = ""
        /// Of a volume; empty for what `--volume-driver` says.
        var driver = ""
        var labels = StringMap()
        var driverOptions = StringMap()
        /// Docker makes a missing source of `-v`, and not of `--mount`.
        var createsSource = false
    }

    private(set) var mounts: [Mount] = []
    private(set) var labels = StringMap()
    private(set) var imageLabels = StringMap()
    private(set) var image = ""
    private(set) var name = ""
    private(set) var volumeDriver = "local"
    private(set) var isDryRun = false
    private(set) var isJSON = false
    private(set) var wantsHelp = false

    var container: ContainerDescription { ContainerDescription(labels: labels, name: name) }

    /// - Throws: `RuntimeError`, one line.
    init(_ words: [String]) throws(RuntimeError) {
        var position = 0
        while position < words.count {
            let word = words[position]
            position += 1
            switch word {
            case "--json": isJSON = true
            case "--dry-run": isDryRun = true
            case "--help", "-h": wantsHelp = true
            default:
                let (flag, given) = Self.split(word, at: "=")
                guard Self.flags.contains(where: { $0.utf8.elementsEqual(flag.utf8) }) else {
                    throw RuntimeError(
                        .badArguments, "ask: \(JSONValue.string(word)) is not known; mountpoint-runc ask --help says what is")
                }
                var value = given
                if value == nil, position < words.count {
                    value = words[position]
                    position += 1
                }
                guard let value, !value.isEmpty else { throw RuntimeError(.badArguments, "ask: \(flag) needs a value") }
                try accept(flag, value)
            }
        }
        if mounts.isEmpty && !container.isAddressed && !wantsHelp {
            throw RuntimeError(.badArguments, "ask: no mount is given; say -v SOURCE:PATH, and --help for more")
        }
    }

    private static let flags = [
        "-v", "--volume", "--mount", "--volume-driver", "--label", "-l", "--image", "--image-label", "--name",
    ]

    private mutating func accept(_ flag: String, _ value: String) throws(RuntimeError) {
        switch flag {
        case "-v", "--volume": mounts.append(try Self.volume(value))
        case "--mount": mounts.append(try Self.mount(value))
        case "--volume-driver": volumeDriver = value
        case "--label", "-l": Self.add(value, to: &labels)
        case "--image-label": Self.add(value, to: &imageLabels)
        case "--image": image = value
        default: name = value
        }
    }

    /// `KEY=VALUE`; without a value it is empty, as for Docker.
    private static func add(_ text: String, to map: inout StringMap) {
        let (key, value) = split(text, at: "=")
        map[key] = value ?? ""
    }

    private static func split(_ text: String, at separator: Unicode.Scalar) -> (String, String?) {
        guard let place = text.unicodeScalars.firstIndex(of: separator) else { return (text, nil) }
        return (String(text.unicodeScalars[..<place]), String(text.unicodeScalars[text.unicodeScalars.index(after: place)...]))
    }

    private static func volume(_ text: String) throws(RuntimeError) -> Mount {
        let fields = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        guard fields.count <= 3, fields.allSatisfy({ !$0.isEmpty }), let destination = fields.count == 1 ? fields.first : fields[1] else {
            throw RuntimeError(.badArguments, "ask: -v \(JSONValue.string(text)) must be SOURCE:PATH or SOURCE:PATH:MODE")
        }
        var mount = Mount()
        mount.source = fields.count == 1 ? "" : fields[0]
        mount.isVolume = !(mount.source.utf8.first == UInt8(ascii: "/") || mount.source.utf8.first == UInt8(ascii: "."))
        mount.createsSource = !mount.isVolume
        mount.mode = fields.count == 3 ? fields[2] : ""
        for word in mount.mode.split(separator: ",").map(String.init) {
            switch word {
            case "ro": mount.isReadOnly = true
            case "rw": mount.isReadOnly = false
            case "consistent", "cached", "delegated": mount.consistency = word
            case "private", "rprivate", "shared", "rshared", "slave", "rslave": mount.propagation = word
            default: break
            }
        }
        return try finished(mount, destination)
    }

    private static func mount(_ text: String) throws(RuntimeError) -> Mount {
        var mount = Mount(isVolume: true)
        var destination = ""
        for field in text.split(separator: ",").map(String.init) {
            let (key, given) = split(field, at: "=")
            let value = given ?? ""
            switch key.lowercased() {
            case "type":
                guard value == "bind" || value == "volume" else {
                    throw RuntimeError(
                        .badArguments,
                        "ask: --mount takes type=bind and type=volume; plugins are asked about no \(JSONValue.string(value))")
                }
                mount.isVolume = value == "volume"
            case "source", "src": mount.source = value
            case "target", "destination", "dst": destination = value
            case "readonly", "ro": mount.isReadOnly = given == nil || value == "true" || value == "1"
            case "bind-propagation": mount.propagation = value
            case "consistency": mount.consistency = value
            case "volume-driver": mount.driver = value
            case "volume-opt": add(value, to: &mount.driverOptions)
            case "volume-label": add(value, to: &mount.labels)
            case "volume-nocopy", "bind-recursive", "bind-nonrecursive", "volume-subpath": break
            default: throw RuntimeError(.badArguments, "ask: --mount has \(JSONValue.string(key)), which is not known here")
            }
        }
        return try finished(mount, destination)
    }

    private static func finished(_ mount: Mount, _ destination: String) throws(RuntimeError) -> Mount {
        var mount = mount
        guard destination.utf8.first == UInt8(ascii: "/") else {
            throw RuntimeError(.badArguments, "ask: \(JSONValue.string(destination)) is no absolute path in a container")
        }
        mount.destination = LexicalPath.absolute(destination)
        if !mount.isVolume {
            if mount.source.isEmpty { throw RuntimeError(.badArguments, "ask: the bind mount at \(mount.destination) has no source") }
            mount.source = LexicalPath.fromWorkingDirectory(mount.source)
            if mount.propagation.isEmpty { mount.propagation = "rprivate" }
        }
        if mount.consistency.isEmpty { mount.consistency = "default" }
        return mount
    }
}
