// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

/// Puts files of a layer where they belong in the source: by rename(2) if both are on one mount, else by copies, whose data is synced
/// for many at a time.
final class LayerPlacing {
    /// A folder in the source for what is on its way: it is on the same mount, and nobody else looks into it.
    let staging: OpenFolder
    let stagingName: EntryName
    private let source: OpenFolder
    private let copies: Bool
    /// Inodes of the layer that get a name of their own in ``staging``, so that other names can be made of it.
    private var shared: Set<UInt64>
    /// Those of them that have it, or will have it with the next ``flush()``.
    private var staged: Set<UInt64> = []

    /// What is to be done when the data of all copies is on the disk.
    private enum Step {
        case rename(EntryName, to: EntryName, in: OpenFolder, removing: EntryName, from: OpenFolder)
        case share(EntryName, as: EntryName)
        case link(EntryName, to: EntryName, in: OpenFolder, removing: EntryName, from: OpenFolder)
        case finish(OpenFolder, EntryAttributes, removing: (EntryName, OpenFolder)?)
    }

    private var steps: [Step] = []
    private var copied: UInt64 = 0
    private var numbers = 0
    /// What one sync is for.
    private static let (mostSteps, mostBytes) = (1024, UInt64(256 << 20))

    init(
        into source: OpenFolder, staging text: String, from upper: OpenFolder, shared: Set<UInt64>, copies: Bool
    ) throws(SystemError) {
        guard let name = EntryName(text) else { throw SystemError("mkdirat", .invalidArgument, on: text) }
        if try source.statusIfThere(of: name) == nil { try source.makeFolder(name, mode: 0o700) }
        staging = try OpenFolder(name, in: source)
        stagingName = name
        self.source = source
        self.shared = shared
        self.copies = copies ? true : try !Self.isOneMount(upper, staging)
        // Copies that were cut off.
        for name in try staging.names() {
            if name.text.hasBytePrefix("copy-") { try staging.remove(name) }
            if name.text.hasBytePrefix("shared-"), let inode = UInt64(name.text.dropFirst("shared-".count)) { staged.insert(inode) }
        }
        self.shared.formUnion(staged)
    }

    /// Whether a rename leads from one to the other; tried.
    private static func isOneMount(_ upper: OpenFolder, _ staging: OpenFolder) throws(SystemError) -> Bool {
        guard let probe = EntryName(".copy-on-write.probe") else { return false }
        try removeTree(probe, in: upper)
        try makeEmptyFile(probe, in: upper, mode: 0o600)
        do throws(SystemError) { try upper.rename(probe, to: probe, in: staging) } catch {
            try upper.remove(probe)
            if error.errno == .improperLink { return false }
            throw error
        }
        try staging.remove(probe)
        return true
    }

    private func number(_ word: String) throws(SystemError) -> EntryName {
        while true {
            numbers += 1
            guard let name = EntryName("\(word)-\(numbers)") else { continue }
            if try staging.statusIfThere(of: name) == nil { return name }
        }
    }

    // MARK: Taking away

    /// Takes something away, a whole tree in one step.
    func clear(_ name: EntryName, in target: OpenFolder) throws(SystemError) {
        guard let status = try target.statusIfThere(of: name) else { return }
        if status.kind == .folder {
            try target.rename(name, to: number("removed"), in: staging, replacing: false)
        } else {
            try target.remove(name)
        }
    }

    // MARK: Files

    /// Puts something that is no folder in its place, and takes it out of the layer.
    func place(_ name: EntryName, _ status: EntryStatus, from upper: OpenFolder, in target: OpenFolder) throws(SystemError) {
        if let present = try target.statusIfThere(of: name), present.kind == .folder { try clear(name, in: target) }
        if status.links > 1 { shared.insert(status.inode) }
        if shared.contains(status.inode), let staged = Self.sharedName(status.inode) {
            try share(name, status, from: upper)
            return try add(.link(staged, to: name, in: target, removing: name, from: upper))
        }
        if copies {
            let staged = try copy(name, status, from: upper)
            return try add(.rename(staged, to: name, in: target, removing: name, from: upper))
        }
        try OverlayLayer.removeMarks(of: name, in: upper)
        try upper.rename(name, to: name, in: target)
    }

    private static func sharedName(_ inode: UInt64) -> EntryName? { EntryName("shared-\(inode)") }

    /// Gives a file of the layer a name in ``staging`` that other names can be made of.
    func share(_ name: EntryName, from upper: OpenFolder) throws(SystemError) {
        guard let status = try upper.statusIfThere(of: name) else { return }
        try share(name, status, from: upper)
    }

    private func share(_ name: EntryName, _ status: EntryStatus, from upper: OpenFolder) throws(SystemError) {
        guard let other = Self.sharedName(status.inode), staged.insert(status.inode).inserted else { return }
        if copies { return try add(.share(copy(name, status, from: upper), as: other)) }
        try OverlayLayer.removeMarks(of: name, in: upper)
        try staging.link(name, in: upper, as: other)
    }

    /// Has a name of the source lead to a file that was placed under another.
    func placeShared(_ inode: UInt64, as name: EntryName, in target: OpenFolder) throws(SystemError) {
        guard let staged = Self.sharedName(inode), try staging.statusIfThere(of: staged) != nil else { return }
        try link(staged, to: name, in: target)
    }

    /// As one step for whoever looks at it.
    private func link(_ staged: EntryName, to name: EntryName, in target: OpenFolder) throws(SystemError) {
        let draft = try number("link")
        try staging.link(staged, in: staging, as: draft)
        try staging.rename(draft, to: name, in: target)
        // Both were names of one file already, and then rename(2) does nothing.
        if try staging.statusIfThere(of: draft) != nil { try staging.remove(draft) }
    }

    private func copy(_ name: EntryName, _ status: EntryStatus, from upper: OpenFolder) throws(SystemError) -> EntryName {
        let staged = try number("copy")
        try staging.copyEntry(name, status, in: upper, to: staged)
        copied += status.size
        return staged
    }

    // MARK: Folders

    /// Puts a folder that is all new in its place as it is.
    ///
    /// - Returns: whether it could be done.
    func placeWhole(
        _ name: EntryName, from upper: OpenFolder, in target: OpenFolder, _ attributes: EntryAttributes
    ) throws(SystemError) -> Bool {
        if copies { return false }
        let top = try OpenFolder(name, in: upper)
        var (isNew, marked) = (true, [EntryPath]())
        try top.visit { (folder, name, status, path) throws(SystemError) in
            let hasOtherNames = status.kind != .folder && status.links > 1
            if OverlayLayer.isRemoval(status) || hasOtherNames || shared.contains(status.inode) {
                isNew = false
                return .end
            }
            guard try OverlayLayer.hasMarks(name, in: folder) else { return .enter }
            marked.append(path)
            isNew = try folder.attribute(OverlayLayer.redirectKey, of: name) == nil
            return isNew ? .enter : .end
        }
        if !isNew { return false }
        for path in marked {
            guard let (parent, name) = path.parted else { continue }
            try OverlayLayer.removeMarks(of: name, in: top.folder(at: parent))
        }
        try OverlayLayer.removeMarks(of: nil, in: top)
        try upper.rename(name, to: name, in: target, replacing: false)
        return true
    }

    /// Gives a folder its attributes when all is in it, and takes it out of the layer.
    func finish(_ target: OpenFolder, _ attributes: EntryAttributes, removing: (EntryName, OpenFolder)?) throws(SystemError) {
        try add(.finish(target, attributes, removing: removing))
    }

    // MARK: Steps

    private func add(_ step: Step) throws(SystemError) {
        steps.append(step)
        if !copies || steps.count >= Self.mostSteps || copied >= Self.mostBytes { try flush() }
    }

    /// Does all that waits for data to be on the disk.
    func flush() throws(SystemError) {
        if steps.isEmpty { return }
        if copies { try staging.syncFileSystem() }
        for step in steps {
            switch step {
            case .rename(let staged, let name, let target, let removed, let upper):
                try staging.rename(staged, to: name, in: target)
                try upper.remove(removed)
            case .share(let staged, let name): try staging.rename(staged, to: name, in: staging)
            case .link(let staged, let name, let target, let removed, let upper):
                try link(staged, to: name, in: target)
                try upper.remove(removed)
            case .finish(let target, let attributes, let removed):
                try attributes.apply(to: target)
                try target.setTimes(access: attributes.status.access, modification: attributes.status.modification)
                if let (name, upper) = removed { try upper.removeFolder(name) }
            }
        }
        steps.removeAll(keepingCapacity: true)
        copied = 0
    }

    /// Removes what was put aside.
    func finish() throws(SystemError) {
        let times = try source.status()
        try removeTree(stagingName, in: source)
        try source.setTimes(access: times.access, modification: times.modification)
    }
}

extension OpenFolder {
    /// Makes a copy of what is no folder, with owner, mode, times and extended attributes.
    func copyEntry(_ name: EntryName, _ status: EntryStatus, in folder: OpenFolder, to other: EntryName) throws(SystemError) {
        switch status.kind {
        case .file: try copyFileData(name, in: folder, to: other, in: self)
        case .link: try makeLink(other, to: folder.target(ofLink: name))
        default: try makeNode(other, like: status)
        }
        try EntryAttributes(of: name, in: folder).apply(to: other, in: self)
        try setTimes(of: other, access: status.access, modification: status.modification)
    }
}
