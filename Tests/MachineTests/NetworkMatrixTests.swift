// SPDX-License-Identifier: AGPL-3.0-or-later

import TestSupport
import Testing

/// What the network does while something is done with a volume.
enum NetworkFault: String, CaseIterable, Sendable {
    case loss5, loss20, delay, reorder
    /// Connections are reset, and new ones are refused.
    case reject
    /// The server has forgotten its connections, and does not say so.
    case halfOpen
}

struct NetworkCell: Sendable, CustomTestStringConvertible {
    enum Work: String, CaseIterable, Sendable { case mount, write, unmount }

    var fault: NetworkFault
    var version: String
    var work: Work

    var testDescription: String { "\(fault), version \(version), \(work)" }

    static let all = NetworkFault.allCases.flatMap { fault in
        ["3", "4.0", "4.2"].flatMap { version in Work.allCases.map { NetworkCell(fault: fault, version: version, work: $0) } }
    }

    /// Each fault twice, each version and each kind of work four times.
    static let few = [
        NetworkCell(fault: .loss5, version: "3", work: .mount), NetworkCell(fault: .loss5, version: "4.2", work: .write),
        NetworkCell(fault: .loss20, version: "4.0", work: .mount), NetworkCell(fault: .loss20, version: "3", work: .write),
        NetworkCell(fault: .delay, version: "4.0", work: .write), NetworkCell(fault: .delay, version: "4.2", work: .unmount),
        NetworkCell(fault: .reorder, version: "4.2", work: .mount), NetworkCell(fault: .reorder, version: "3", work: .unmount),
        NetworkCell(fault: .reject, version: "4.2", work: .mount), NetworkCell(fault: .reject, version: "4.0", work: .unmount),
        NetworkCell(fault: .halfOpen, version: "3", work: .write), NetworkCell(fault: .halfOpen, version: "4.0", work: .unmount),
    ]
}

extension MachineTests.ServerFaults {
    /// A second volume of the same server keeps its connection open, so that what is mounted takes over the fault's connection.
    private static let words =
        FarServer.words + #"""
            make() { driver Create "{\"Name\":\"$1\",\"Opts\":{\"server\":\"10.77.0.2\",\"path\":\"/exports/far/$1\",\"nfsvers\":\"$version\",\"o\":\"hard,timeo=30,nolock\"}}"; }
            fault() {
              case $1 in
                loss5) tc qdisc add dev near root netem loss 5% ;;
                loss20) tc qdisc add dev near root netem loss 20% ;;
                delay) tc qdisc add dev near root netem delay 200ms ;;
                reorder) tc qdisc add dev near root netem delay 20ms reorder 50% 50% ;;
                reject) far iptables -I INPUT -p tcp --dport 2049 -j REJECT --reject-with tcp-reset ;;
                halfOpen) far iptables -I OUTPUT -p tcp --tcp-flags RST RST -j DROP; far ss -K state established sport = :2049 > /dev/null ;;
              esac
            }
            try_mount() { fault $fault; took answer m cell; mend; until_true 100 mounts_now cell again > /dev/null; }
            writes() { local i; for i in $(seq 0 11); do dd if=/tmp/data bs=32k skip=$i count=1 conv=fsync status=none || return 1; sleep 0.1; done; }
            try_write() {
              m cell > /dev/null; { writes > $at/cell/data && echo good || echo bad; } > /tmp/status & until_true 30 test -s /exports/far/cell/data
              fault $fault; [ -s /tmp/status ] || echo "in the middle"
              # What lets nothing through is over after a while.
              case $fault in reject | halfOpen) (sleep 3; mend) > /dev/null 2>&1 & ;; esac
              took answer until_true 100 test -s /tmp/status; mend; cat /tmp/status; cmp /tmp/data /exports/far/cell/data && echo "all bytes"
            }
            try_unmount() { m cell > /dev/null; echo x > $at/cell/file; fault $fault; took answer u cell; mend; }

            """#

    @Test(
        "a network that fails in any way, for each version: mounts and unmounts are answered in time, and nothing that is written is lost",
        arguments: FarServer.isLong ? NetworkCell.all : NetworkCell.few)
    func networkFails(cell: NetworkCell) async throws {
        let output = try await Guest.expect(
            """
            fault=\(cell.fault.rawValue) version=\(cell.version)
            \(Self.words)
            rm -rf /exports/far/*; mkdir -p /exports/far/cell /exports/far/other; rm -f /tmp/status
            head -c 384k /dev/urandom > /tmp/data; for v in cell other; do make $v; done; m other
            try_\(cell.work.rawValue)
            for id in 1 again; do u cell $id; done; u other; for v in cell other; do driver Remove "{\\"Name\\":\\"$v\\"}"; done; mounts || true
            """, limit: 300)
        let milliseconds = Guest.number("answer", in: output)
        print("\(cell.testDescription): \(milliseconds) ms")
        #expect(output.hasSuffix("\n0\n"), "\(output)")
        // All calls but a mount from a server that refuses.
        let failures = output.matches(of: /"Err":"[^"]/).count
        #expect(failures == (cell.fault == .reject && cell.work == .mount ? 1 : 0), "\(output)")
        switch cell.work {
        case .mount:
            #expect((0..<100_000).contains(milliseconds), "\(output)")
            if cell.fault == .reject { #expect(output.contains("Connection refused (ECONNREFUSED)"), "\(output)") }
        case .write: #expect(output.contains("in the middle\n") && output.contains("good\nall bytes\n"), "\(output)")
        case .unmount: #expect((0..<45_000).contains(milliseconds), "\(output)")
        }
    }
}
