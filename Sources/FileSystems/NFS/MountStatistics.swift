// SPDX-License-Identifier: AGPL-3.0-or-later

public import KernelMount
public import LinuxSystem
public import SystemPackage

/// What the kernel has counted for one mount of NFS: a block of /proc/self/mountstats.
///
/// Source: Linux, fs/proc_namespace.c (`show_vfsstat`), fs/nfs/super.c (`nfs_show_stats`), net/sunrpc/stats.c and net/sunrpc/xprtsock.c.
public struct MountStatistics: Sendable, Equatable {
    /// Bytes since the mount. linux/nfs_iostat.h
    public struct Bytes: Sendable, Equatable {
        /// What programs have read and written, without O_DIRECT and mapped files.
        public var normalRead: UInt64 = 0
        public var normalWritten: UInt64 = 0
        public var directRead: UInt64 = 0
        public var directWritten: UInt64 = 0
        /// What READ and WRITE calls have moved.
        public var serverRead: UInt64 = 0
        public var serverWritten: UInt64 = 0
    }

    /// A connection to the server; a mount has several with `nconnect` or with trunking.
    public struct Transport: Sendable, Equatable {
        /// `tcp`, `udp`, `rdma`, `local`.
        public var name: String
        /// How often it was connected; nil where the kernel does not tell, as for UDP.
        public var connects: UInt64?
        /// Seconds since it was last used; nil where the kernel does not tell.
        public var idle: UInt64?
        public var sends: UInt64
        public var receives: UInt64
        /// Answers that nobody waited for.
        public var badIDs: UInt64
    }

    /// All calls of one kind. linux/sunrpc/metrics.h
    public struct Operation: Sendable, Equatable {
        /// As the kernel spells it: `READ`, `GETATTR`.
        public var name: String
        /// Calls that have ended.
        public var calls: UInt64
        /// How often they were sent.
        public var transmissions: UInt64
        public var majorTimeouts: UInt64
        public var bytesSent: UInt64
        public var bytesReceived: UInt64
        /// Milliseconds of all calls together: until they were sent, between sending and answer, and from begin to end.
        public var queued: UInt64
        public var roundTrip: UInt64
        public var executed: UInt64
        /// Answered with an error; zero before Linux 5.3, which does not tell.
        public var errors: UInt64
    }

    /// As mountinfo shows it: `server:/path`.
    public var device: String
    public var place: FilePath
    /// `nfs` or `nfs4`.
    public var fileSystem: String
    /// Seconds since the superblock was mounted.
    public var age: UInt64 = 0
    public var bytes = Bytes()
    /// Seconds for which the lease has been expired; nil where it is not, or with version 3.
    public var leaseExpired: UInt64?
    /// Times for which the server has asked to be asked again later. NFSIOS_DELAY
    public var delays: UInt64 = 0
    public var transports: [Transport] = []
    public var operations: [Operation] = []

    init(device: String, place: FilePath, fileSystem: String) {
        self.device = device
        self.place = place
        self.fileSystem = fileSystem
    }

    /// Hands over each mount of NFS of this process's namespace, in the kernel's order. Never touches a mount.
    ///
    /// - Parameter path: the file, for tests.
    /// - Throws: `SystemError` of open(2) or read(2).
    public static func readAll(of path: FilePath = "/proc/self/mountstats", _ body: (MountStatistics) -> Void) throws(SystemError) {
        var parser = MountStatisticsParser()
        try readLines(of: path, longest: MountStatisticsParser.longestLine, limit: MountStatisticsParser.longestFile) { line in
            if let mount = parser.consume(line) { body(mount) }
        }
    }

    /// The same for those who do not know NFS.
    public var counters: ActivityCounters {
        var counters = ActivityCounters()
        counters.age = age
        counters.bytesRead = bytes.serverRead
        counters.bytesWritten = bytes.serverWritten
        for operation in operations {
            counters.operations = counters.operations.addingSaturated(operation.calls)
            if operation.transmissions > operation.calls {
                counters.retransmissions = counters.retransmissions.addingSaturated(operation.transmissions - operation.calls)
            }
            counters.majorTimeouts = counters.majorTimeouts.addingSaturated(operation.majorTimeouts)
            counters.errors = counters.errors.addingSaturated(operation.errors)
            switch operation.name {
            case "READ", "READ_PLUS": counters.reads.add(operation)
            case "WRITE": counters.writes.add(operation)
            default: break
            }
        }
        return counters
    }
}

extension ActivityCounters.Calls {
    fileprivate mutating func add(_ operation: MountStatistics.Operation) {
        count = count.addingSaturated(operation.calls)
        milliseconds = milliseconds.addingSaturated(operation.executed)
    }
}
