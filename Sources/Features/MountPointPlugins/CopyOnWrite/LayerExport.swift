// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

extension LayerFolder {
    /// Copies what was added or changed, with the folders that it is in, to a folder that is made; of folders that the container renamed
    /// all that is in them. Neither the layer nor the source changes.
    ///
    /// - Throws: `SystemError`; `EEXIST` if there is something. What was copied is left.
    func export(to path: String) throws(SystemError) {
        try makeFolder(FilePath(path), mode: 0o700)
        var levels = [(layer: self, target: try OpenFolder(at: FilePath(path)), rest: try entries())]
        while var level = levels.popLast() {
            guard let entry = level.rest.popLast() else {
                try level.target.take(level.layer.upper)
                continue
            }
            levels.append(level)
            switch entry {
            case .hidden: break
            case .removal(let name, _):
                // Of a renamed folder, whose contents have been copied.
                try removeTree(name, in: level.target)
            case .file(let name, let status):
                try removeTree(name, in: level.target)
                try level.target.copyEntry(name, status, in: level.layer.upper, to: name)
            case .folder(let folder):
                guard let name = folder.path.names.last else { continue }
                if try level.target.folderIfThere(name) == nil {
                    try removeTree(name, in: level.target)
                    try level.target.makeFolder(name, mode: 0o700)
                }
                let target = try OpenFolder(name, in: level.target)
                if folder.origin != nil, let base = folder.base { try target.copyTree(in: base) }
                levels.append((folder, target, try folder.entries()))
            }
        }
    }
}

extension OpenFolder {
    /// Copies all that is in another folder, without what is mounted there.
    fileprivate func copyTree(in folder: OpenFolder) throws(SystemError) {
        var levels = [(source: folder, target: self, rest: try folder.names())]
        while var level = levels.popLast() {
            guard let name = level.rest.popLast() else {
                try level.target.take(level.source)
                continue
            }
            levels.append(level)
            guard let status = try level.source.statusIfThere(of: name), !status.isMountRoot else { continue }
            if status.kind == .folder {
                try level.target.makeFolder(name, mode: 0o700)
                let source = try OpenFolder(name, in: level.source)
                levels.append((source, try OpenFolder(name, in: level.target), try source.names()))
            } else {
                try level.target.copyEntry(name, status, in: level.source, to: name)
            }
        }
    }

    /// Takes the attributes and times of another folder.
    fileprivate func take(_ folder: OpenFolder) throws(SystemError) {
        let attributes = try EntryAttributes(of: nil, in: folder)
        try attributes.apply(to: self)
        try setTimes(access: attributes.status.access, modification: attributes.status.modification)
    }
}
