// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
public import JSON
import LexicalPaths

/// What a config.v2.json says. Docker has written it before it asks for the container, and replaces it by rename.
public struct DockerContainer: Sendable {
    public struct Mount: Sendable {
        public let cleanedDestination: String
        /// `bind`, `volume`, `cluster`, `tmpfs`, `npipe`, `image`, or what comes after them.
        public let type: String
        /// Empty for a volume of a plugin, and for one that the image asks for.
        public let source: String
        public let isReadOnly: Bool
        public let mode: String
        public let propagation: String
        public let createsSource: Bool
        public let consistency: Consistency
        public let name: String
        public let driver: String
        /// With which the volume's driver was asked; not yet written when a container starts for the first time.
        public let mountID: String
        public let driverOptions: StringMap

        /// Why it cannot be told where it is mounted; nil if it can. Its volume can be told all the same.
        public let flaw: JSONShapeError?

        public var isOfImage: Bool { type == "image" }
        public var isVolume: Bool { type == "volume" || type == "cluster" }
        /// Those of memory and of images are no directories of the host's. A type of the future is better asked about than not.
        public var isInterposed: Bool { type != "tmpfs" && type != "npipe" && type != "image" }
    }

    public let id: String
    /// Without the slash that Docker puts before it.
    public let name: String
    /// As the container's creator spelled it.
    public let imageName: String
    /// `sha256:` and 64 digits.
    public let image: String
    /// The digest of the image's manifest, where images lie in containerd's store.
    public let imageManifest: String
    /// Of the layers' storage, such as `overlay2`.
    public let storageDriver: String
    public let labels: StringMap
    /// Whether it says anything of mounts. Docker writes it for a container without mounts, too.
    public let hasMounts: Bool
    /// Its first process, in the host's numbers; nil if none runs.
    public let process: Int32?
    /// Whether its process runs. One that waits to be restarted counts as running to Docker, but has no process.
    public let isRunning: Bool
    public let mounts: [Mount]

    public init(parsing bytes: [UInt8]) throws(JSONShapeError) {
        let object = try JSONObjectReader(parsing: bytes)
        id = try object.text("ID")
        image = try object.text("Image")
        imageManifest = try object.object("ImageManifest").text("digest")
        storageDriver = try object.text("Driver")
        let configuration = try object.object("Config")
        labels = try configuration.map("Labels")
        imageName = try configuration.text("Image")
        let name = try object.text("Name")
        self.name = name.utf8.first == UInt8(ascii: "/") ? String(name.dropFirst()) : name
        hasMounts = object.members["MountPoints"] != nil
        isRunning = Self.isRunning(object)
        let process: Int32? = (try? object.object("State").numberIfPresent("Pid")) ?? nil
        self.process = process.flatMap { $0 > 0 ? $0 : nil }
        var mounts: [Mount] = []
        for mount in try object.object("MountPoints").objectsInside() { mounts.append(try Mount(mount)) }
        self.mounts = mounts
    }

    /// What is not known for certain runs.
    private static func isRunning(_ object: JSONObjectReader) -> Bool {
        guard let state = try? object.object("State") else { return true }
        let process: Int? = try? state.numberIfPresent("Pid")
        return (try? state.flagIfPresent("Running")) != false && process != 0
    }
}

extension DockerContainer.Mount {
    fileprivate init(_ object: JSONObjectReader) throws(JSONShapeError) {
        let destination = try object.text("Destination")
        flaw = destination.isEmpty ? object.error("is missing", at: "Destination") : nil
        cleanedDestination = LexicalPath.absolute(destination)
        name = try object.text("Name")
        driver = try object.text("Driver")
        let type = try object.text("Type")
        self.type = type.isEmpty ? (driver.isEmpty ? "bind" : "volume") : type
        source = try object.text("Source")
        isReadOnly = try !object.flag("RW")
        mode = try object.text("Relabel")
        propagation = try object.text("Propagation")
        let skipsCreation = try object.flag("SkipMountpointCreation")
        createsSource = self.type == "bind" && !skipsCreation
        mountID = try object.text("ID")
        let specification = try object.object("Spec")
        consistency = try Self.consistency(specification.text("Consistency"), mode: mode)
        driverOptions = try specification.object("VolumeOptions").object("DriverConfig").map("Options")
    }

    /// `--mount` has it in a field of its own, `-v` among the words of the mode.
    private static func consistency(_ said: String, mode: String) -> Consistency {
        if !said.isEmpty { return Consistency(rawValue: said) }
        let known: [Consistency] = [.consistent, .cached, .delegated]
        for word in mode.utf8.split(separator: UInt8(ascii: ",")) {
            if let found = known.first(where: { $0.rawValue.utf8.elementsEqual(word) }) { return found }
        }
        return .default
    }
}
