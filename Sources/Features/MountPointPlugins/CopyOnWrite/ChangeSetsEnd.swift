// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem
import SystemPackage

/// What becomes of changes.
extension ChangeSets {
    /// For a commit that another process is in the middle of.
    private static let patience = Duration.seconds(10)

    /// At the end of a container. Does nothing if that has been done, or another container has the changes by now.
    ///
    /// - Throws: `CommitError`: the changes are kept, for what it says.
    func finish(
        _ folder: FilePath, of container: String, _ options: CopyOnWriteOptions, _ end: ContainerEnd
    ) throws(CommitError) {
        guard var set = try beginning.hold({ () throws(CommitError) in try begunOrRemoved(folder) }),
            set.record.container.hasSameBytes(as: container)
        else { return }
        // Memory does not outlive a reboot.
        let isLost = try Self.failing { () throws(SystemError) in set.record.memory == nil ? false : try !set.hasMemory() }
        if isLost { return try remove(set) }
        switch set.record.state {
        case .committing: return try commit(&set, .all, conflict: options.conflict)
        case .kept, .stopped: return
        case .attached: break
        }
        if options.end == .discard { return try remove(set) }
        let isEmpty = try Self.failing { () throws(SystemError) in try set.isEmpty() }
        if isEmpty && options.reuse == nil { return try remove(set) }
        // A host that gives no reason asks when the container has ended.
        if options.end == .commit && (end.reason == .ended || end.reason == .unspecified) {
            return try commit(&set, .all, conflict: options.conflict)
        }
        let reason =
            switch (options.end, end.reason) {
            case (.commit, .boot): "the host went down while the container ran, so they were not committed"
            case (.commit, .notStarted): "the container did not start"
            case (.commit, _): "nobody could tell how the container ended, so they were not committed"
            default: ""
            }
        try keep(&set, reason)
        if options.end == .commit && end.reason != .notStarted {
            throw CommitError("\(reason); see mountpoint-plugin copy-on-write diff \(set.name), and commit or discard")
        }
    }

    /// Whether changes wait for somebody to commit or discard them, and so for nothing that a plugin does by itself.
    func isLeftToUsers(_ folder: FilePath) -> Bool {
        guard let set = try? ChangeSet.read(folder) else { return false }
        return set.record.state == .kept || set.record.state == .stopped
    }

    /// Removes what is left of one that could not be begun, of which nobody knows whether it was to be in memory.
    private func begunOrRemoved(_ folder: FilePath) throws(CommitError) -> ChangeSet? {
        if let set = try Self.read(folder) { return set }
        var remains = ChangeSet(folder: folder, record: ChangeSet.Record())
        remains.record.memory = ""
        try remove(remains)
        return nil
    }

    private func keep(_ set: inout ChangeSet, _ reason: String) throws(CommitError) {
        set.record.state = .kept
        set.record.reason = reason
        do throws(CommitError) {
            try Self.giveNames(in: set) { () throws(CommitError) in
                do throws(PluginError) { return try set.openSource() } catch { throw CommitError(error.message) }
            }
        } catch {
            // They are kept all the same, and a commit tries it again.
            if reason.isEmpty { set.record.reason = "not all names of changed files are shown: \(error)" }
        }
        let set = set
        try Self.failing { () throws(SystemError) in
            try OpenFolder(at: set.upper).syncFileSystem()
            try set.write()
        }
    }

    /// - Parameter source: asked for only if a file with several names was changed: a source on a server may be away.
    private static func giveNames(in set: ChangeSet, over source: () throws(CommitError) -> OpenFolder) throws(CommitError) {
        // A single file has one name for the container.
        if set.record.file != nil { return }
        guard let index = try failing({ () throws(SystemError) in try LayerIndex(of: OpenFolder(at: set.layer)) }) else { return }
        let source = try source()
        try failing { () throws(SystemError) in try index.giveNames(in: LayerFolder(upper: OpenFolder(at: set.upper), over: source)) }
    }

    /// Drops changes, whatever they are.
    func remove(_ set: ChangeSet) throws(CommitError) {
        try Self.failing { () throws(SystemError) in
            if set.record.memory != nil, try set.hasMemory() { try PlacedMount.remove(set.layer.string) }
            try set.destroy()
        }
    }

    /// Applies changes to their source. What has been begun goes on, and what was asked for comes behind it.
    ///
    /// - Throws: `CommitError`, with what to do: nothing has been changed if there are conflicts, and otherwise another call goes on.
    func commit(_ set: inout ChangeSet, _ selection: PathSelection, conflict: ConflictRule) throws(CommitError) {
        let lock = try Self.lock(set)
        defer { lock.leaveToChildren() }
        // Another process may have come first.
        guard let present = try Self.read(set.folder) else { return }
        if present.record.state == .attached && set.record.state != .attached {
            throw CommitError("a container has the changes \(set.name) by now; stop it first")
        }
        set = present
        while try !commitOnce(&set, selection, conflict) {}
    }

    /// - Returns: false if that was an earlier commit of other paths, and there is more.
    private func commitOnce(
        _ set: inout ChangeSet, _ selection: PathSelection, _ conflict: ConflictRule
    ) throws(CommitError) -> Bool {
        let survey: LayerSurvey
        do throws(CommitError) {
            if set.record.isMapped && set.record.state != .attached && set.record.state != .committing {
                throw CommitError(
                    "\(set.name) was made over an id-mapped mount that is gone, so its owners cannot be told; use export, or a container with reuse=\(set.name),commit"
                )
            }
            let source: OpenFolder
            do throws(PluginError) { source = try set.openSource() } catch { throw CommitError(error.message) }
            survey = try begin(&set, source, selection, conflict)
            let set = set
            try Self.failing { () throws(SystemError) in
                try LayerCommit(
                    upper: OpenFolder(at: set.upper), to: source, survey: survey, isFolder: set.record.file == nil,
                    isMapped: set.record.isMapped
                ).run()
            }
        } catch {
            let isBegun = set.record.state == .committing
            set.record.state = isBegun ? .stopped : .kept
            set.record.reason = "\(error)"
            let failed = set
            try Self.failing { () throws(SystemError) in try failed.write() }
            throw CommitError("\(error); the changes are kept: mountpoint-plugin copy-on-write commit \(set.name)")
        }
        let isGone = try end(&set, survey.selection)
        return isGone || survey.selection == selection
    }

    private func begin(
        _ set: inout ChangeSet, _ source: OpenFolder, _ selection: PathSelection, _ conflict: ConflictRule
    ) throws(CommitError) -> LayerSurvey {
        let file = set.folder.appending(Self.surveyFile)
        if set.record.state == .committing || set.record.state == .stopped, let survey = try LayerSurvey.read(file) {
            set.record.state = .committing
            return survey
        }
        try Self.giveNames(in: set) { source }
        let (upper, begun, name) = (set.upper, set.record.begun, set.name)
        let layer = try Self.failing { () throws(SystemError) in LayerFolder(upper: try OpenFolder(at: upper), over: source) }
        let conflicts = try Self.failing { () throws(SystemError) in
            try layer.conflicts(since: begun).filter { selection.reaches($0.path) }
        }
        if conflict == .fail, let first = conflicts.first {
            let others = conflicts.count > 1 ? ", and \(conflicts.count - 1) more" : ""
            throw CommitError(
                "others have changed the source meanwhile: \(first.path.text): \(first.reason)\(others); commit with --conflict=ours, theirs or both"
            )
        }
        if conflict == .theirs || conflict == .both {
            try Self.failing { () throws(SystemError) in try layer.resolve(conflicts, suffix: conflict == .both ? ".\(name)" : nil) }
        }
        let survey = try LayerSurvey(of: layer, selection, staging: ".copy-on-write.\(name)")
        set.record.state = .committing
        let set = set
        try Self.failing { () throws(SystemError) in
            try survey.write(to: file)
            try set.write()
            // Its index has one more name of each file that had several.
            if let work = EntryName("work") {
                let folder = try OpenFolder(at: set.layer)
                try removeTree(work, in: folder)
                try folder.makeFolder(work, mode: 0o700)
            }
        }
        return survey
    }

    /// - Returns: whether nothing is left of it.
    private func end(_ set: inout ChangeSet, _ selection: PathSelection) throws(CommitError) -> Bool {
        let (folder, upper) = (set.folder, set.upper)
        let isEmpty = try Self.failing { () throws(SystemError) in try OpenFolder(at: upper).names().isEmpty }
        if selection.isAll || isEmpty {
            try remove(set)
            return true
        }
        set.record.state = .kept
        set.record.reason = ""
        let rest = set
        try Self.failing { () throws(SystemError) in
            try rest.write()
            try removeFile(folder.appending(Self.surveyFile))
        }
        return false
    }

    private static let surveyFile = "survey.json"

    /// While one has it, no other process commits these changes, or takes them up.
    static func lock(_ set: ChangeSet) throws(CommitError) -> FileLock {
        let path = set.folder.appending("lock")
        let lock = try failing { () throws(SystemError) in try FileLock.wait(for: path, until: Deadline(after: patience)) }
        guard let lock else { throw CommitError("another process is at work on the changes \(set.name); try again when it is done") }
        return lock
    }

    static func read(_ folder: FilePath) throws(CommitError) -> ChangeSet? {
        do throws(PluginError) { return try ChangeSet.read(folder) } catch { throw CommitError(error.message) }
    }

    static func failing<Value>(_ body: () throws(SystemError) -> Value) throws(CommitError) -> Value {
        do throws(SystemError) { return try body() } catch { throw CommitError(error) }
    }
}

extension ChangeSet {
    /// Whether its file system in memory is there.
    func hasMemory() throws(SystemError) -> Bool { try MountTable.topmost(at: layer.string) != nil }
}
