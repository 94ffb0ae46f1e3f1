// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import JSON
import SystemPackage

@testable import DockerFiles
@testable import OCIRuntime
@testable import PluginClient

extension FuzzInput {
    /// Docker's database of volumes: the pages after the first two, which this makes itself, since their checksum would keep all else out.
    static let database = FuzzInput(name: "database") { bytes in
        let pageSize = 512
        let pages = bytes + [UInt8](repeating: 0, count: pageSize - bytes.count % pageSize)
        var template = Array("/dev/shm/docker-nfsd-database-XXXXXX".utf8CString)
        let file = mkstemp(&template)
        guard file >= 0 else { throw Violation(description: "mkstemp: \(errno)") }
        // Without a name nothing is left behind, whatever happens.
        unlink(template)
        defer { close(file) }
        let meta = metaPage(pageSize: pageSize, end: UInt64(2 + pages.count / pageSize))
        for (offset, part) in [(0, meta), (2 * pageSize, pages)] {
            guard part.withUnsafeBytes({ pwrite(file, $0.baseAddress, $0.count, offset) }) == part.count else {
                throw Violation(description: "pwrite: \(errno)")
            }
        }
        let path = FilePath("/proc/self/fd/\(file)")
        guard let values = try accepted({ try BoltDatabase.values(of: ["a", "web", ""], inBucket: "volumes", of: path) }) else { return }
        try require(values.count == 3, "\(values.count) values of 3 keys")
        try require(values.allSatisfy { $0?.count ?? 0 <= pages.count }, "a value that is longer than the file")
    }

    private static func metaPage(pageSize: Int, end: UInt64) -> [UInt8] {
        var page = [UInt8](repeating: 0, count: BoltMeta.length)
        func put(_ number: some FixedWidthInteger, at offset: Int) {
            withUnsafeBytes(of: number) { page.replaceSubrange(offset..<offset + $0.count, with: $0) }
        }
        put(UInt16(4), at: 8)
        put(UInt32(0xED0C_DAED), at: 16)
        put(UInt32(2), at: 20)
        put(UInt32(pageSize), at: 24)
        put(UInt64(2), at: 32)
        put(end, at: 56)
        put(UInt64(1), at: 64)
        put(BoltMeta.checksum(page[16..<72]), at: 72)
        return page
    }

    /// A bundle's config.json, and Docker's own record of a container.
    static let configuration = FuzzInput(name: "configuration") { bytes in
        if let container = try accepted({ try DockerContainer(parsing: bytes) }) {
            for mount in container.mounts {
                try require(mount.cleanedDestination.utf8.first == UInt8(ascii: "/"), "a destination that is not absolute")
            }
        }
        guard var configuration = try accepted({ try OCIConfiguration(parsing: bytes) }) else { return }
        let back = try again("config.json", { try OCIConfiguration(parsing: configuration.encoded()) })
        try require(back.mounts == configuration.mounts, "other mounts after writing and reading")
        try require(back.encoded() == configuration.encoded(), "another config.json after writing and reading")
        for (index, mount) in configuration.mounts.enumerated() {
            try require(mount.cleanedDestination.utf8.first == UInt8(ascii: "/"), "a destination that is not absolute")
            if let layers = try accepted({ try OverlayLayers(options: mount.options) }) { try checkLayers(layers, mount.options) }
            configuration.makeBind(ofMount: index, source: "/changed", options: ["rbind"])
        }
        let changed = try again("changed config.json", { try OCIConfiguration(parsing: configuration.encoded()) })
        try require(changed.mounts == configuration.mounts, "a change is not read back")
        try require(changed.mounts.allSatisfy { $0.isBind && $0.source == "/changed" }, "a mount that was not changed")
    }

    private static func checkLayers(_ layers: OverlayLayers, _ options: [String]) throws {
        try require(layers.folders.allSatisfy { $0.utf8.first == UInt8(ascii: "/") }, "a layer that is no absolute path")
        guard let same = try accepted({ try OverlayLayers.options(options, replacing: [:]) }) else { return }
        try require(same.elementsEqual(options) { $0.utf8.elementsEqual($1.utf8) }, "\(options) without a replacement are \(same)")
        let replacements = Dictionary(uniqueKeysWithValues: layers.folders.indices.map { ($0, "/x:\\\($0)") })
        guard let replaced = try accepted({ try OverlayLayers.options(options, replacing: replacements) }) else { return }
        let back = try again("overlay", { try OverlayLayers(options: replaced) })
        try require(back.folders == replacements.sorted { $0.key < $1.key }.map(\.value), "\(options) become \(replaced)")
    }

    /// The command line of the runtime; words end with a NUL.
    static let commandLine = FuzzInput(name: "commandline") { bytes in
        let words = bytes.split(separator: 0, omittingEmptySubsequences: false).map(Array.init)
        guard let line = try accepted({ try RuntimeCommandLine(parsing: words) }) else { return }
        let handedOn = try again("command line", { try RuntimeCommandLine(parsing: bare(line.handedOn, words)) })
        try require(handedOn.plugins.isEmpty && handedOn.runtimePath == nil, "our own flags are handed on")
        try require(handedOn.command == line.command, "handed on as \(handedOn.command), and not as \(line.command)")
        try require(handedOn.root == line.root && handedOn.log == line.log, "global flags are lost")
        guard let creation = line.command.creation else { return }
        let changed = bare(line.handedOn(pidFile: "/p", isDetached: true, asCreate: true), words)
        // A switch that is left out brings words together that flags of the future make ambiguous; the runtime then refuses them.
        guard let other = try accepted({ try RuntimeCommandLine(parsing: changed) }) else { return }
        guard let made = other.command.creation else { throw Violation(description: "creates nothing: \(other.command)") }
        try require(made.id == creation.id && made.bundle == creation.bundle, "\(made) is not \(creation)")
        try require(made.pidFile == "/p", "the file for the process id is \(made.pidFile ?? "none")")
        switch (line.command, other.command) {
        case (.run, .create), (.create, .create): break
        case (.restore, .restore(let restored)): try require(restored.isDetached, "not detached")
        default: throw Violation(description: "\(line.command) becomes \(other.command)")
        }
    }

    private static func bare(_ arguments: [RuntimeArgument], _ words: [[UInt8]]) -> [[UInt8]] {
        arguments.map { argument in
            switch argument {
            case .original(let index): words[index]
            case .text(let text): Array(text.utf8)
            case .bytes(let bytes): bytes
            }
        }
    }

    /// A plugin's HTTP answer, which comes in any pieces.
    static let answer = FuzzInput(name: "answer") { bytes in
        let limit = 1024
        let whole = parse(bytes, limit, by: max(bytes.count, 1))
        for size in [1, 7] {
            let pieces = parse(bytes, limit, by: size)
            try require(pieces == whole, "in pieces of \(size): \(pieces), and at once: \(whole)")
        }
        guard case .answer(let status, let body) = whole else { return }
        try require((100...999).contains(status), "the status \(status)")
        try require(body.count <= (status == 200 ? limit : AnswerParser.refusalLimit), "a body of \(body.count) bytes")
    }

    private enum Outcome: Equatable {
        case answer(status: Int, body: [UInt8])
        case error
    }

    private static func parse(_ bytes: [UInt8], _ limit: Int, by size: Int) -> Outcome {
        var parser = AnswerParser(limit: limit)
        do {
            for start in stride(from: 0, to: bytes.count, by: size) where !parser.isComplete {
                try parser.consume(bytes[start..<min(start + size, bytes.count)])
            }
            try parser.end()
        } catch {
            return .error
        }
        return parser.status.map { .answer(status: $0, body: parser.body) } ?? .error
    }
}
