// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem
import SystemPackage

/// The changes of one mount, in a folder of their own: `set.json`, and below `layer` what overlayfs needs.
struct ChangeSet: Sendable {
    enum State: String, Sendable {
        /// A container has it, or had it when this plugin was last asked.
        case attached
        /// For somebody to decide about.
        case kept
        /// A commit has begun, and goes on.
        case committing
        /// A commit has begun, and could not go on.
        case stopped
    }

    let folder: FilePath
    var record: Record

    struct Record: Sendable, Equatable {
        /// The container that has, or last had, it.
        var container = ""
        var containerName = ""
        var destination = ""
        /// A folder, or the folder of the file ``file``.
        var source = ""
        var sourceInode: UInt64 = 0
        var sourceDevice: UInt64 = 0
        /// The file that is the source, if it is one.
        var file: String?
        /// When it was begun, as RFC 3339 has it, and as the kernel stamps files.
        var since = ""
        var begun = EntryStatus.Time(seconds: 0, nanoseconds: 0)
        var memory: String?
        /// Whether owners on the mount were not those on its file system.
        var isMapped = false
        var state = State.attached
        /// Why it is kept, for people.
        var reason = ""
    }

    /// Whether a name can be that of changes: it becomes a folder's.
    static func isName(_ text: String) -> Bool {
        let first = text.utf8.first
        return !text.isEmpty && text.utf8.count <= 64 && first != UInt8(ascii: ".") && first != UInt8(ascii: "_")
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    var name: String { folder.lastComponent?.string ?? "" }
    var layer: FilePath { folder.appending("layer") }
    var upper: FilePath { layer.appending("upper") }
    var work: FilePath { layer.appending("work") }
    /// Where the source is seen while the mount is made.
    var lower: FilePath { folder.appending("lower") }
    private static let file = "set.json"
    /// Bytes.
    private static let limit = 64 << 10

    /// Reads one; nil if there is none.
    static func read(_ folder: FilePath) throws(PluginError) -> ChangeSet? {
        let path = folder.appending(file)
        let bytes: [UInt8]?
        do throws(SystemError) { bytes = try readRegularFileIfThere(path, limit: limit) } catch {
            throw PluginError("cannot tell which changes there are: \(error)")
        }
        guard let bytes else { return nil }
        do throws(JSONShapeError) { return ChangeSet(folder: folder, record: try Record(JSONObjectReader(parsing: bytes))) } catch {
            throw PluginError("\(path) is damaged: \(error); the changes are in \(folder.appending("layer/upper"))")
        }
    }

    /// As one step, and synced.
    func write() throws(SystemError) {
        try replaceFile(folder.appending(Self.file), with: record.json.encoded())
    }

    /// Of what is being removed: it is no set any more, whatever becomes of the process that removes it.
    static let removedPrefix = ".removed."

    /// Removes it with all changes. Its memory must have been unmounted.
    func destroy() throws(SystemError) {
        guard let name = EntryName(self.name), let removed = EntryName(Self.removedPrefix + self.name) else { return }
        let parent: OpenFolder
        do throws(SystemError) { parent = try OpenFolder(at: folder.removingLastComponent()) } catch {
            if error.isMissing { return }
            throw error
        }
        try removeTree(removed, in: parent)
        do throws(SystemError) { try parent.rename(name, to: removed, in: parent) } catch {
            if error.isMissing { return }
            throw error
        }
        try parent.sync()
        try removeTree(removed, in: parent)
    }

    /// Whether the container changed nothing.
    func isEmpty() throws(SystemError) -> Bool { try OpenFolder(at: upper).names().isEmpty }

    /// The source, if it is still the one.
    func openSource() throws(PluginError) -> OpenFolder {
        do throws(SystemError) {
            let source = try OpenFolder(at: FilePath(record.source))
            let status = try source.status()
            if status.inode == record.sourceInode && status.device == record.sourceDevice { return source }
        } catch {
            throw PluginError("the source \(record.source) of the changes \(name) cannot be opened: \(error)")
        }
        throw PluginError(
            "\(record.source) is not what the changes \(name) were made over; save them with mountpoint-plugin copy-on-write export \(name) DIRECTORY"
        )
    }
}

extension ChangeSet.Record {
    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        container = try object.text("container")
        containerName = try object.text("containerName")
        destination = try object.text("destination")
        source = try object.requiredText("source")
        sourceInode = try object.number("sourceInode")
        sourceDevice = try object.number("sourceDevice")
        file = try object.textIfPresent("file")
        since = try object.text("since")
        begun = EntryStatus.Time(seconds: try object.number("begunSeconds"), nanoseconds: try object.number("begunNanoseconds"))
        memory = try object.textIfPresent("memory")
        isMapped = try object.flag("isMapped")
        guard let state = ChangeSet.State(rawValue: try object.requiredText("state")) else {
            throw object.error("is not known", at: "state")
        }
        self.state = state
        reason = try object.text("reason")
    }

    var json: JSONValue {
        var object: JSONObject = [
            "version": 1, "container": .string(container), "containerName": .string(containerName), "destination": .string(destination),
            "source": .string(source), "sourceInode": JSONValue(sourceInode), "sourceDevice": JSONValue(sourceDevice),
            "since": .string(since), "begunSeconds": JSONValue(begun.seconds), "begunNanoseconds": JSONValue(begun.nanoseconds),
            "isMapped": .bool(isMapped), "state": .string(state.rawValue), "reason": .string(reason),
        ]
        if let file { object["file"] = .string(file) }
        if let memory { object["memory"] = .string(memory) }
        return .object(object)
    }
}
