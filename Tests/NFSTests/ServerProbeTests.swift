// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import NFS

@Suite(.timeLimit(.minutes(5))) struct ServerProbeTests {
    private let one = ServerAddress(.ipv4, "127.0.0.1")
    private let two = ServerAddress(.ipv4, "127.0.0.2")

    private func ask(
        _ addresses: [ServerAddress], port: UInt16, within limit: Duration = .seconds(1000), cancellation: Cancellation? = nil
    ) async throws -> (results: [ProbeResult], took: Duration) {
        try await blocking {
            let began = ContinuousClock.now
            let probe = ServerProbe.nfs(port: port, version: .v4_1)
            let results = probe.ask(addresses, by: Deadline(after: limit), cancellation: cancellation)
            return (results, ContinuousClock.now - began)
        }
    }

    @Test func oneThatAnswersIsToldWithOurAddress() async throws {
        let server = try Loopback(.answers)
        defer { server.close() }
        #expect(try await ask([one], port: server.port).results == [.answers(local: "127.0.0.1")])
        #expect(server.callers == ["127.0.0.1"])
    }

    @Test func aRefusalInTwoPartsIsAnAnswer() async throws {
        let server = try Loopback(.refuses)
        defer { server.close() }
        #expect(try await ask([one], port: server.port).results == [.answers(local: "127.0.0.1")])
    }

    @Test func nobodyListens() async throws {
        let (results, took) = try await ask([one], port: closedPort())
        #expect(results == [.unreachable(.connectionRefused)])
        #expect(took < .seconds(500))
    }

    @Test(arguments: [Loopback.Manners.mute, .babbles]) func oneThatIsNoServerIsMute(manners: Loopback.Manners) async throws {
        let server = try Loopback(manners)
        defer { server.close() }
        let (results, took) = try await ask([one], port: server.port, within: .milliseconds(300))
        #expect(results == [.mute(local: "127.0.0.1")])
        #expect(took >= .milliseconds(300))
    }

    /// Such a server must not fill the daemon's memory until the deadline.
    @Test func oneThatFloodsIsNotHeardToItsEnd() async throws {
        let server = try Loopback(.floods)
        defer { server.close() }
        #expect(try await ask([one], port: server.port).results == [.unreachable(.protocolError)])
    }

    @Test func oneThatHangsUpIsNotWaitedFor() async throws {
        let server = try Loopback(.hangsUp)
        defer { server.close() }
        #expect(try await ask([one], port: server.port).results == [.unreachable(.connectionReset)])
    }

    @Test func oneThatDropsConnectionsIsSilent() async throws {
        let server = try Loopback(.silent)
        defer { server.close() }
        #expect(try await ask([one], port: server.port, within: .milliseconds(300)).results == [.silent])
    }

    @Test func aDeadFirstAddressDoesNotHideTheSecond() async throws {
        let server = try Loopback(.answers, at: "127.0.0.2")
        defer { server.close() }
        let (results, took) = try await ask([one, two], port: server.port)
        #expect(results[0] == .unreachable(.connectionRefused))
        if case .answers = results[1] {} else { Issue.record("\(results)") }
        #expect(took < .seconds(500))
    }

    @Test func aMuteFirstAddressIsWaitedForAndThenPassedOver() async throws {
        let mute = try Loopback(.mute)
        defer { mute.close() }
        let server = try Loopback(.answers, at: "127.0.0.2", port: mute.port)
        defer { server.close() }
        let results = try await ask([one, two], port: mute.port, within: .seconds(5)).results
        #expect(results[0] == .mute(local: "127.0.0.1"))
        if case .answers = results[1] {} else { Issue.record("\(results)") }
    }

    @Test func aGoodFirstAddressEndsIt() async throws {
        let server = try Loopback(.answers)
        defer { server.close() }
        let mute = try Loopback(.mute, at: "127.0.0.2", port: server.port)
        defer { mute.close() }
        let (results, took) = try await ask([one, two], port: server.port)
        #expect(results == [.answers(local: "127.0.0.1"), .undecided])
        #expect(took < .seconds(500))
    }

    @Test func aCancellationEndsIt() async throws {
        let server = try Loopback(.mute)
        defer { server.close() }
        let cancellation = try Cancellation()
        async let asked = ask([one], port: server.port, cancellation: cancellation)
        try await server.waitForCallers(1)
        cancellation.cancel()
        let (results, took) = try await asked
        #expect(results == [.undecided])
        #expect(took < .seconds(500))
    }

    @Test func addressesOfVersion6AreAskedToo() async throws {
        guard let server = try? Loopback(.answers, at: "::1") else { return }
        defer { server.close() }
        #expect(try await ask([ServerAddress(.ipv6, "::1")], port: server.port).results == [.answers(local: "::1")])
    }

    @Test func whatIsNoAddressFails() async throws {
        #expect(try await ask([ServerAddress(.ipv4, "not.an.address")], port: 2049).results == [.unreachable(.addressNotAvailable)])
        #expect(try await ask([], port: 2049).results.isEmpty)
    }
}
