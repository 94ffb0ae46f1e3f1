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

/// What a runtime finds in the namespace in which it is started.
@Suite(.needs(.root)) struct RuntimeInputTests {
    /// A bundle with bind mounts of these sources, which have been looked up.
    private struct Prepared {
        let prepared: PreparedBundle

        init(in folder: FilePath, _ sources: [String], options: [String] = ["rbind"]) throws {
            let mounts = sources.enumerated().map { index, source -> JSONValue in
                [
                    "destination": .string("/\(index)"), "type": "bind", "source": .string(source),
                    "options": .array(options.map { .string($0) }),
                ]
            }
            prepared = try PreparedBundle(at: folder, place: folder.appending("place"), mounts: mounts)
            for (index, source) in sources.enumerated() { _ = try prepared.bundle.sources.pin(source, of: index) }
        }

        /// - Parameter body: gets what the runtime finds as the sources in the bundle's config.json.
        func enter<Value: Sendable>(mask: mode_t? = nil, _ body: @escaping @Sendable ([String]) throws -> Value) async throws -> Value {
            try await prepared.enter(mask: mask) { try body($0.mounts.compactMap(\.source)) }
        }
    }

    private func who(_ folder: FilePath, _ text: String) throws {
        try makeFolder(folder, mode: 0o755)
        try replaceFile(folder.appending("who"), with: Array(text.utf8))
    }

    private static func text(_ path: String) throws -> String {
        String(decoding: try readWholeFile(FilePath(path), limit: 99), as: UTF8.self)
    }

    @Test func whatWasLookedUpIsWhatIsFound() async throws {
        try await withSharedFolder { folder in
            try who(folder.appending("meant"), "meant")
            try who(folder.appending("secret"), "secret")
            symlink("meant", "\(folder)/link")
            let prepared = try Prepared(in: folder, ["\(folder)/meant", "\(folder)/link", "\(folder)/meant/who"])
            rename("\(folder)/meant", "\(folder)/away")
            symlink("secret", "\(folder)/meant")
            let found = try await prepared.enter { sources in
                try [Self.text(sources[0] + "/who"), Self.text(sources[1] + "/who"), Self.text(sources[2])] + sources
            }
            #expect(found[..<3] == ["meant", "meant", "meant"])
            #expect(found[3...].map { $0.hasPrefix("\(folder)/place/") } == [true, true, true])
            #expect(found[3].hasSuffix("/0\(folder)/meant") && found[5].hasSuffix("/2\(folder)/meant/who"), "errors name the source")
        }
    }

    @Test func mountsBelowAreThereAsByThePath() async throws {
        // Without `rbind` runc leaves them out by itself, and crun does not.
        for options in [["rbind"], ["bind"], ["ro"]] {
            try await withSharedFolder { folder in
                try makeFolder(folder.appending("a"), mode: 0o755)
                for name in ["nested", "unbindable"] {
                    try makeFolder(folder.appending("a/\(name)"), mode: 0o755)
                    try mountMemory(on: folder.appending("a/\(name)"))
                    try replaceFile(folder.appending("a/\(name)/who"), with: [])
                }
                mount(nil, "\(folder)/a/unbindable", nil, UInt(1 << 17 /* MS_UNBINDABLE */), nil)
                let found = try await Prepared(in: folder, ["\(folder)/a"], options: options).enter { sources in
                    ["nested", "unbindable"].map { access("\(sources[0])/\($0)/who", F_OK) == 0 }
                }
                #expect(found == [true, false], "\(options)")
            }
        }
    }

    @Test func whatIsMountedThereKeepsItsPeers() async throws {
        try await withSharedFolder { folder in
            for name in ["a", "a/new"] { try makeFolder(folder.appending(name), mode: 0o755) }
            try await Prepared(in: folder, ["\(folder)/a"]).enter { sources in try mountMemory(on: FilePath(sources[0] + "/new")) }
            #expect(try MountTable().topmost(at: "\(folder)/a/new") != nil)
        }
    }

    @Test func kindsOfFiles() async throws {
        try await withSharedFolder { folder in
            let socket = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(socket) }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: "\(folder)/socket".utf8) }
            withUnsafePointer(to: &address) {
                _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
            }
            mkfifo("\(folder)/pipe", 0o600)
            try replaceFile(folder.appending("file"), with: Array("file".utf8))
            let paths = ["\(folder)/socket", "\(folder)/pipe", "\(folder)/file", "/dev/null", "/", "/proc/self/ns/net", folder.string]
            let before = paths.map(Self.kind)
            let found = try await Prepared(in: folder, paths).enter { sources in sources.map(Self.kind) }
            #expect(found == before)
        }
    }

    private static func kind(_ path: String) -> [UInt64] {
        var status = stat()
        return stat(path, &status) == 0
            ? [UInt64(status.st_dev), UInt64(status.st_ino), UInt64(status.st_mode), UInt64(status.st_rdev)] : []
    }

    /// Otherwise somebody could make there a link to what was not looked at.
    @Test func whatWasMissingStaysMissing() async throws {
        try await withSharedFolder { folder in
            let prepared = try Prepared(in: folder, ["\(folder)/late"])
            try makeFolder(folder.appending("late"), mode: 0o755)
            let found = try await prepared.enter { sources in [sources[0], access(sources[0], F_OK) == 0 ? "there" : "missing"] }
            #expect(found[0].hasSuffix("/place/0\(folder)/late") && found[1] == "missing")
        }
    }

    @Test func rootOfAUserNamespaceFindsItsWay() async throws {
        try await withSharedFolder { folder in
            chmod(folder.string, 0o711)
            try who(folder.appending("a"), "a")
            chmod("\(folder)/a/who", 0o644)
            let found = try await Prepared(in: folder, ["\(folder)/a", "\(folder)/a/who"]).enter(mask: 0o077) { sources in
                var modes: [mode_t] = []
                for source in sources {
                    var path = FilePath(source)
                    path.removeLastComponent()
                    while path.string.contains("/place") {
                        var status = stat()
                        stat(path.string, &status)
                        modes.append(status.st_mode & 0o111)
                        path.removeLastComponent()
                    }
                }
                return modes
            }
            #expect(!found.isEmpty && found.allSatisfy { $0 == 0o111 })
        }
    }

    @Test func whatCannotBeMountedIsAnError() async throws {
        try await withSharedFolder { folder in
            try makeFolder(folder.appending("a"), mode: 0o755)
            try mountMemory(on: folder.appending("a"))
            mount(nil, "\(folder)/a", nil, UInt(1 << 17 /* MS_UNBINDABLE */), nil)
            let error = await #expect(throws: RuntimeError.self) { try await Prepared(in: folder, ["\(folder)/a"]).enter { _ in } }
            #expect(error?.message.contains("open_tree \(folder)/a: Invalid argument (EINVAL); a mount that is unbindable") == true)
            try replaceFile(folder.appending("f"), with: [])
            let removed = try Prepared(in: folder, ["\(folder)/f"])
            unlink("\(folder)/f")
            let second = await #expect(throws: RuntimeError.self) { try await removed.enter { _ in } }
            #expect(second?.message.contains("it has been removed since the plugins were asked") == true)
            #expect(second?.code == .hostRefused && second?.cause is SystemError)
        }
    }
}
