// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import SystemPackage
import Testing

@testable import NFS

/// What the mounter is handed: every version at every address, best first, as the kernel wants it.
struct NFSMountNegotiationTests {
    private func negotiation(
        _ options: [String: String], _ addresses: [ServerAddress], mountAddress: ServerAddress? = nil
    ) throws -> NFSMountNegotiation {
        let export = try NFSExport(["server": "nas", "path": "/export"].merging(options) { $1 }, settings: NFSSettings())
        return NFSMountNegotiation(
            export, try export.options(for: .volume), addresses.map { ReachableServer(address: $0, localAddress: "192.0.2.1") },
            mountAddress: mountAddress)
    }

    @Test(
        arguments: [
            ([:], ["192.0.2.7"], ["nfs4 vers=4.1,addr=192.0.2.7,proto=tcp,soft"]),
            (
                ["nfsvers": "4"], ["192.0.2.7", "2001:db8::7"],
                [
                    "nfs4 vers=4.2,addr=192.0.2.7,proto=tcp,soft", "nfs4 vers=4.2,addr=2001:db8::7,proto=tcp6,soft",
                    "nfs4 vers=4.1,addr=192.0.2.7,proto=tcp,soft", "nfs4 vers=4.1,addr=2001:db8::7,proto=tcp6,soft",
                    "nfs4 vers=4.0,addr=192.0.2.7,proto=tcp,soft", "nfs4 vers=4.0,addr=2001:db8::7,proto=tcp6,soft",
                ]
            ),
            (
                ["nfsvers": "auto", "o": "hard,nolock"], ["192.0.2.7"],
                [
                    "nfs4 vers=4.2,addr=192.0.2.7,proto=tcp,hard", "nfs4 vers=4.1,addr=192.0.2.7,proto=tcp,hard",
                    "nfs4 vers=4.0,addr=192.0.2.7,proto=tcp,hard",
                    "nfs vers=3,addr=192.0.2.7,proto=tcp,mountaddr=192.0.2.7,mountproto=tcp,hard,nolock",
                ]
            ),
        ] as [([String: String], [String], [String])])
    func plansInTheOrderToTry(options: [String: String], addresses: [String], expected: [String]) throws {
        let plans = try negotiation(options, addresses.map { ServerAddress($0.contains(":") ? .ipv6 : .ipv4, $0) }).plans
        #expect(plans.map { "\($0.fileSystem) \($0.dataString ?? "")" } == expected)
        #expect(plans.allSatisfy { $0.source == "nas:/export" && $0.generic.attributes == [.noAccessTime] })
    }

    /// The kernel mounts it, and locks fail. In this driver's own spelling that is refused.
    @Test func inTheSpellingOfTheLocalDriverVersion3NeedsNoLockService() throws {
        let serviceRuns = ServerProbe.statusMonitorRuns(by: Deadline(after: .seconds(2)))
        let own = try negotiation(["nfsvers": "3"], [.init(.ipv4, "192.0.2.7")])
        #expect((own.obstacle(to: 0) == nil) == serviceRuns)
        let given = ["type": "nfs", "device": ":/export", "o": "addr=nas,vers=3"]
        // As it is read back from its file, too.
        for options in [given, try NFSExport(given, settings: NFSSettings()).canonical] {
            let export = try NFSExport(options, settings: NFSSettings())
            let local = NFSMountNegotiation(
                export, try export.options(for: .volume), [.init(address: .init(.ipv4, "192.0.2.7"), localAddress: "")], mountAddress: nil)
            #expect(local.obstacle(to: 0) == nil)
            func shortcomings(_ type: String) -> [String] {
                let line = "1 2 0:3 / /place rw - \(type) nas:/export rw,addr=192.0.2.7"
                return NFSSource(export).shortcomings(of: MountTable(parsing: Array(line.utf8)).entries[0])
            }
            #expect(shortcomings("nfs").count == (serviceRuns ? 0 : 1))
            #expect(shortcomings("nfs").allSatisfy { $0.contains("rpc.statd does not run on this host") })
            #expect(shortcomings("nfs4").isEmpty)
        }
    }

    @Test func itEndsWithTheServerAndTheWordsOfTheDecisiveFailure() throws {
        var negotiation = try negotiation(["nfsvers": "4"], [.init(.ipv4, "192.0.2.7"), .init(.ipv4, "192.0.2.8")])
        let denied = AttemptFailure(.server, SystemError("fsconfig(CMD_CREATE)", .permissionDenied, on: "nas:/export"))
        let missing = AttemptFailure(.server, SystemError("fsconfig(CMD_CREATE)", .protocolNotSupported, on: "nas:/export"))
        var steps: [Int] = []
        var index = 0
        walk: while true {
            steps.append(index)
            switch negotiation.step(after: index < 2 ? denied : missing, of: index) {
            case .plan(let next): index = next
            case .end(let failure):
                #expect(failure.error.errno == .permissionDenied)
                #expect(negotiation.server == "nas (192.0.2.8)")
                let explanation = negotiation.explanation(of: failure, waited: .seconds(1))
                #expect(explanation.code == .accessDenied)
                #expect(explanation.reason.hasPrefix("nas (192.0.2.8) denies this host (192.0.2.1) access to /export"))
                break walk
            }
        }
        // That a version is missing is the same at every address.
        #expect(steps == [0, 1, 2, 4])
    }
}
