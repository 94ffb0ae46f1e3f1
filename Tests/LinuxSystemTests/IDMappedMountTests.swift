// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

/// Owners of ids 0 and 1000 are exchanged, and all others stay.
private let exchange = [
    IDRange(inside: 0, outside: 1000, count: 1), IDRange(inside: 1, outside: 1, count: 999),
    IDRange(inside: 1000, outside: 0, count: 1), IDRange(inside: 1001, outside: 1001, count: 4_294_966_294),
]

private func owner(_ path: String) -> [UInt32] {
    var status = stat()
    return lstat(path, &status) == 0 ? [status.st_uid, status.st_gid] : []
}

private func withTmpfs(_ body: (String, String) throws -> Void) async throws {
    try await withScratchFolder { folder in
        let (source, target) = (folder.appending("source").string, folder.appending("target").string)
        mkdir(source, 0o755)
        mkdir(target, 0o755)
        // The kernel's own file system, whichever the tests' folder is on.
        try systemCall("mount", on: source) { mount("tmpfs", source, "tmpfs", 0, "mode=0755") }
        try body(source, target)
    }
}

@Suite("Id-mapped mounts", .needs(.root))
struct IDMappedMountTests {
    @Test("Owners appear as mapped, others as they are, and what is made has the mapped owner") func mapped() async throws {
        try await withTmpfs { source, target in
            for (name, id) in [("own", 1000 as UInt32), ("root", 0), ("other", 1234)] {
                close(creat("\(source)/\(name)", 0o644))
                chown("\(source)/\(name)", id, id)
            }
            let clone = try PinnedFile(at: source).clone(recursively: false)
            try clone.mapIDs(of: UserNamespace(users: exchange, groups: exchange))
            try clone.attach(to: target)
            #expect(owner("\(target)/own") == [0, 0])
            #expect(owner("\(target)/root") == [1000, 1000])
            #expect(owner("\(target)/other") == [1234, 1234])
            close(creat("\(target)/made", 0o644))
            #expect(owner("\(source)/made") == [1000, 1000])
            #expect(owner("\(source)/own") == [1000, 1000])
        }
    }

    @Test("An id that is not mapped is nobody's, and cannot be made") func strict() async throws {
        try await withTmpfs { source, target in
            close(creat("\(source)/other", 0o644))
            chown("\(source)/other", 1234, 1234)
            let clone = try PinnedFile(at: source).clone(recursively: false)
            let ranges = [IDRange(inside: 1000, outside: 0, count: 1)]
            try clone.mapIDs(of: UserNamespace(users: ranges, groups: ranges))
            try clone.attach(to: target)
            #expect(owner("\(target)/other") == [65534, 65534])
            #expect(chown("\(target)/other", 77, 77) == -1 && errno == EOVERFLOW)
        }
    }

    @Test("A mapped mount is not mapped again, and what cannot be mapped says so") func refusals() async throws {
        try await withTmpfs { source, target in
            let namespace = try UserNamespace(users: exchange, groups: exchange)
            let clone = try PinnedFile(at: source).clone(recursively: false)
            try clone.mapIDs(of: namespace)
            try clone.attach(to: target)
            let second = try PinnedFile(at: target).clone(recursively: false)
            #expect { try second.mapIDs(of: namespace) } throws: { ($0 as? SystemError)?.errno == .notPermitted }
            let proc = try PinnedFile(at: "/proc").clone(recursively: false)
            #expect { try proc.mapIDs(of: namespace) } throws: { ($0 as? SystemError)?.errno == .invalidArgument }
        }
    }

    @Test("Maps that the kernel does not take are errors") func badMaps() throws {
        let twice = [IDRange(inside: 0, outside: 0, count: 10), IDRange(inside: 5, outside: 50, count: 10)]
        #expect(throws: SystemError.self) { try UserNamespace(users: twice, groups: twice) }
        let many = (0..<400).map { IDRange(inside: $0, outside: 100_000 + $0, count: 1) }
        #expect(throws: SystemError.self) { try UserNamespace(users: many, groups: many) }
        _ = try UserNamespace(users: Array(many.prefix(100)), groups: Array(many.prefix(100)))
    }
}
