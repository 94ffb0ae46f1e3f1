// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LexicalPaths
import LinuxSystem
import SystemPackage

/// The files of an instance, one for each container: `ID.json`, each written as one step, and synced.
struct ContainerFiles: Sendable {
    let folder: FilePath

    /// Bytes.
    private static let limit = 16 << 20
    private static let suffix = ".json"
    /// Mode 0711: containers' users pass through it to what is mounted in it, and see no names.
    private static let mode: UInt32 = 0o711

    init(in folder: FilePath) { self.folder = folder }

    /// - Throws: `PluginError` for an id that can be no file's name.
    private func file(of id: String) throws(PluginError) -> FilePath {
        guard LexicalPath.isComponent(id), id.utf8.first != UInt8(ascii: "."), id.utf8.count <= 200 else {
            throw PluginError("the container's id \(id) can be no file's name")
        }
        return folder.appending(id + Self.suffix)
    }

    /// A path of a mount's own, which does not exist.
    func place(of id: String, mount: Int) -> String { folder.appending("\(id).\(mount)").string }

    /// - Throws: `PluginError`: then nothing may be made.
    func write(_ container: KeptContainer) throws(PluginError) {
        let file = try file(of: container.id)
        do throws(SystemError) {
            try makeFolders(folder, mode: Self.mode)
            try replaceFile(file, with: container.json.encoded())
        } catch {
            throw PluginError("cannot keep what is to be undone: \(error)")
        }
    }

    /// - Returns: nil if there is none.
    func read(_ id: String) throws(PluginError) -> KeptContainer? {
        let file = try file(of: id)
        let found: [UInt8]?
        do throws(SystemError) {
            found = try readRegularFileIfThere(file, limit: Self.limit)
        } catch {
            throw PluginError("cannot tell what is to be undone: \(error)")
        }
        guard let found else { return nil }
        do throws(JSONShapeError) {
            return try KeptContainer(JSONObjectReader(parsing: found))
        } catch {
            throw PluginError("\(file) is damaged: \(error); see what is mounted below \(folder), unmount it, and remove the file")
        }
    }

    func remove(_ id: String) throws(PluginError) {
        let file = try file(of: id)
        do throws(SystemError) { try removeFile(file) } catch { throw PluginError("cannot forget a container: \(error)") }
    }

    /// The ids of all that have a file, sorted; none if there is no folder yet.
    func ids() throws(PluginError) -> [String] {
        do throws(SystemError) {
            return try namesInFolder(folder).filter { $0.hasByteSuffix(Self.suffix) && $0.utf8.first != UInt8(ascii: ".") }
                .map { String(decoding: $0.utf8.dropLast(Self.suffix.utf8.count), as: UTF8.self) }
        } catch {
            if error.errno == .noSuchFileOrDirectory { return [] }
            throw PluginError("cannot tell which containers there are: \(error)")
        }
    }

    /// What a write that was cut off has left.
    func removeDrafts() { LinuxSystem.removeDrafts(in: folder) }
}
