// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LexicalPaths
import LinuxSystem
import SystemPackage

/// Where Docker keeps its record of a container: `containers/ID/config.v2.json` in the data root, or in a subfolder of it that has the
/// name of two numbers where user ids are remapped.
///
/// The data root is above the container's root file system, for every storage driver (`overlay2/…/merged`, `rootfs/overlayfs/ID`,
/// `vfs/dir/…`) and however the daemon was started. Docker itself chooses that path. The sources of the mounts at /etc/hostname and
/// the like would show it too, but there a user can put a mount of his own, whose source has a record in it that he wrote himself.
public struct DockerContainerFile {
    /// Bytes; the record of a container has some 4 KB.
    static let sizeLimit = 16 << 20

    /// The folder that holds `containers`.
    public let folder: String
    public let container: DockerContainer

    /// - Parameters:
    ///   - id: the container's, a name that a file can have.
    ///   - rootPath: of the container's root file system.
    ///   - dataRoots: where Docker's files may be besides.
    /// - Returns: nil if there is none. Then `looked` has the files that are not there.
    public static func find(
        _ id: String, rootPath: String?, dataRoots: [String], looked: inout [String]
    ) throws(EngineFilesError) -> DockerContainerFile? {
        if let rootPath, rootPath.utf8.first == UInt8(ascii: "/") {
            let folders = ancestors(of: LexicalPath.absolute(rootPath))
            if let found = try find(id, in: folders, looked: &looked) { return found }
        }
        for root in dataRoots {
            if let found = try find(id, in: foldersWithRecords(in: root), looked: &looked) { return found }
        }
        return nil
    }

    private static func find(
        _ id: String, in folders: [String], looked: inout [String]
    ) throws(EngineFilesError) -> DockerContainerFile? {
        for folder in folders {
            let path = "\(folder == "/" ? "" : folder)/containers/\(id)/config.v2.json"
            if let record = try read(path, id) { return DockerContainerFile(folder: folder, container: record) }
            if !looked.contains(where: { LexicalPath.areSame($0, path) }) { looked.append(path) }
        }
        return nil
    }

    private static func read(_ path: String, _ id: String) throws(EngineFilesError) -> DockerContainer? {
        guard let content = try readEngineFile(path, limit: sizeLimit) else { return nil }
        let container: DockerContainer
        do throws(JSONShapeError) {
            container = try DockerContainer(parsing: content)
            for case let flaw? in container.mounts.map(\.flaw) { throw flaw }
        } catch {
            throw EngineFilesError(path, error)
        }
        if !LexicalPath.areSame(container.id, id) {
            throw EngineFilesError(path, "it is the record of the container \(JSONValue.string(container.id))")
        }
        return container
    }

    /// Nearest first, without the root file system itself.
    private static func ancestors(of path: String) -> [String] {
        var ancestors: [String] = []
        var current = FilePath(path)
        while current.removeLastComponent() { ancestors.append(current.string) }
        return ancestors
    }

    /// The folders of a data root that may hold `containers`: itself, and what Docker has in it for remapped user ids.
    public static func foldersWithRecords(in root: String) -> [String] { [root] + remappedFolders(in: root) }

    /// With `--userns-remap`, Docker's files lie in `UID.GID`.
    private static func remappedFolders(in root: String) -> [String] {
        guard let names = try? namesInFolder(FilePath(root)) else { return [] }
        return names.filter { name in
            let numbers = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            return numbers.count == 2
                && numbers.allSatisfy { !$0.isEmpty && $0.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } }
        }.map { "\(root)/\($0)" }
    }
}

/// - Returns: nil if there is no such file.
func readEngineFile(_ path: String, limit: Int) throws(EngineFilesError) -> [UInt8]? {
    do throws(SystemError) {
        return try readRegularFile(FilePath(path), limit: limit)
    } catch {
        if error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory { return nil }
        if error.errno == .fileTooLarge { throw EngineFilesError(path, "it has more than \(limit) bytes") }
        throw EngineFilesError(path, error)
    }
}
