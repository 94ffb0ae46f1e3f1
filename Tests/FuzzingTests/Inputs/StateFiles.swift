// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import KernelMount
import LinuxSystem
import MountPointChain
import NFS

@testable import ContainerMounts
@testable import SharedCatalogue
@testable import Volumes

extension FuzzInput {
    /// Files that this host keeps and that may be damaged: definitions, references, and the runtime's records.
    static let state = FuzzInput(name: "state") { bytes in
        if let definition = try accepted({ try VolumeDefinition(parsing: bytes, kind: NFS()) }) {
            let back = try again("definition", { try VolumeDefinition(parsing: definition.json.encoded(.pretty), kind: NFS()) })
            try require(back == definition, "another definition after writing and reading")
            try checkOptions(definition.options)
        }
        if let held = try accepted({ try References(parsing: bytes, boot: "b") }) ?? nil {
            let back = try again("references", { try References(parsing: held.json(boot: "b").encoded(), boot: "b") })
            try require(back == held, "other references after writing and reading")
            try require(held.holders.values.allSatisfy { $0.count > 0 }, "a holder that holds nothing")
            try require(held.isEmpty == (held.total == 0), "\(held.total) references of \(held.holders.count) holders")
        }
        if let stack = try accepted({ try AppliedStack(parsing: bytes.span) }) {
            let back = try again("stack", { try AppliedStack(parsing: stack.encoded().span) })
            try require(back == stack, "another stack after writing and reading")
        }
        if let state = try accepted({ try SupervisionState(parsing: bytes) }) {
            let back = try again("container", { try SupervisionState(parsing: state.encoded()) })
            try require(back == state, "another state after writing and reading")
        }
        if let owed = try accepted({ try OwedDetach(parsing: bytes) }) {
            let back = try again("owed detach", { try OwedDetach(parsing: owed.encoded()) })
            try require(back == owed, "another owed detach after writing and reading")
        }
    }

    /// What other hosts write on the share: the first line is the name of a mark's file, the rest a definition.
    static let catalogue = FuzzInput(name: "catalogue") { bytes in
        let name = bytes.prefix { $0 != UInt8(ascii: "\n") }
        try checkMark(String(decoding: name, as: UTF8.self))
        let share = try Share("nas:/export", kind: NFS())
        let place = try NFS().source(share.options).location
        let read = { (bytes: [UInt8]) in
            let definition = try VolumeDefinition(parsing: bytes, kind: NFS(), in: share)
            try definition.checkAsForeign(owners: ["nfsd", "docker-nfsd"])
            return definition
        }
        guard let definition = try accepted({ try read(Array(bytes.dropFirst(name.count + 1))) }) else { return }
        try require(definition.options.source.location == place, "a definition of the share is for \(definition.options.source.text)")
        try require(definition.options.source.text == share.text, "\(definition.options.source.text) is not \(share.text)")
        guard let subdirectory = definition.options.subdirectory else { throw Violation(description: "a definition of the whole share") }
        try require(subdirectory.components.first != Share.catalogueFolder, "a definition of the catalogue itself")
        let words = try NFSOptions(definition.options.canonical["o"] ?? "")
        try require(words.server == nil && words.mountHost == nil, "a definition of the share names a server")
        try checkOptions(definition.options)
        let back = try again("definition", { try read(definition.catalogueJSON.encoded(.pretty)) })
        try require(back == definition, "another definition after writing and reading")
    }

    private static func checkMark(_ file: String) throws {
        let host = "0123456789abcdef0123456789abcdef"
        for kind in [UseMarks.Kind.use, .removing] {
            guard let name = kind.volume(of: file, host) else { continue }
            try require(kind.file(name, host).utf8.elementsEqual(file.utf8), "\(file) is taken for the mark of the volume \(name)")
            try require(kind.host(of: file, name)?.utf8.elementsEqual(host.utf8) == true, "\(file) is nobody's mark")
        }
        if let name = VolumeName(fileName: file[...]) {
            try require(name.fileName.utf8.elementsEqual(file.utf8), "\(file) is taken for the file of the volume \(name)")
        }
    }
}
