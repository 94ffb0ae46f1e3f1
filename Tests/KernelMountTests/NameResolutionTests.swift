// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import KernelMount

@Suite(.timeLimit(.minutes(5))) struct NameResolutionTests {
    private func look(_ name: String, within limit: Duration = .seconds(30)) async throws -> [ServerAddress] {
        try await blocking { try NameResolver().resolve(ServerName(name)!, by: Deadline(after: limit), cancellation: nil) }
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
                try NameResolver().resolve(ServerName("nas.invalid")!, by: Deadline(after: .milliseconds(1)), cancellation: nil)
            }
            return ContinuousClock.now - began
        }
        #expect(took < .seconds(5))
    }

    /// A name service that answers when the test lets it, and counts how often it was asked for each name.
    private final class Service: Sendable {
        typealias Answer = Result<[ServerAddress], ResolutionFailure>
        private let asked = Mutex<[String]>([])
        private let answers: Mutex<[Answer]>
        private let gate: Cancellation

        /// - Parameter answers: of the looks in turn, and then the last one again.
        init(_ answers: [Answer]) throws {
            self.answers = Mutex(answers)
            gate = try Cancellation()
        }

        var looks: [String] { asked.withLock { $0 } }
        func letGo() { gate.cancel() }
        func lookUp(_ name: String) -> Answer {
            asked.withLock { $0.append(name) }
            Poll.wait(for: gate.descriptor.rawValue, until: nil)
            return answers.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
        }
    }

    private static let address = ServerAddress(.ipv4, "192.0.2.7")

    private func reason(_ resolver: NameResolver, _ name: String, within limit: Duration) async throws -> String {
        let failure = await #expect(throws: ResolutionFailure.self) {
            try await blocking { try resolver.resolve(ServerName(name)!, by: Deadline(after: limit), cancellation: nil) }
        }
        return try #require(failure).reason
    }

    @Test func aNameServiceThatHangsCostsAThreadForEachNameAndNoMoreThanAllowed() async throws {
        let service = try Service([.success([Self.address])])
        defer { service.letGo() }
        let resolver = NameResolver(mostLooks: 2) { service.lookUp($0) }
        for _ in 0..<20 {
            let late = try await reason(resolver, "nas", within: .milliseconds(5))
            #expect(late == "the resolver did not answer in time")
        }
        try await eventually("it is asked") { service.looks == ["nas"] }
        _ = try await reason(resolver, "other", within: .milliseconds(5))
        try await eventually("it is asked for the other") { service.looks.sorted() == ["nas", "other"] }
        let refused = try await reason(resolver, "third", within: .seconds(600))
        #expect(refused.hasSuffix("the resolver has not answered for 2 other names yet"))
        #expect(service.looks.sorted() == ["nas", "other"])
        // What needs no name service goes on.
        let known = try await blocking { try resolver.resolve(ServerName("192.0.2.8")!, by: .now, cancellation: nil) }
        #expect(known == [ServerAddress(.ipv4, "192.0.2.8")])
        async let waiting = blocking {
            try resolver.resolve(ServerName("nas")!, by: Deadline(after: .seconds(600)), cancellation: nil)
        }
        service.letGo()
        #expect(try await waiting == [Self.address])
        // There is room again.
        let third = try await blocking { try resolver.resolve(ServerName("third")!, by: Deadline(after: .seconds(600)), cancellation: nil) }
        #expect(third == [Self.address])
    }

    /// The look that both share began before the second one asked.
    @Test func whoJoinedALookThatFailsLooksAgain() async throws {
        let service = try Service([.failure(ResolutionFailure(reason: "not now", isTemporary: true)), .success([Self.address])])
        let resolver = NameResolver(mostLooks: 2) { service.lookUp($0) }
        async let first = reason(resolver, "nas", within: .seconds(600))
        try await eventually("it is asked") { service.looks == ["nas"] }
        async let second = blocking {
            try resolver.resolve(ServerName("nas")!, by: Deadline(after: .seconds(600)), cancellation: nil)
        }
        try await eventually("the second has joined") { resolver.askers == 2 }
        service.letGo()
        #expect(try await first == "not now")
        #expect(try await second == [Self.address])
        #expect(service.looks == ["nas", "nas"])
    }
}
