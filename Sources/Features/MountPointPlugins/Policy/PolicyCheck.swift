// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerFiles
public import DockerPluginAPI
import JSON
import LexicalPaths
import LinuxSystem
import SystemPackage

/// What a policy would say of a container's mounts, by the words of `docker run` and without a container.
public struct PolicyCheck: Sendable {
    public var image = ""
    public var name = ""
    /// `UID` or `UID:GID`; Docker would look names up in the image.
    public var user = ""
    public var volumeDriver = "local"
    /// `KEY=VALUE`.
    public var labels: [String] = []
    public var imageLabels: [String] = []
    /// `SOURCE:PATH[:MODE]`.
    public var volumes: [String] = []

    public init() {}

    /// - Returns: a line for each mount, and whether all of them would be let through.
    /// - Throws: `PluginError` for words that mean nothing, settings that are wrong, and a host that cannot be looked at.
    public func run(_ instance: PluginInstance) throws(PluginError) -> (text: String, isAllowed: Bool) {
        guard let kind = try InstanceSettings(of: PolicyKind.self, instance).kind as? PolicyKind else { return ("", false) }
        var lines: [String] = []
        var isAllowed = true
        for word in volumes {
            let mount = try mount(word, instance.places)
            let decision = kind.decide(on: mount)
            isAllowed = isAllowed && decision.action != .deny
            let why = decision.text.isEmpty ? "" : ": \(decision.text)"
            lines.append(SanitizedText.withoutControls("\(word): \(Self.words(decision.action)) by \(decision.rule)\(why)"))
        }
        return (lines.map { $0 + "\n" }.joined(), isAllowed)
    }

    private static func words(_ action: PolicyAction) -> String {
        switch action {
        case .allow: "allowed"
        case .readOnly: "read-only"
        case .deny: "denied"
        }
    }

    private func mount(_ word: String, _ places: PluginPlaces) throws(PluginError) -> MountPoint {
        let fields = word.split(atByte: ":", omittingEmpty: false)
        guard (2...3).contains(fields.count), fields.allSatisfy({ !$0.isEmpty }), fields[1].utf8.first == UInt8(ascii: "/") else {
            throw PluginError("-v \(word): must be SOURCE:PATH or SOURCE:PATH:MODE, as docker run has it")
        }
        let modes = fields.count == 3 ? fields[2].split(atByte: ",") : []
        let isVolume = fields[0].utf8.first != UInt8(ascii: "/")
        var mount = MountPoint(
            type: isVolume ? .volume : .bind, source: fields[0], destination: LexicalPath.absolute(fields[1]),
            readOnly: modes.contains("ro"),
            mode: fields.count == 3 ? fields[2] : "")
        let words = ["shared", "rshared", "slave", "rslave", "private", "rprivate"]
        mount.propagation = .init(rawValue: modes.first(where: words.contains) ?? (isVolume ? "" : "rprivate"))
        mount.container = ContainerDescription(labels: Self.map(labels), name: name, user: try containerUser)
        mount.image = MountPoint.Image(labels: Self.map(imageLabels), name: image)
        if isVolume {
            try describeVolume(&mount, places)
        } else {
            mount.effectiveSource = resolvingSymbolicLinks(FilePath(fields[0])).string
            mount.origin = try HostPaths().paths(showing: mount.effectiveSource)
        }
        return mount
    }

    private var containerUser: ContainerDescription.User? {
        get throws(PluginError) {
            if user.isEmpty { return ContainerDescription.User(uid: 0, gid: 0) }
            let ids = user.split(atByte: ":").map(UInt32.init)
            guard let uid = ids.first ?? nil, let gid = ids.count == 2 ? ids[1] : 0 else {
                throw PluginError("--user \(user): must be UID or UID:GID")
            }
            return ContainerDescription.User(uid: uid, gid: gid)
        }
    }

    /// By Docker's own files. A volume that is not mounted shows what it would show then.
    private func describeVolume(_ mount: inout MountPoint, _ places: PluginPlaces) throws(PluginError) {
        let folder = places.docker.appending("volumes").string
        mount.volume = MountPoint.Volume(name: mount.source, driver: volumeDriver)
        let path = "\(folder)/\(mount.source)/_data"
        let table = try HostPaths()
        mount.effectiveSource = path
        mount.origin = try table.paths(showing: path)
        guard let found = try? DockerVolumes([(mount.source, volumeDriver)], folder: places.docker.string) else { return }
        let known = found.volume(mount.source)
        mount.volume.labels = known.labels
        mount.volume.options = known.options
        guard volumeDriver.hasSameBytes(as: "local"), let device = known.options["device"] else { return }
        switch known.options["type"] ?? "" {
        case "overlay": mount.origin.append("/")
        case let type where type.isEmpty || type == "none" || (known.options["o"] ?? "").split(atByte: ",").contains("bind"):
            mount.origin += try table.paths(showing: device)
        default: break
        }
    }

    /// Without a value it is empty, as for Docker.
    private static func map(_ words: [String]) -> StringMap {
        var map = StringMap()
        for word in words {
            let parts = word.split(atByte: "=", maxSplits: 1, omittingEmpty: false)
            map[parts.first ?? ""] = parts.count == 2 ? parts[1] : ""
        }
        return map
    }
}
