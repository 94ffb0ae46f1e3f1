// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerFiles
public import DockerPluginAPI
import JSON
import KernelMount
import LinuxSystem
import SystemPackage
import Volumes

/// `docker-nfsd import`: how a volume that another driver has is defined for this one. Reads Docker's files, and changes nothing.
///
/// Only a volume whose options name an NFS export can be one of docker-nfsd. What the local driver left to the kernel is said in words,
/// so that the mount is the same as before.
public struct VolumeImport: Sendable {
    /// One of this daemon's names.
    static let driver = DaemonSettings.driverNames[0]
    /// Compose sets them anew.
    private static let composeLabels = "com.docker.compose."

    private let name: String
    private let labels: [(key: String, value: String)]
    private let options: [(key: String, value: String)]
    private let notes: [String]

    /// - Throws: `PluginError`, if Docker knows no such volume, or its options name no export.
    public init(_ name: String, settings: DaemonSettings) throws(PluginError) {
        self.name = name
        let volume = try Self.volume(name, settings.engine)
        if DaemonSettings.driverNames.contains(volume.driver) { throw PluginError("\(name) is a volume of docker-nfsd already") }
        let given = Dictionary(volume.options.entries.map { ($0.key, $0.value) }) { $1 }
        if given.isEmpty {
            throw PluginError("Docker knows no options of a volume \(name): there is none of that name, or it is on this host's own disk")
        }
        let isLocal = volume.driver == "local"
        if isLocal, let type = given["type"], type != "nfs" && type != "nfs4" {
            throw PluginError("\(name) is a volume of the type \(type); docker-nfsd has those of the types nfs and nfs4")
        }
        do throws(StorageError) {
            let options = try VolumeOptions(given, kind: settings.volumes.kind)
            self.options = try Self.options(options.canonical, isLocal: isLocal)
            var notes = ["the volume \(name) of the driver \(volume.driver), which is \(options.source.text)"]
            if isLocal && given["type"] == "nfs" && options.canonical["nfsvers"] == "auto" {
                notes.append("local mounted it by version 3; docker-nfsd tries 4.2 first, unless you write nfsvers=3 for nfsvers=auto")
            }
            self.notes = notes
        } catch {
            throw PluginError("the options of \(name) are not those of an NFS volume: \(error)")
        }
        labels = volume.labels.entries.filter { !$0.key.hasBytePrefix(Self.composeLabels) }.map { ($0.key, $0.value) }
    }

    private static func volume(_ name: String, _ engine: EngineSettings) throws(PluginError) -> DockerVolumes.Volume {
        var failure: EngineFilesError?
        do throws(EngineFilesError) {
            let roots: [String]
            if let root = engine.dataRoot {
                roots = [root.string]
            } else {
                roots = try DockerSettings.read(from: engine.daemonFile.string).dataRoots
            }
            for folder in roots.flatMap(DockerContainerFile.foldersWithRecords) {
                do throws(EngineFilesError) {
                    let volume = try DockerVolumes([(name, "local")], folder: folder).volume(name)
                    if !volume.options.entries.isEmpty { return volume }
                } catch {
                    failure = failure ?? error
                }
            }
        } catch {
            throw PluginError(error.description)
        }
        if let failure { throw PluginError(failure.description) }
        return DockerVolumes.Volume()
    }

    /// The export first. With the local driver nobody had said `soft` or `noatime`, which are the defaults here.
    private static func options(
        _ canonical: [String: String], isLocal: Bool
    ) throws(StorageError) -> [(key: String, value: String)] {
        var canonical = canonical
        var words = try MountOption.list(canonical.removeValue(forKey: "o") ?? "").filter {
            // Said by options of their own.
            !["addr", "vers", "nfsvers"].contains($0.key)
        }
        if isLocal {
            let given = Set(words.map(\.key))
            if given.isDisjoint(with: ["hard", "soft", "softerr"]) { words.append(MountOption("hard")) }
            if given.isDisjoint(with: ["atime", "noatime", "relatime", "norelatime", "strictatime"]) {
                words.append(MountOption("relatime"))
            }
        }
        let text = words.map(\.description).map { $0.utf8.contains(UInt8(ascii: ",")) ? "\"\($0)\"" : $0 }.joined(separator: ",")
        if !text.isEmpty { canonical["o"] = text }
        let first = ["server", "path", "nfsvers", "o"]
        return first.compactMap { key in canonical[key].map { (key, $0) } }
            + canonical.filter { !first.contains($0.key) }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Commands for a shell, and the same for a Compose file as comments.
    public var text: String {
        let words =
            ["docker", "volume", "create", "--driver", Self.driver] + labels.flatMap { ["--label", "\($0.key)=\($0.value)"] }
            + options.flatMap { ["--opt", "\($0.key)=\($0.value)"] } + [name]
        let compose =
            ["volumes:", "  \(Self.quoted(name)):", "    driver: \(Self.driver)", "    driver_opts:"]
            + options.map { "      \($0.key): \(Self.quoted($0.value))" }
        let lines =
            notes.map { "# \($0)" } + [
                "docker volume rm \(Self.word(name))", words.map(Self.word).joined(separator: " "), "# in a Compose file:",
            ]
            + compose.map { "# \($0)" }
        return lines.map { SanitizedText.withoutControls($0) + "\n" }.joined()
    }

    /// As a shell takes it.
    private static func word(_ text: String) -> String {
        let isPlain =
            !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "-_./:=,+@%".utf8.contains(byte)
                }
            }
        return isPlain ? text : "'\(replaced(UInt8(ascii: "'"), by: "'\\''", in: text))'"
    }

    /// As YAML takes it, which has JSON's texts. Compose has `$` for variables.
    private static func quoted(_ text: String) -> String { "\(JSONValue.string(replaced(UInt8(ascii: "$"), by: "$$", in: text)))" }

    private static func replaced(_ byte: UInt8, by other: String, in text: String) -> String {
        String(decoding: text.utf8.flatMap { $0 == byte ? Array(other.utf8) : [$0] }, as: UTF8.self)
    }
}
