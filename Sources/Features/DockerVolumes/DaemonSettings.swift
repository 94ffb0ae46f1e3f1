// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
public import Logging
public import KernelMount
public import NFS
public import SharedCatalogue
public import SystemPackage
public import Volumes

/// All settings of docker-nfsd: built-in values, under the file's, under the environment's, under the command line's.
///
/// Read by hand and not by swift-configuration: that library makes the stripped program larger than 20 MB, and its JSON
/// files need the whole of Foundation. Each setting has one key, which is its name in all three places.
public struct DaemonSettings: Sendable {
    public var volumes = VolumeSettings(
        kind: NFS(), stateDirectory: "/var/lib/docker-nfsd", runtimeDirectory: "/run/docker-nfsd", processName: "nfsd")
    public var catalogue = CatalogueSettings(owners: driverNames)
    public var engine = EngineSettings()
    /// Each volume is mounted in a folder of its own here.
    public var mountDirectory: FilePath = "/var/lib/docker-volumes-nfsd"
    public var nfs = NFSSettings()
    /// Where the sockets are made if systemd does not hand them over.
    public var socketDirectory: FilePath = "/run/docker/plugins"
    public var logLevel = Logger.Level.info
    /// Where metrics can be read; nil for nowhere, and then nothing is counted.
    public var metrics: MetricsAddress?

    public static let defaultFile: FilePath = "/etc/docker/docker-nfsd.json"
    /// The names under which Docker finds the driver; each is the name of a socket too.
    public static let driverNames = ["nfsd", "docker-nfsd"]
    private static let longestFile = 1 << 20

    /// What a setting is called, what it is for, and what its text changes.
    public struct Setting: Sendable {
        public let key: String
        public let help: String
        fileprivate let apply: @Sendable (inout DaemonSettings, String) throws(StorageError) -> Void

        /// `state-directory` is `DOCKER_NFSD_STATE_DIRECTORY` in the environment.
        public var variable: String { "DOCKER_NFSD_" + key.uppercased().map { $0 == "-" ? "_" : String($0) }.joined() }
    }

    public static let all: [Setting] = [
        folder("state-directory", "where volumes are defined", \.volumes.stateDirectory),
        folder("runtime-directory", "where references are kept until the next boot", \.volumes.runtimeDirectory),
        folder("mount-directory", "where volumes are mounted", \.mountDirectory),
        folder("socket-directory", "where the sockets are made", \.socketDirectory),
        Setting(key: "docker-directory", help: "Docker's data root, to tell which containers hold a volume") {
            settings, text throws(StorageError) in settings.engine.dataRoot = try absoluteFolder(text)
        },
        Setting(key: "engine-socket", help: "Docker's API, to make the engine look the driver up; none leaves that out") {
            settings, text throws(StorageError) in
            if text == "none" { return settings.engine.apiSocket = nil }
            guard text.hasBytePrefix("/"), text.utf8.count <= 107, !text.utf8.contains(where: { $0 < 0x20 }) else {
                throw StorageError(.badSetting, "neither an absolute path of at most 107 bytes nor none")
            }
            settings.engine.apiSocket = FilePath(text)
        },
        Setting(key: "share", help: "export for volumes that name no server, as HOST:/EXPORT; the same on every node") {
            settings, text throws(StorageError) in
            do throws(StorageError) { settings.volumes.share = try Share(text, kind: NFS()) } catch {
                throw StorageError(.badSetting, "\(error)")
            }
        },
        seconds("share-refresh", "seconds between two looks into the share's catalogue", 2...3600, \.catalogue.refresh),
        Setting(key: "options", help: "mount options for every volume that does not say otherwise") {
            settings, text throws(StorageError) in
            let options: NFSOptions
            do throws(StorageError) { options = try NFSOptions(text) } catch { throw StorageError(.badSetting, "\(error)") }
            if options.versions != nil { throw StorageError(.badSetting, "give the version as nfsvers") }
            if options.server != nil { throw StorageError(.badSetting, "a server cannot be a default") }
            settings.nfs.mountOptions = text
        },
        Setting(key: "nfsvers", help: "version of NFS for volumes that name none: 4.2, 4.1, 4.0, 3 or auto") {
            settings, text throws(StorageError) in
            guard let policy = VersionPolicy(text) else {
                throw StorageError(.badSetting, "not a version of NFS: give 4.2, 4.1, 4.0, 3 or auto")
            }
            settings.nfs.versions = policy
        },
        seconds("mount-deadline", "seconds for a mount, all in all (Docker waits 120)", 1...110, \.volumes.limits.mount),
        seconds("probe-deadline", "seconds for a server to answer at all", 1...60, \.nfs.limits.probe),
        seconds("resolve-deadline", "seconds for resolving a server's name", 1...60, \.nfs.limits.resolution),
        seconds("unmount-deadline", "seconds for each step of unmounting (Docker waits 60 for all)", 1...20, \.volumes.limits.unmount),
        seconds(
            "remove-deadline", "seconds for archiving or deleting a removed volume's directory (Docker waits 60)", 1...55, \.volumes.removal
        ),
        Setting(key: "retry", help: "for how long a mount waits for a server that does not answer yet: boot, off or seconds") {
            settings, text throws(StorageError) in
            switch text {
            case "boot": settings.volumes.patience = .afterBoot
            case "off": settings.volumes.patience = .none
            default:
                guard let number = Int(text), (1...90).contains(number) else {
                    throw StorageError(.badSetting, "neither boot nor off nor a number of seconds from 1 to 90")
                }
                settings.volumes.patience = .always(.seconds(number))
            }
        },
        Setting(
            key: "restart-failed", help: "start containers again that could not start without a volume, once its server answers: on or off"
        ) {
            settings, text throws(StorageError) in
            guard text == "on" || text == "off" else { throw StorageError(.badSetting, "neither on nor off") }
            settings.engine.restartsFailedContainers = text == "on"
        },
        Setting(key: "mount-method", help: "how the kernel is asked: automatic, fsopen or mount") { settings, text throws(StorageError) in
            guard let method = MountMethod(rawValue: text) else { throw StorageError(.badSetting, "not one of automatic, fsopen, mount") }
            settings.volumes.mountMethod = method
        },
        Setting(key: "metrics", help: "where Prometheus reads metrics: unix:/PATH, 127.0.0.1:PORT, [::1]:PORT or none") {
            settings, text throws(StorageError) in
            settings.metrics = text == "none" ? nil : try MetricsAddress(text)
        },
        Setting(key: "log-level", help: "debug, info, notice, warning or error") { settings, text throws(StorageError) in
            guard let level = Logger.Level(rawValue: text), level >= .debug, level <= .error else {
                throw StorageError(.badSetting, "not one of debug, info, notice, warning, error")
            }
            settings.logLevel = level
        },
    ]

    public init() { volumes.patience = .afterBoot }

    /// Where volumes are mounted.
    var places: FolderForEachVolume { FolderForEachVolume(in: mountDirectory) }

    /// Reads all layers.
    ///
    /// - Parameters:
    ///   - file: where the settings file is. It may be missing, unless `fileIsRequired`.
    ///   - environment: the process's variables.
    ///   - flags: texts from the command line, by key.
    /// - Throws: `StorageError` naming the file and line, the variable or the flag.
    public init(file: FilePath, fileIsRequired: Bool = false, environment: [String: String], flags: [String: String] = [:])
        throws(StorageError)
    {
        self.init()
        try readFile(file, isRequired: fileIsRequired)
        for setting in Self.all {
            if let text = environment[setting.variable] { try set(setting, text, at: setting.variable) }
        }
        for setting in Self.all {
            if let text = flags[setting.key] { try set(setting, text, at: "--\(setting.key)") }
        }
        if engine.restartsFailedContainers, engine.apiSocket == nil {
            throw StorageError(.badSetting, "restart-failed is on, but engine-socket is none: give the socket of Docker's API")
        }
        volumes.kind = NFS(nfs)
        mountDirectory = resolvingSymbolicLinks(mountDirectory)
        volumes.runtimeDirectory = resolvingSymbolicLinks(volumes.runtimeDirectory)
    }

    private mutating func readFile(_ file: FilePath, isRequired: Bool) throws(StorageError) {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try readRegularFile(file, limit: Self.longestFile)
        } catch {
            if error.errno == .noSuchFileOrDirectory && !isRequired { return }
            throw StorageError(.badSetting, "settings file: \(error)")
        }
        let document: JSONValue
        do throws(JSONError) {
            document = try JSONValue(parsing: bytes)
        } catch {
            throw StorageError(.badSetting, "\(file):\(error.line): \(error.reason)")
        }
        guard let object = try? JSONObjectReader(document).members else {
            throw StorageError(.badSetting, "\(file):1: the file must hold one JSON object, {\"key\": value, …}")
        }
        for member in object.members {
            let place = "\(file):\(Self.line(of: member.key, in: bytes)): \(member.key)"
            guard let setting = Self.all.first(where: { $0.key == member.key }) else {
                let near = nearestWord(to: member.key, among: Self.all.map(\.key), within: 4)
                throw StorageError(
                    .badSetting,
                    "\(place): unknown setting" + (near.map { "; did you mean \($0)?" } ?? "; docker-nfsd serve --help lists them"))
            }
            switch member.value {
            case .string(let text): try set(setting, text, at: place)
            case .number(let number): try set(setting, number.text, at: place)
            default: throw StorageError(.badSetting, "\(place): must be a text or a number, not \(member.value.kind)")
            }
        }
    }

    private mutating func set(_ setting: Setting, _ text: String, at place: String) throws(StorageError) {
        do throws(StorageError) { try setting.apply(&self, text) } catch { throw StorageError(.badSetting, "\(place)=\(text): \(error)") }
    }

    /// The line of the first occurrence of a key of the outermost object, counted from 1.
    private static func line(of key: String, in bytes: [UInt8]) -> Int {
        let wanted = JSONValue.string(key).encoded()
        var line = 1
        for index in bytes.indices {
            if bytes[index] == UInt8(ascii: "\n") { line += 1 }
            if bytes[index...].starts(with: wanted) { return line }
        }
        return 1
    }

    private static func folder(_ key: String, _ help: String, _ path: any WritableKeyPath<DaemonSettings, FilePath> & Sendable) -> Setting {
        Setting(key: key, help: help) { settings, text throws(StorageError) in
            settings[keyPath: path] = try absoluteFolder(text)
        }
    }

    private static func absoluteFolder(_ text: String) throws(StorageError) -> FilePath {
        guard text.utf8.first == UInt8(ascii: "/"), !text.utf8.contains(where: { $0 < 0x20 }) else {
            throw StorageError(.badSetting, "not an absolute path")
        }
        return FilePath(text).lexicallyNormalized()
    }

    private static func seconds(
        _ key: String, _ help: String, _ range: ClosedRange<Int>, _ path: any WritableKeyPath<DaemonSettings, Duration> & Sendable
    ) -> Setting {
        Setting(key: key, help: help) { settings, text throws(StorageError) in
            guard let number = Int(text), range.contains(number) else {
                throw StorageError(.badSetting, "not a number of seconds from \(range.lowerBound) to \(range.upperBound)")
            }
            settings[keyPath: path] = .seconds(number)
        }
    }
}
