// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import NFS

/// Blocks as the kernel writes them.
enum StatisticsSamples {
    /// What a host has besides NFS.
    static let others = """
        device proc mounted on /proc with fstype proc
        no device mounted on /x with fstype tmpfs
        device /dev/vda1 mounted on / with fstype ext4

        """

    static let version3 = """
        device nas:/exports/data mounted on /mnt/v3 with fstype nfs statvers=1.1
        \topts:\trw,vers=3,rsize=1048576,wsize=1048576,namlen=255,hard,proto=tcp,timeo=600,retrans=2,sec=sys,mountaddr=192.0.2.7
        \tage:\t100
        \tcaps:\tcaps=0x8003,wtmult=4096,dtsize=4096,bsize=0,namlen=255
        \tsec:\tflavor=1,pseudoflavor=1
        \tevents:\t1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27\u{20}
        \tbytes:\t1000 2000 30 40 5000 6000 7 8\u{20}
        \tRPC iostats version: 1.1  p/v: 100003/3 (nfs)
        \txprt:\tudp 700 1 10 9 0 11 0 2 3 4
        \tper-op statistics
        \t        NULL: 1 1 0 44 24 0 1 1 0
        \t     GETATTR: 20 20 0 2400 2240 1 10 12 0
        \t        READ: 4 6 1 600 5400 5 30 40 1
        \t       WRITE: 2 2 0 6300 300 1 50 60 0


        """

    /// With three connections, a name with a space, and a lease that has expired.
    static let version41 = """
        device [2001:db8::7]:/a\\040b mounted on /mnt/a\\040b with fstype nfs4 statvers=1.1
        \topts:\trw,vers=4.1,proto=tcp6,nconnect=3,addr=2001:db8::7
        \tage:\t4000
        \timpl_id:\tname='Linux 6.1.0',domain='kernel.org',date='0,0'
        \tcaps:\tcaps=0xfffbc03f,wtmult=512,dtsize=1048576,bsize=0,namlen=255
        \tnfsv4:\tbm0=0xfdffbfff,bm1=0xf9be3e,bm2=0x60800,acl=0x3,sessions,pnfs=not configured,lease_time=90,lease_expired=120
        \tsec:\tflavor=1,pseudoflavor=1
        \tevents:\t0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\u{20}
        \tbytes:\t1 2 3 4 5 6 7 8\u{20}
        \tRPC iostats version: 1.1  p/v: 100003/4 (nfs)
        \txprt:\ttcp 0 0 1 0 5 100 98 0 200 0 64 10 20
        \txprt:\ttcp 790 1 2 0 -3 50 50 1 200 0 64 10 20
        \txprt:\trdma 0 0 3 0 7 40 40 0 1 2 3 4 5 6 7 8 9 10 11
        \tper-op statistics
        \t        READ: 1 1 0 1 1 1 1 1 0
        \t   FUTURE_OP: 1 2 3 4 5 6 7 8 9 10 11


        """

    /// Before Linux 5.3 an operation had no count of errors.
    static let version42 = """
        device 192.0.2.9:/ mounted on /mnt/v42 with fstype nfs4 statvers=1.1
        \tage:\t7
        \tnewline:\tof a kernel to come
        \tbytes:\t1 2 3 4 5 6 7 8\u{20}
        \tper-op statistics
        \t        READ: 1 1 0 1 1 1 1 10
        \t   READ_PLUS: 3 3 0 1 1 1 1 50


        """

    static let all = others + version3 + version41 + version42
}

struct MountStatisticsTests {
    private func parse(_ text: some Sequence<UInt8>) -> [MountStatistics] {
        var parser = MountStatisticsParser()
        var lines = Array(text).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        // What comes after the last newline is no line.
        lines.removeLast()
        return lines.compactMap { parser.consume($0) }
    }

    private func parse(_ text: String) -> [MountStatistics] { parse(text.utf8) }

    @Test func version3() throws {
        let mount = try #require(parse(StatisticsSamples.others + StatisticsSamples.version3).first)
        #expect(mount.device == "nas:/exports/data" && mount.place == "/mnt/v3" && mount.fileSystem == "nfs" && mount.age == 100)
        #expect(
            mount.bytes
                == MountStatistics.Bytes(
                    normalRead: 1000, normalWritten: 2000, directRead: 30, directWritten: 40, serverRead: 5000, serverWritten: 6000))
        #expect(mount.delays == 25 && mount.leaseExpired == nil)
        #expect(
            mount.transports == [
                MountStatistics.Transport(name: "udp", connects: nil, idle: nil, sends: 10, receives: 9, badIDs: 0)
            ])
        #expect(mount.operations.map(\.name) == ["NULL", "GETATTR", "READ", "WRITE"])
        #expect(
            mount.operations[2]
                == MountStatistics.Operation(
                    name: "READ", calls: 4, transmissions: 6, majorTimeouts: 1, bytesSent: 600, bytesReceived: 5400, queued: 5,
                    roundTrip: 30, executed: 40, errors: 1))
        let counters = mount.counters
        #expect(counters.age == 100 && counters.operations == 27 && counters.bytesRead == 5000 && counters.bytesWritten == 6000)
        #expect(counters.reads == .init(count: 4, milliseconds: 40) && counters.reads.average == 10)
        #expect(counters.writes == .init(count: 2, milliseconds: 60))
        #expect(counters.retransmissions == 2 && counters.majorTimeouts == 1 && counters.errors == 1)
    }

    @Test func version41WithSeveralConnections() throws {
        let mount = try #require(parse(StatisticsSamples.version41).first)
        #expect(mount.device == "[2001:db8::7]:/a b" && mount.place == "/mnt/a b" && mount.leaseExpired == 120)
        #expect(
            mount.transports == [
                .init(name: "tcp", connects: 1, idle: 5, sends: 100, receives: 98, badIDs: 0),
                .init(name: "tcp", connects: 2, idle: 0, sends: 50, receives: 50, badIDs: 1),
                .init(name: "rdma", connects: 3, idle: 7, sends: 40, receives: 40, badIDs: 0),
            ])
        // More numbers than are known.
        #expect(mount.operations.last?.name == "FUTURE_OP" && mount.operations.last?.errors == 9)
    }

    @Test func anOlderFormAndUnknownLines() throws {
        let mount = try #require(parse(StatisticsSamples.version42).first)
        #expect(mount.operations.map(\.errors) == [0, 0])
        #expect(mount.counters.reads == .init(count: 4, milliseconds: 60))
    }

    @Test func everyMountInOrder() {
        #expect(parse(StatisticsSamples.all).map(\.place) == ["/mnt/v3", "/mnt/a b", "/mnt/v42"])
    }

    /// Half a mount must not be taken for one whose counters went down.
    @Test func cutOffAnywhereOnlyWholeMountsAreThere() {
        let bytes = Array(StatisticsSamples.all.utf8)
        let whole = parse(bytes)
        for end in 0..<bytes.count { #expect(whole.starts(with: parse(bytes[..<end])), "cut off at \(end)") }
    }

    @Test func hugeNumbersStayAtTheGreatest() throws {
        let huge = "99999999999999999999999"
        let most = "18446744073709551615"
        let text = """
            device a:/b mounted on /mnt with fstype nfs4 statvers=1.1
            \tage:\t\(huge)
            \tbytes:\t1 2 3 4 \(huge) \(most) 7 8
            \txprt:\ttcp \(huge) 0 \(huge) 0 -\(huge) \(huge) \(most) 0
            \tper-op statistics
            \t        READ: \(most) \(huge) \(huge) 0 0 0 0 \(most) \(huge)
            \t   READ_PLUS: \(most) 0 1 0 0 0 0 \(huge) 5
            \t       WRITE: 1 2 x 4 5 6 7 8
            \t       WRITE: 1 2 3 4 5 6 7


            """
        let counters = try #require(parse(text).first).counters
        #expect(counters.age == .max && counters.bytesRead == .max && counters.bytesWritten == .max)
        #expect(counters.operations == .max && counters.reads == .init(count: .max, milliseconds: .max))
        #expect(counters.retransmissions == 0 && counters.majorTimeouts == .max && counters.errors == .max)
        // Operations with a word that is no number, and with too few of them.
        #expect(counters.writes.count == 0)
    }

    @Test func listsHaveAnEnd() throws {
        var text = "device a:/b mounted on /mnt with fstype nfs4 statvers=1.1\n"
        for _ in 0..<1000 { text += "\txprt:\ttcp 0 0 1 0 5 100 98 0\n" }
        text += "\tper-op statistics\n"
        for _ in 0..<1000 { text += "\tREAD: 1 1 1 1 1 1 1 1 1\n" }
        let mount = try #require(parse(text + "\n").first)
        #expect(mount.transports.count == 256 && mount.operations.count == 256)
    }

    @Test(arguments: [
        "device a:/b mounted on /mnt with fstype nfs4 statvers=2.0", "device a:/b mounted on /mnt with fstype ext4 statvers=1.1",
        "device a:/b with spaces mounted on /mnt with fstype nfs4 statvers=1.1", "device", "",
    ])
    func aBeginThatIsNone(line: String) {
        #expect(parse("\(line)\n\tage:\t5\n\tper-op statistics\n\tREAD: 1 1 1 1 1 1 1 1 1\n\n").isEmpty)
    }

    /// Whatever is changed in it, a text is read to its end.
    @Test func changedBytesDoNoHarm() {
        var random = SystemRandomNumberGenerator()
        let bytes = Array(StatisticsSamples.all.utf8)
        for _ in 0..<500 {
            var changed = bytes
            for _ in 0..<8 { changed[Int.random(in: 0..<changed.count, using: &random)] = UInt8.random(in: 0...255, using: &random) }
            for mount in parse(changed) { _ = mount.counters }
        }
    }

    @Test func differencesBeginAgainWithAnotherSuperblock() {
        var (early, late) = (ActivityCounters(), ActivityCounters())
        (early.age, early.operations, early.reads) = (10, 100, .init(count: 4, milliseconds: 8))
        (late.age, late.operations, late.reads) = (12, 150, .init(count: 10, milliseconds: 20))
        #expect(late.since(early).operations == 50 && late.since(early).reads == .init(count: 6, milliseconds: 12))
        #expect(late.since(nil) == late)
        late.age = 3
        #expect(late.since(early) == late)
        (late.age, late.operations) = (20, 5)
        #expect(late.since(early).operations == 0)
    }

    @Test func theKernelsOwnFile() throws {
        try MountStatistics.readAll { _ = $0.counters }
        #expect(throws: SystemError.self) { try MountStatistics.readAll(of: "/proc/self/not-there") { _ in } }
    }
}
