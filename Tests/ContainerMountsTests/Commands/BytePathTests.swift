// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import JSON
import LinuxSystem
import OCIRuntime
import SystemPackage
import TestSupport
import Testing

@testable import ContainerMounts

/// Paths are bytes, and need not be text.
struct BytePathTests {
    private static func folder(_ above: FilePath) -> FilePath {
        (Array("\(above)/b".utf8).map(CChar.init(bitPattern:)) + [-1, 0]).withUnsafeBufferPointer {
            FilePath(platformString: $0.baseAddress!)
        }
    }

    @Test(.needs(.root)) func aConfigurationInSuchAFolderIsCovered() async throws {
        try await withSharedFolder { scratch in
            let folder = Self.folder(scratch)
            try makeFolder(folder, mode: 0o755)
            let prepared = try PreparedBundle(
                at: folder, place: scratch.appending("place"), mounts: [["destination": "/m", "type": "proc", "source": "proc"]])
            var changed = prepared.bundle.configuration
            changed.setSource(ofMount: 0, to: "changed")
            #expect(try await prepared.enter(changed: changed) { $0.mounts[0].source } == "changed")
        }
    }

    @Test func aConfigurationInSuchAFolderIsReplaced() async throws {
        try await withScratchFolder { scratch in
            let folder = Self.folder(scratch)
            try makeFolder(folder, mode: 0o755)
            let file = folder.appending("config.json")
            try replaceFile(file, with: Array("before".utf8))
            file.withPlatformString { #expect(chmod($0, 0o640) == 0) }
            try ConfigurationFile.replace(file, with: Array("after".utf8))
            #expect(try readWholeFile(file, limit: 9) == Array("after".utf8) && ConfigurationFile.mode(file) == 0o640)
            #expect(try namesInFolder(folder) == ["config.json"])
        }
    }

    /// As `docker run --pid=container:NAME` has it, by an engine whose folders have such a name.
    @Test(arguments: [[], ["unshare", "--user", "--map-root-user", "--mount"]])
    func aContainerThatJoinsAnotherIsCreatedFromSuchABundle(asRootOf namespace: [String]) async throws {
        try await ScratchRuntime.with("first") { runtime, _ in
            try await runtime.startContainer("c1")
            let supervisor = try runtime.supervisor(of: "c1")
            let path = "/proc/\(supervisor)/ns/pid"
            let configuration: JSONValue = [
                "ociVersion": "1.0.2", "root": ["path": "rootfs"], "linux": ["namespaces": [["type": "pid", "path": .string(path)]]],
            ]
            let bundle = Self.folder(FilePath(runtime.folder))
            try makeFolder(bundle, mode: 0o755)
            try replaceFile(bundle.appending("config.json"), with: configuration.encoded())
            let script = #"exec "$0" create --bundle "$1/$(printf 'b\377')" c2"#
            let created = try await runtime.run([runtime.folder], wrapping: namespace + ["sh", "-c", script])
            #expect(created.status == 0, "\(created)")
            let namespaces = try runtime.below.configuration(of: "c2")["linux"]?["namespaces"]?.arrayValue
            #expect(namespaces?.first?["path"] == .string("/proc/\(try runtime.below.process(of: "c1"))/ns/pid"))
            #expect(try readWholeFile(bundle.appending("config.json"), limit: 999) == configuration.encoded())
        }
    }
}
