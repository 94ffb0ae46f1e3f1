// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
public import Logging
public import LinuxSystem
public import KernelMount
public import SystemPackage

/// The files of the volumes of a host: definitions, which survive everything, and references, which end with the boot.
///
///     <state>/volumes/NAME.json         a definition; written atomically and synced
///     <state>/damaged/NAME.json         what could not be read at a start
///     <run>/references/NAME.json        who has it mounted
///     <run>/failures/NAME.json          why it could not be mounted
public struct VolumeFiles: Sendable {
    private let definitions: FilePath
    private let damaged: FilePath
    private let references: FilePath
    package let failures: FailureFiles
    private let boot: String
    /// What reads the options in definitions.
    private let kind: any FileSystemKind
    /// Whether this is the daemon, which writes, or a command that only reads.
    private let isOwner: Bool

    private static let suffix = ".json"
    /// A definition is some hundred bytes.
    private static let longestFile = 4 << 20
    /// The most holders, with IDs of 256 bytes of which each is six in JSON.
    private static let longestReferences = References.mostHolders * (256 * 6 + 100)

    /// Makes the folders.
    ///
    /// - Throws: `SystemError` naming the folder that could not be made, or the file that could not be read.
    ///
    /// - Parameter isOwner: false for a command that only reads: nothing is made, moved or removed then.
    public init(state: FilePath, runtime: FilePath, kind: any FileSystemKind, isOwner: Bool = true) throws(SystemError) {
        self.isOwner = isOwner
        self.kind = kind
        definitions = state.appending("volumes")
        damaged = state.appending("damaged")
        references = runtime.appending("references")
        boot = try Boot.current().text
        failures = try FailureFiles(runtime: runtime)
        if isOwner { for folder in [definitions, damaged, references] { try makeFolders(folder, mode: 0o700) } }
    }

    /// Every definition that can be read; the others are moved to `damaged` and reported, and so never keep the daemon from starting.
    public func readDefinitions(logger: Logger) throws(SystemError) -> [VolumeDefinition] {
        if isOwner { for folder in [definitions, definitions.removingLastComponent()] { removeDrafts(in: folder) } }
        var found: [VolumeDefinition] = []
        for name in try namesInFolder(definitions) {
            let file = definitions.appending(name)
            guard name.hasByteSuffix(Self.suffix) else { continue }
            do {
                let definition = try VolumeDefinition(parsing: try readRegularFile(file, limit: Self.longestFile), kind: kind)
                guard (definition.name.fileName + Self.suffix).hasSameBytes(as: name) else {
                    throw StorageError(.damaged, "it speaks of volume \(definition.name)")
                }
                found.append(definition)
            } catch {
                setAside(file, because: error, logger: logger)
            }
        }
        return found
    }

    public func write(_ definition: VolumeDefinition) throws(SystemError) {
        try replaceFile(file(definition.name), with: definition.json.encoded(.pretty))
    }

    public func removeDefinition(of name: VolumeName) throws(SystemError) { try removeFile(file(name)) }

    package func readReferences(logger: Logger) throws(SystemError) -> [String: References] {
        if isOwner { for folder in [references, references.removingLastComponent(), failures.folder] { removeDrafts(in: folder) } }
        var found: [String: References] = [:]
        let names: [String]
        do throws(SystemError) {
            names = try namesInFolder(references)
        } catch  where error.errno == .noSuchFileOrDirectory && !isOwner {
            // The daemon has not run since the boot.
            return [:]
        }
        for name in names where name.hasByteSuffix(Self.suffix) {
            let file = references.appending(name)
            do {
                let held = try References(parsing: try readRegularFile(file, limit: Self.longestReferences), boot: boot)
                if let held, !held.isEmpty {
                    found[String(name.dropLast(Self.suffix.count))] = held
                } else if isOwner {
                    try removeFile(file, durable: false)
                }
            } catch {
                setAside(file, because: error, logger: logger)
            }
        }
        return found
    }

    /// Not synced: after a power cut there is nothing that they could be true of.
    func write(_ held: References, of name: VolumeName) throws(SystemError) {
        let file = references.appending(name.fileName + Self.suffix)
        if held.isEmpty { return try removeFile(file, durable: false) }
        try replaceFile(file, with: held.json(boot: boot).encoded(.compact), durable: false)
    }

    /// Removes the references of a volume that is not defined.
    ///
    /// - Parameter name: the volume's encoded name.
    func removeReferences(ofFileName name: String) throws(SystemError) {
        try removeFile(references.appending(name + Self.suffix), durable: false)
    }

    private func file(_ name: VolumeName) -> FilePath { definitions.appending(name.fileName + Self.suffix) }

    private func setAside(_ file: FilePath, because reason: any Error, logger: Logger) {
        // That a file cannot be read now says nothing about what is in it.
        if reason is SystemError { return logger.error("file \(file) cannot be used: \(reason); it is left where it is") }
        guard isOwner else { return logger.error("damaged file \(file): \(reason)") }
        let name = file.lastComponent?.string ?? "unnamed"
        let isReference = file.removingLastComponent() == references
        var place = damaged.appending(isReference ? "references-" + name : name)
        do throws(SystemError) {
            if try namesInFolder(damaged).contains(place.lastComponent?.string ?? "") {
                place = FilePath(place.string + "." + timestamp(compact: true))
            }
            // Not a rename, because references are on another file system.
            let content = try readRegularFile(file, limit: Self.longestReferences)
            try replaceFile(place, with: content)
            try removeFile(file)
            let loss = isReference ? "who holds the volume is not known" : "its volume is not known until it is created again"
            logger.error("damaged file \(file) set aside as \(place): \(reason); \(loss)")
        } catch {
            logger.error("damaged file \(file) cannot be used (\(reason)) and not be set aside: \(error)")
        }
    }
}
