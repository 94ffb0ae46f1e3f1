// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerFiles
public import DockerPluginAPI
import Glibc
import LexicalPaths
import LinuxSystem
public import SystemPackage

/// The folders of this host that plugins use.
public struct PluginPlaces: Sendable, Equatable {
    /// Where Docker looks for plugins' sockets.
    public var sockets = FilePath("/run/docker/plugins")
    /// Has a settings file for each instance.
    public var settings = FilePath("/etc/docker/mountpoint-plugin")
    /// Has a folder for each instance.
    public var state = FilePath("/var/lib/mountpoint-plugin")
    /// What mountpoint-runc keeps of running containers.
    public var runtime = FilePath("/run/mountpoint-runc")
    /// Docker's own state.
    public var docker = FilePath("/var/lib/docker")
    /// Has the chain.
    public var runtimeSettings = FilePath("/etc/docker/mountpoint-runc.json")
    /// dockerd's own settings, in which its runtimes may have a chain in their arguments.
    public var engineSettings = FilePath("/etc/docker/daemon.json")

    public init() {}

    /// Those of Docker's state that have `containers` and `volumes`: more than one where user ids are, or were, remapped.
    var dockerFolders: [FilePath] { DockerContainerFile.foldersWithRecords(in: docker.string).map { FilePath($0) } }

    /// An environment variable that sets one of them.
    public struct Variable: Sendable {
        public let name: String
        /// What the folder is for.
        public let help: String
        public let set: @Sendable (_ places: inout PluginPlaces, _ folder: FilePath) -> Void
    }

    public static let variables = [
        Variable(name: "MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY", help: "where the socket is made") { $0.sockets = $1 },
        Variable(name: "MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY", help: "where INSTANCE.json is") { $0.settings = $1 },
        Variable(name: "MOUNTPOINT_PLUGIN_STATE_DIRECTORY", help: "where each instance keeps its state") { $0.state = $1 },
        Variable(name: "MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY", help: "where mountpoint-runc keeps its containers") { $0.runtime = $1 },
        Variable(name: "MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY", help: "Docker's data root") { $0.docker = $1 },
    ]

    /// The folders of this host, as far as the environment does not name others.
    ///
    /// - Throws: `PluginError` for one that is no absolute path.
    public static func ofEnvironment() throws(PluginError) -> PluginPlaces {
        var places = PluginPlaces()
        for variable in variables {
            guard let text = getenv(variable.name).map({ String(cString: $0) }), !text.isEmpty else { continue }
            guard text.utf8.first == UInt8(ascii: "/") else { throw PluginError("\(variable.name)=\(text): must be an absolute path") }
            variable.set(&places, FilePath(text))
        }
        return places
    }
}

/// A plugin that is served under a name, with settings and state of its own.
public struct PluginInstance: Sendable, Equatable {
    public let kind: String
    /// Of the socket, and in the chain.
    public let name: String
    public let places: PluginPlaces

    /// - Parameter name: nil for the kind's.
    /// - Throws: `PluginError` if it can be no file's name.
    public init(of kind: String, named name: String? = nil, places: PluginPlaces) throws(PluginError) {
        let name = name ?? kind
        guard LexicalPath.isComponent(name), name.utf8.first != UInt8(ascii: "."), name.utf8.count <= 64,
            name.utf8.allSatisfy({ $0 > UInt8(ascii: " ") && $0 < 0x7f })
        else {
            throw PluginError("\(name) can be no plugin's name; take at most 64 letters, digits and hyphens")
        }
        self.kind = kind
        self.name = name
        self.places = places
    }

    public var socket: FilePath { places.sockets.appending(name + ".sock") }
    public var settingsFile: FilePath { places.settings.appending(name + ".json") }
    /// Its own, of mode 0711: what it mounts in there must be reached by containers' users.
    public var state: FilePath { places.state.appending(name) }
}
