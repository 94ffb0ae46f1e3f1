// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerFiles
import DockerPluginAPI
import LexicalPaths
import LinuxSystem
import SystemPackage

/// The paths of a running container, as it sees them: found by its own mount table, so that volumes of any driver and what plugins have
/// changed are there, too.
struct ContainerView {
    private let name: String
    private let process: Int32

    /// - Parameter docker: the folders of Docker's state.
    /// - Throws: `PluginError` if there is none that runs, or more than one.
    init(_ target: TranslationRule.Target, docker: [FilePath]) throws(PluginError) {
        var found: [(name: String, id: String, process: Int32)] = []
        do throws(SystemError) {
            for folder in docker.map({ $0.appending("containers") }) {
                for id in try Self.names(in: folder, isOnly: docker.count == 1) {
                    // One that is just being made or removed has no record.
                    guard let bytes = try readRegularFileIfThere(folder.appending(id).appending("config.v2.json"), limit: Self.limit),
                        let container = try? DockerContainer(parsing: bytes), let process = container.process,
                        Self.matches(container, target)
                    else { continue }
                    found.append((container.name, container.id, process))
                }
            }
        } catch {
            throw PluginError("cannot tell which containers run: \(error)")
        }
        let subject = Self.description(target)
        guard let first = found.first else { throw PluginError("no container \(subject) runs") }
        guard found.count == 1 else {
            throw PluginError("\(found.count) containers \(subject) run: \(found.map(\.name).sorted().joined(separator: ", ")); name one")
        }
        name = first.name
        process = first.process
        // Docker's record may be older than the process.
        let groups = (try? ControlGroups(of: process))?.memberships.map(\.path) ?? []
        guard groups.contains(where: { $0.utf8.count >= first.id.utf8.count && $0.contains(first.id) }) || groups.isEmpty else {
            throw PluginError("container \(name) does not run any more as Docker's files have it; try again")
        }
    }

    /// Beside folders for remapped users there need not be one for others.
    private static func names(in folder: FilePath, isOnly: Bool) throws(SystemError) -> [String] {
        do throws(SystemError) { return try namesInFolder(folder) } catch {
            if !isOnly && error.errno == .noSuchFileOrDirectory { return [] }
            throw error
        }
    }

    /// Bytes.
    private static let limit = 16 << 20

    private static func matches(_ container: DockerContainer, _ target: TranslationRule.Target) -> Bool {
        switch target {
        case .containerNamed(let name): container.name.utf8.elementsEqual(name.utf8) || container.id.utf8.elementsEqual(name.utf8)
        case .containerLabelled(let key, let value):
            container.labels[key].map { found in value.map { found.utf8.elementsEqual($0.utf8) } ?? true } ?? false
        case .path, .volume: false
        }
    }

    private static func description(_ target: TranslationRule.Target) -> String {
        switch target {
        case .containerNamed(let name): "named \(name)"
        case .containerLabelled(let key, let value): "with the label \(key)\(value.map { "=\($0)" } ?? "")"
        case .path(let path), .volume(let path): path
        }
    }

    /// The file of this host behind a path of the container.
    ///
    /// - Throws: `PluginError` if it is not in one of the container's mounts: then it is in the container alone.
    func path(of path: String) throws(PluginError) -> TranslatedPath {
        do throws(SystemError) {
            let own = try MountTable(of: process)
            let root = try PinnedFile(at: "/proc/\(process)/root")
            let inside = try PinnedFile(at: path, inRoot: root)
            let mount = try inside.mountID()
            guard let entry = own.entries.first(where: { $0.mountID == mount }), !entry.mountPoint.hasSameBytes(as: "/") else {
                let others = Set(own.entries.map(\.mountPoint)).filter(isOfUser).sorted().prefix(8).joined(separator: ", ")
                throw SystemError("find", .noSuchFileOrDirectory, on: path, hint: "it is in no mount of the container, which has \(others)")
            }
            let host = try MountTable()
            for candidate in host.entries.reversed() where candidate.device == entry.device {
                guard LexicalPath.isSame(candidate.root, orAbove: entry.root) else { continue }
                let below = LexicalPath.components(of: entry.root).dropFirst(LexicalPath.components(of: candidate.root).count)
                let rest = try relative(inside, to: entry, root)
                let place = LexicalPath.absolute(([candidate.mountPoint] + below + [rest]).joined(separator: "/"))
                // What is mounted over it would be found in its place.
                if let file = try? PinnedFile(at: place), file.isSame(as: inside) { return TranslatedPath(file, at: place) }
            }
            throw SystemError(
                "find", .noSuchFileOrDirectory, on: path, hint: "what the container has there is mounted nowhere on this host")
        } catch {
            throw PluginError("\(path) as container \(name) sees it: \(error)")
        }
    }

    /// Where it is below the mount's root, without links.
    private func relative(_ file: PinnedFile, to entry: MountTableEntry, _ root: PinnedFile) throws(SystemError) -> String {
        // The kernel gives the path from this process's root, or from the mount's where that does not lead there.
        let path = try file.path()
        let names = LexicalPath.components(of: path)
        let above = LexicalPath.components(of: entry.mountPoint)
        guard names.starts(with: above, by: { $0.utf8.elementsEqual($1.utf8) }) else {
            throw SystemError("find", .noSuchFileOrDirectory, on: path, hint: "the container has another root than its mount namespace")
        }
        return names.dropFirst(above.count).joined(separator: "/")
    }

    private func isOfUser(_ mountPoint: String) -> Bool {
        !["/", "/proc", "/dev", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"].contains {
            $0 == mountPoint || $0 != "/" && mountPoint.hasBytePrefix($0 + "/")
        }
    }
}
