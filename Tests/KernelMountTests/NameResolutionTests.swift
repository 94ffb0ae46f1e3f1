// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct NameResolutionTests {
    private func look(_ name: String, within limit: Duration = .seconds(30)) async throws -> [ServerAddress] {
        try await blocking { try resolve(ServerName(name)!, by: Deadline(after: limit), cancellation: nil) }
    }

    @Test func localhostIsThisHost() async throws {
        let addresses = try await look("localhost")
        #expect(addresses.contains(ServerAddress(.ipv4, "127.0.0.1")) || addresses.contains(ServerAddress(.ipv6, "::1")))
        #expect(Set(addresses).count == addresses.count)
    }

    @Test(
        arguments: [
            ("192.0.2.7", .ipv4, "192.0.2.7"), ("2001:DB8:0::7", .ipv6, "2001:db8::7"), ("fe80::7%lo", .ipv6, "fe80::7%lo"),
        ] as [(String, ServerAddress.Family, String)])
    func addressesAreTakenAsTheyAre(text: String, family: ServerAddress.Family, shown: String) async throws {
        #expect(try await look(text) == [ServerAddress(family, shown)])
    }

    /// RFC 6761: this top level domain is never there.
    @Test func aNameThatIsNotThereSaysWhy() async throws {
        let failure = await #expect(throws: ResolutionFailure.self) { try await look("nas.invalid") }
        #expect(failure?.reason.isEmpty == false)
        #expect(failure?.reason.contains("\n") == false)
    }

    @Test func givesUpAtTheDeadlineOrWithAnAnswer() async throws {
        let took = try await blocking {
            let began = ContinuousClock.now
            #expect(throws: ResolutionFailure.self) {
                try resolve(ServerName("nas.invalid")!, by: Deadline(after: .milliseconds(1)), cancellation: nil)
            }
            return ContinuousClock.now - began
        }
        #expect(took < .seconds(5))
    }
}
