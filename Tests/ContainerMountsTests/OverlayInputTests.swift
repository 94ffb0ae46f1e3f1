// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import JSON
import LinuxSystem
import OCIRuntime
import SystemPackage
import TestSupport
import Testing

@testable import ContainerMounts

/// Overlays that are mounted in the place of a runtime, in the namespace in which it is started.
@Suite(.needs(.root)) struct OverlayInputTests {
    /// Folders `one`, `two`, `secret`, each with a file `who` that has its name, and `m`.
    private func withLayers(_ body: @Sendable (FilePath) async throws -> Void) async throws {
        try await withSharedFolder { folder in
            for name in ["one", "two", "secret", "m", "up", "up/upper", "up/work"] {
                try makeFolder(folder.appending(name), mode: 0o755)
                try replaceFile(folder.appending(name).appending("who"), with: Array(name.utf8))
            }
            unlink("\(folder)/up/upper/who")
            try await body(folder)
        }
    }

    /// - Parameter pinned: the numbers of the folders that plugins are asked about.
    private func prepare(
        _ folder: FilePath, _ options: [String], pinned: [Int]? = nil, place: String = "place"
    ) throws -> PreparedBundle {
        let mount: JSONValue = [
            "destination": "/m", "type": "overlay", "source": "overlay", "options": .array(options.map { .string($0) }),
        ]
        let prepared = try PreparedBundle(
            at: folder, place: folder.appending(place), mounts: [["destination": "/proc", "type": "proc", "source": "proc"], mount])
        let folders = try OverlayLayers(options: options).folders
        for number in pinned ?? Array(folders.indices) {
            #expect(try prepared.bundle.sources.pin(folders[number], of: 1, layer: number) == folders[number])
        }
        return prepared
    }

    /// Mounts the overlay that a runtime finds.
    private static func mountOverlay(_ configuration: OCIConfiguration, on folder: FilePath) throws {
        let data = configuration.mounts[1].options.filter { $0.contains("=") }.joined(separator: ",")
        try systemCall("mount", on: data) { mount("overlay", "\(folder)/m", "overlay", 0, data) }
    }

    private static func text(_ path: String) throws -> String {
        String(decoding: try readWholeFile(FilePath(path), limit: 99), as: UTF8.self)
    }

    private static func replaceByLink(_ path: String, to target: String) {
        rename(path, path + "-away")
        symlink(target, path)
    }

    @Test func foldersBelowAreThoseThatWereLookedUp() async throws {
        try await withLayers { folder in
            let prepared = try prepare(folder, ["ro", "lowerdir=\(folder)/one:\(folder)/two", "index=off", "private"])
            for name in ["one", "two"] { Self.replaceByLink("\(folder)/\(name)", to: "secret") }
            let found = try await prepared.enter { configuration in
                try Self.mountOverlay(configuration, on: folder)
                return [try Self.text("\(folder)/m/who")] + configuration.mounts[1].options
            }
            let place = "\(folder)/place"
            #expect(found == ["one", "ro", "lowerdir=\(place)/1-0:\(place)/1-1", "index=off", "private"])
        }
    }

    @Test func onlyWhatWasLookedUpIsFoundElsewhere() async throws {
        try await withLayers { folder in
            let prepared = try prepare(folder, [#"lowerdir=\#(folder)/on\e:\#(folder)/two"#], pinned: [1])
            let options = try await prepared.enter { $0.mounts[1].options }
            #expect(options == [#"lowerdir=\#(folder)/on\e:\#(folder)/place/1-1"#])
        }
    }

    @Test func placesAreWrittenAsOptionsHaveThem() async throws {
        try await withLayers { folder in
            let options = ["lowerdir=\(folder)/one", "upperdir=\(folder)/up/upper", "workdir=\(folder)/up/work"]
            let found = try await prepare(folder, options, place: #"place:a,b\c"#).enter { configuration in
                try Self.mountOverlay(configuration, on: folder)
                try replaceFile(folder.appending("m/new"), with: [])
                return try Self.text("\(folder)/m/who")
            }
            #expect(found == "one" && access("\(folder)/up/upper/new", F_OK) == 0)
        }
    }

    /// `workdir` and `upperdir` must be on one mount.
    @Test(arguments: [[0, 1, 2], [1], [2]])
    func whatIsWrittenGoesToWhatWasLookedUp(pinned: [Int]) async throws {
        try await withLayers { folder in
            let options = ["lowerdir=\(folder)/one", "upperdir=\(folder)/up/upper", "workdir=\(folder)/up/work"]
            let prepared = try prepare(folder, options, pinned: pinned)
            if pinned.contains(1) {
                Self.replaceByLink("\(folder)/up/upper", to: "../secret")
                if pinned.contains(2) { Self.replaceByLink("\(folder)/up/work", to: "../secret") }
            }
            let found = try await prepared.enter { configuration in
                try Self.mountOverlay(configuration, on: folder)
                try replaceFile(folder.appending("m/new"), with: [])
                return configuration.mounts[1].options
            }
            let upper = pinned.contains(1) ? "upper-away" : "upper"
            #expect(access("\(folder)/up/\(upper)/new", F_OK) == 0 && access("\(folder)/secret/new", F_OK) != 0)
            let place = "\(folder)/place/1-changes"
            #expect(found[1] == "upperdir=\(place)/\(upper)")
            #expect(found[2].hasPrefix("workdir=\(place)/work"), "what nobody is asked about must be on the same mount")
        }
    }

    @Test func aLinkThatIsMadeWhileTheRuntimeWorksLeadsNowhere() async throws {
        try await withLayers { folder in
            let options = ["lowerdir=\(folder)/one", "upperdir=\(folder)/up/upper", "workdir=\(folder)/up/work"]
            let error = await #expect(throws: SystemError.self) {
                try await prepare(folder, options).enter { configuration in
                    Self.replaceByLink("\(folder)/up/upper", to: "\(folder)/secret")
                    try Self.mountOverlay(configuration, on: folder)
                }
            }
            #expect(error?.errno == .tooManySymbolicLinkLevels, "\(String(describing: error))")
        }
    }

    @Test func whatCoversTheFolderAboveIsAnError() async throws {
        try await withLayers { folder in
            let options = ["lowerdir=\(folder)/one", "upperdir=\(folder)/up/upper", "workdir=\(folder)/up/work"]
            let prepared = try prepare(folder, options)
            try mountMemory(on: folder.appending("up"))
            for name in ["upper", "work"] { try makeFolder(folder.appending("up/\(name)"), mode: 0o755) }
            let error = await #expect(throws: RuntimeError.self) { try await prepared.enter { _ in } }
            #expect(
                error?.message.contains(#"the folders of the overlay at "/m" cannot be prepared: open \#(folder)/up: "#) == true
                    && error?.message.contains("it has been replaced since the plugins were asked") == true, "\(String(describing: error))")
        }
    }

    /// The kernel says so best.
    @Test func twoMountsAreTheKernelsError() async throws {
        try await withLayers { folder in
            try mountMemory(on: folder.appending("two"))
            try makeFolder(folder.appending("two/work"), mode: 0o755)
            let options = ["lowerdir=\(folder)/one", "upperdir=\(folder)/up/upper", "workdir=\(folder)/two/work"]
            let error = await #expect(throws: SystemError.self) {
                try await prepare(folder, options).enter { try Self.mountOverlay($0, on: folder) }
            }
            #expect(error?.errno == .invalidArgument, "\(String(describing: error))")
        }
    }

    /// Otherwise somebody could make there a link to what was not looked at.
    @Test func whatWasMissingStaysMissing() async throws {
        try await withLayers { folder in
            let prepared = try prepare(folder, ["lowerdir=\(folder)/late", "upperdir=\(folder)/up/late", "workdir=\(folder)/up/work"])
            for name in ["late", "up/late"] { symlink("\(folder)/secret", "\(folder)/\(name)") }
            let options = try await prepared.enter { configuration in
                #expect(throws: SystemError.self) { try Self.mountOverlay(configuration, on: folder) }
                return configuration.mounts[1].options
            }
            #expect(options == [0, 1, 2].map { ["lowerdir", "upperdir", "workdir"][$0] + "=\(folder)/place/1-\($0)" })
        }
    }

    @Test func optionsThatTheKernelWouldCutAreAnError() async throws {
        try await withLayers { folder in
            let layers = [String](repeating: "\(folder)/one", count: 300).joined(separator: ":")
            let error = await #expect(throws: RuntimeError.self) {
                try await prepare(folder, ["lowerdir=" + layers], pinned: [0]).enter { _ in }
            }
            #expect(error?.message.contains(#"the mount at "/m" cannot be prepared: it is an overlay whose options are longer"#) == true)
            #expect(error?.code == .badBundle && error?.cause is ConfigurationError)
        }
    }
}
