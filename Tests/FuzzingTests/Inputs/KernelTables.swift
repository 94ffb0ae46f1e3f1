// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem

@testable import NFS

extension FuzzInput {
    /// The kernel's mount table, in which others choose paths, sources and options.
    static let mountTable = FuzzInput(name: "mountinfo") { bytes in
        let table = MountTable(parsing: bytes)
        try require(table.entries.count <= bytes.split(separator: UInt8(ascii: "\n")).count, "more mounts than lines")
        for entry in table.entries.prefix(20) {
            let top = table.topmost(at: entry.mountPoint)
            try require(top?.mountPoint.utf8.elementsEqual(entry.mountPoint.utf8) == true, "nothing is on top at \(entry.mountPoint)")
            try require(table.mounts(below: entry.mountPoint).contains(entry), "\(entry.mountPoint) is not below itself")
            _ = NFS().connection(of: entry)
        }
        let origins = MountOrigins(parsing: bytes, typesWithPathInSource: ["nfs", "nfs4"])
        for path in (table.entries.prefix(5).map(\.mountPoint) + ["/", "/a/b"]).map({ Array($0.utf8) }) where path.first == 0x2f {
            let resolve = { (layer: [UInt8], _: Bool) in origins.mayBlock(layer) ? nil : layer }
            guard let paths = origins.paths(showing: path, resolvingLayer: resolve) else { continue }
            try require(paths.first == path, "the path itself is not the first of its names")
            try require(paths.count <= MountOrigins.limit + 1, "\(paths.count) names")
            try require(paths.allSatisfy { $0.first == 0x2f }, "a name that is no absolute path")
        }
    }

    /// What the kernel counts for each mount.
    static let mountStatistics = FuzzInput(name: "mountstats") { bytes in
        var parser = MountStatisticsParser()
        var lines = 0
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            lines += 1
            guard let mount = parser.consume(line) else { continue }
            try require(mount.operations.count + mount.transports.count <= lines, "more of one block than lines")
            let counters = mount.counters
            try require(counters.reads.count <= counters.operations, "\(counters.reads.count) reads of \(counters.operations) calls")
            try require(counters.writes.count <= counters.operations, "\(counters.writes.count) writes of \(counters.operations) calls")
        }
    }

    /// What an NFS server or a port mapper sends back before anything is mounted.
    static let replies = FuzzInput(name: "replies") { bytes in
        for id: UInt32 in [0, 1, 0x0102_0304] where RemoteProcedureCall.result(bytes, to: id) != nil {
            try require(RemoteProcedureCall.isReply(bytes, to: id), "a result of what is no reply")
        }
    }
}
