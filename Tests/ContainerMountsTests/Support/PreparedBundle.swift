// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import JSON
import LinuxSystem
import OCIRuntime
import SystemPackage
import TestSupport
import Testing

@testable import ContainerMounts

/// A bundle whose sources can be looked up, and what a runtime finds of it in the namespace in which it is started.
struct PreparedBundle {
    /// In which the sources are mounted.
    let place: FilePath
    private let file: FilePath
    let bundle: ContainerBundle

    /// - Parameter folder: absolute.
    init(at folder: FilePath, place: FilePath, mounts: [JSONValue]) throws {
        self.place = place
        file = folder.appending("config.json")
        try replaceFile(file, with: JSONValue.object(["ociVersion": "1.0.2", "mounts": .array(mounts)]).encoded())
        let bytes = folder.withPlatformString { Array(UnsafeBufferPointer(start: $0, count: strlen($0))).map(UInt8.init(bitPattern:)) }
        bundle = try ContainerBundle(
            OpenedBundle(bundle: PathArgument(bytes: bytes), config: nil), state: place.extended(by: "-state").string)
    }

    /// Each look is by a thread of its own, which alone goes there.
    ///
    /// - Parameters:
    ///   - changed: the configuration as plugins have changed it.
    ///   - mask: the thread's umask, which no other thread has.
    ///   - body: gets the bundle's configuration as the runtime finds it.
    func enter<Value: Sendable>(
        changed: OCIConfiguration? = nil, mask: mode_t? = nil, _ body: @escaping @Sendable (OCIConfiguration) throws -> Value
    ) async throws -> Value {
        let input = RuntimeInput(bundle, changed: changed, place: place.string)
        let file = file
        let work = Work {
            if let mask {
                // Whoever has had a mount namespace of its own has a umask of its own, too: unshare(2), CLONE_NEWNS.
                try MountNamespaceCopy().leave()
                umask(mask)
            }
            guard let copy = try input.enter() else { throw Trouble("it is refused") }
            let value = try body(OCIConfiguration(parsing: readWholeFile(file, limit: 1 << 20)))
            withExtendedLifetime(copy) {}
            return value
        }
        let value = try await inThread { try work.body() }
        #expect(try readWholeFile(file, limit: 1 << 20) == bundle.bytes, "the bundle is not changed")
        #expect(try namesInFolder(place) == [], "nobody else sees the place")
        return value
    }

    /// What is in it is used by one thread at a time.
    private struct Work<Value>: @unchecked Sendable {
        let body: () throws -> Value
    }
}

/// In a file system in memory whose mount is shared, as systemd makes all.
func withSharedFolder(_ body: (FilePath) async throws -> Void) async throws {
    try await withScratchFolder { folder in
        try mountMemory(on: folder)
        mount(nil, folder.string, nil, UInt(MS_SHARED), nil)
        try await body(folder)
        #expect(try MountTable().mounts(below: folder.string).filter { $0.mountPoint.contains("/place") } == [])
    }
}
