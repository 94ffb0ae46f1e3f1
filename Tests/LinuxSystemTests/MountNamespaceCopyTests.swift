// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import LinuxSystem

/// Each works in threads of its own, which alone are in the copies.
@Suite(.needs(.root)) struct MountNamespaceCopyTests {
    /// A shared mount, as systemd makes all.
    private func withSharedFolder(_ body: (FilePath) async throws -> Void) async throws {
        try await withScratchFolder { folder in
            try mountMemory(on: folder)
            mount(nil, folder.string, nil, UInt(MS_SHARED), nil)
            try await body(folder)
        }
    }

    private func inThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread { continuation.resume(with: Result(catching: body)) }.start()
        }
    }

    private func mounts(below folder: FilePath) throws -> [String] {
        try MountTable().mounts(below: folder.string).dropFirst().map(\.mountPoint)
    }

    @Test func whatIsMountedAtASeparatePlaceStaysThere() async throws {
        try await withSharedFolder { folder in
            let (place, other) = (folder.appending("place"), folder.appending("other"))
            for path in [place, other] { try makeFolder(path, mode: 0o755) }
            let file = folder.appending("file")
            try replaceFile(file, with: Array("outside".utf8))
            let inside = try await inThread {
                let copy = try MountNamespaceCopy()
                try copy.separate([place, file])
                try copy.mountMemory(at: place, mode: 0o711)
                try replaceFile(place.appending("new"), with: Array("inside".utf8))
                try copy.mountFile(place.appending("new"), over: file)
                copy.rejoin()
                try mountMemory(on: other)
                return try readWholeFile(file, limit: 9)
            }
            #expect(inside == Array("inside".utf8))
            #expect(try readWholeFile(file, limit: 9) == Array("outside".utf8))
            // Elsewhere the copy still has its peers, and what was mounted there outlives it.
            #expect(try mounts(below: folder) == [other.string])
        }
    }

    @Test func whatIsMountedOutsideMeanwhileAppears() async throws {
        try await withSharedFolder { folder in
            let (place, other) = (folder.appending("place"), folder.appending("other"))
            for path in [place, other] { try makeFolder(path, mode: 0o755) }
            let isThere = try await inThread {
                let copy = try MountNamespaceCopy()
                try copy.separate([place])
                try copy.mountMemory(at: place, mode: 0o711)
                copy.rejoin()
                try copy.leave()
                try mountMemory(on: other)
                try makeFolder(other.appending("seen"), mode: 0o755)
                return access(other.appending("seen").string, F_OK) == 0 && access(place.string, F_OK) == 0
            }
            #expect(isThere)
            #expect(try mounts(below: folder) == [other.string])
        }
    }

    @Test func linksOnAMountCanBeForbidden() async throws {
        try await withSharedFolder { folder in
            try makeFolder(folder.appending("below"), mode: 0o755)
            symlink("below", "\(folder)/link")
            let found = try await inThread {
                let copy = try MountNamespaceCopy()
                try copy.separate([folder])
                guard try copy.forbidLinks(at: folder) else { return ["the kernel cannot"] }
                return ["link", "below"].map { access("\(folder)/\($0)", F_OK) == 0 ? "there" : Errno(rawValue: errno).symbol }
            }
            #expect(found == ["ELOOP", "there"] || found == ["the kernel cannot"])
            #expect(access("\(folder)/link", F_OK) == 0)
        }
    }

    @Test func leavingKeepsTheWorkingDirectory() async throws {
        let folders = try await inThread {
            let before = FileManager.default.currentDirectoryPath
            let copy = try MountNamespaceCopy()
            try copy.leave()
            return [before, FileManager.default.currentDirectoryPath]
        }
        #expect(folders[0] == folders[1])
    }
}
