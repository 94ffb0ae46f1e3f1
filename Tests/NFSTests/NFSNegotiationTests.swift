// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import NFS
import SystemPackage
import Testing

/// A kernel that answers from a table stands in for the real one. The rules are those of mount.nfs (nfs-utils 2.9).
struct NFSNegotiationTests {
    private static let first = ServerAddress(.ipv4, "192.0.2.1")
    private static let second = ServerAddress(.ipv4, "192.0.2.2")

    /// Runs one negotiation and writes it down as `VERSION@LAST DIGIT` for each attempt, then ` = ` and how it ended.
    private func trace(
        _ policy: String, _ addresses: [ServerAddress] = [first], _ kernel: (NFSVersion, ServerAddress) -> AttemptFailure?
    ) throws -> String {
        var negotiation = NFSNegotiation(try #require(VersionPolicy(policy)), addresses)
        var tried: [NFSNegotiation.Step] = []
        func text(_ steps: [NFSNegotiation.Step]) -> String {
            steps.map { "\($0.version.rawValue)@\($0.address.text.last!)" }.joined(separator: " ")
        }
        var index = 0
        while true {
            let step = negotiation.steps[index]
            tried.append(step)
            guard let failure = kernel(step.version, step.address) else {
                #expect(negotiation.attempts.count == tried.count - 1)
                return "\(text(tried)) = mounted \(text([step]))"
            }
            switch negotiation.step(after: failure, of: index) {
            case .plan(let next):
                try #require(next > index)
                index = next
            case .end(let failure):
                #expect(negotiation.attempts.map(\.version) == tried.map(\.version))
                #expect(negotiation.attempts.map(\.address) == tried.map(\.address))
                let decisive = negotiation.steps[try #require(negotiation.decisiveStep)]
                return "\(text(tried)) = \(failure.error.errno.symbol) of \(text([decisive]))"
            }
        }
    }

    private func failure(_ errno: Errno, _ stage: AttemptFailure.Stage = .server) -> AttemptFailure {
        AttemptFailure(stage, SystemError("fsconfig(CMD_CREATE)", errno, on: "nas:/export"))
    }

    // MARK: Versions

    @Test(
        arguments: [
            // policy; what versions 4.2, 4.1, 4.0 and 3 answer (nil: success); the trace
            ("auto", [nil], "4.2@1 = mounted 4.2@1"),
            ("auto", [.protocolNotSupported, nil], "4.2@1 4.1@1 = mounted 4.1@1"),
            ("auto", [.invalidArgument, .permissionDenied, nil], "4.2@1 4.1@1 4.0@1 = mounted 4.0@1"),
            ("auto", [.protocolNotSupported, .protocolNotSupported, .protocolNotSupported, nil], "4.2@1 4.1@1 4.0@1 3@1 = mounted 3@1"),
            // Straight to version 3.
            ("auto", [.noSuchFileOrDirectory, nil, nil, nil], "4.2@1 3@1 = mounted 3@1"),
            ("auto", [.notPermitted, nil, nil, nil], "4.2@1 3@1 = mounted 3@1"),
            ("auto", [.connectionRefused, nil, nil, nil], "4.2@1 3@1 = mounted 3@1"),
            // A server without version 4 that says PROG_UNAVAIL.
            (
                "auto", [.notSupportedOnSocket, .notSupportedOnSocket, .notSupportedOnSocket, nil],
                "4.2@1 4.1@1 4.0@1 3@1 = mounted 3@1"
            ),
            ("auto", [.protocolNotSupported, .noSuchFileOrDirectory, nil, nil], "4.2@1 4.1@1 3@1 = mounted 3@1"),
            // No version would change these.
            ("auto", [.timedOut], "4.2@1 = ETIMEDOUT of 4.2@1"),
            ("auto", [.ioError], "4.2@1 = EIO of 4.2@1"),
            ("auto", [.staleNFSFileHandle], "4.2@1 = ESTALE of 4.2@1"),
            ("auto", [.resourceBusy], "4.2@1 = EBUSY of 4.2@1"),
            ("auto", [.protocolNotSupported, .noRouteToHost], "4.2@1 4.1@1 = EHOSTUNREACH of 4.1@1"),
            // The first failure is reported, unless version 3 has more to say.
            ("auto", [.noSuchFileOrDirectory, nil, nil, .noSuchFileOrDirectory], "4.2@1 3@1 = ENOENT of 4.2@1"),
            ("auto", [.noSuchFileOrDirectory, nil, nil, .protocolNotSupported], "4.2@1 3@1 = ENOENT of 4.2@1"),
            ("auto", [.noSuchFileOrDirectory, nil, nil, .permissionDenied], "4.2@1 3@1 = EACCES of 3@1"),
            ("auto", [.notPermitted, nil, nil, .resourceBusy], "4.2@1 3@1 = EBUSY of 3@1"),
            ("auto", [.connectionRefused, nil, nil, .timedOut], "4.2@1 3@1 = ETIMEDOUT of 3@1"),
            (
                "auto", [.permissionDenied, .permissionDenied, .permissionDenied, .notSupportedOnSocket],
                "4.2@1 4.1@1 4.0@1 3@1 = EACCES of 4.2@1"
            ),
            // That a version is missing says less than what another version's server said.
            (
                "auto", [.protocolNotSupported, .permissionDenied, .protocolNotSupported, .notSupportedOnSocket],
                "4.2@1 4.1@1 4.0@1 3@1 = EACCES of 4.1@1"
            ),
            ("4", [.permissionDenied, .permissionDenied, .protocolNotSupported], "4.2@1 4.1@1 4.0@1 = EACCES of 4.2@1"),
            // 4 stays above 3, and a full version stays alone.
            ("4", [.protocolNotSupported, .protocolNotSupported, nil], "4.2@1 4.1@1 4.0@1 = mounted 4.0@1"),
            ("4", [.protocolNotSupported, .protocolNotSupported, .protocolNotSupported], "4.2@1 4.1@1 4.0@1 = EPROTONOSUPPORT of 4.2@1"),
            ("4", [.noSuchFileOrDirectory], "4.2@1 = ENOENT of 4.2@1"),
            ("4.2", [.protocolNotSupported], "4.2@1 = EPROTONOSUPPORT of 4.2@1"),
            ("4.1", [nil, .permissionDenied], "4.1@1 = EACCES of 4.1@1"),
            ("3", [nil, nil, nil, .permissionDenied], "3@1 = EACCES of 3@1"),
            ("3", [nil, nil, nil, nil], "3@1 = mounted 3@1"),
        ] as [(String, [Errno?], String)])
    func walksDownTheVersions(policy: String, answers: [Errno?], expected: String) throws {
        let order: [NFSVersion] = [.v4_2, .v4_1, .v4_0, .v3]
        let result = try trace(policy) { version, _ in
            let place = order.firstIndex(of: version)!
            guard place < answers.count else { return failure(.badFileDescriptor) }
            return answers[place].map { failure($0) }
        }
        #expect(result == expected)
    }

    // MARK: Addresses

    @Test(
        arguments: [
            ("4.1", .connectionRefused, "4.1@1 4.1@2 = mounted 4.1@2"), ("4.1", .noRouteToHost, "4.1@1 4.1@2 = mounted 4.1@2"),
            ("4.1", .timedOut, "4.1@1 4.1@2 = mounted 4.1@2"), ("4.1", .permissionDenied, "4.1@1 4.1@2 = mounted 4.1@2"),
            ("3", .notSupportedOnSocket, "3@1 3@2 = mounted 3@2"),
            // These the other address would say too.
            ("4.1", .notSupportedOnSocket, "4.1@1 = EOPNOTSUPP of 4.1@1"), ("4.1", .noSuchFileOrDirectory, "4.1@1 = ENOENT of 4.1@1"),
            ("4.1", .invalidArgument, "4.1@1 = EINVAL of 4.1@1"), ("4.1", .protocolNotSupported, "4.1@1 = EPROTONOSUPPORT of 4.1@1"),
            ("auto", .protocolNotSupported, "4.2@1 4.1@1 4.0@1 3@1 = EPROTONOSUPPORT of 4.2@1"),
        ] as [(String, Errno, String)])
    func triesTheNextAddressWhereThatCanHelp(policy: String, answer: Errno, expected: String) throws {
        let result = try trace(policy, [Self.first, Self.second]) { _, address in address == Self.first ? failure(answer) : nil }
        #expect(result == expected)
    }

    @Test func everyAddressIsTriedBeforeTheNextVersion() throws {
        let result = try trace("auto", [Self.first, Self.second]) { version, _ in version > .v4_1 ? failure(.permissionDenied) : nil }
        #expect(result == "4.2@1 4.2@2 4.1@1 = mounted 4.1@1")
        let dead = try trace("4.1", [Self.first, Self.second]) { _, address in
            failure(address == Self.first ? .connectionRefused : .timedOut)
        }
        #expect(dead == "4.1@1 4.1@2 = ETIMEDOUT of 4.1@2")
    }

    // MARK: Failures that are not the server's

    @Test(
        arguments: [
            .option("rsize"), .local, .subdirectory,
        ] as [AttemptFailure.Stage]) func aFailureOfThisHostEndsIt(stage: AttemptFailure.Stage) throws
    {
        for code: Errno in [.invalidArgument, .permissionDenied, .connectionRefused, .noSuchFileOrDirectory] {
            let result = try trace("auto", [Self.first, Self.second]) { _, _ in failure(code, stage) }
            #expect(result == "4.2@1 = \(code.symbol) of 4.2@1")
        }
    }

    @Test func aKernelBuiltWithoutAVersionTriesTheNext() throws {
        let result = try trace("auto", [Self.first, Self.second]) { version, _ in
            version == .v4_2 ? failure(.invalidArgument, .option("vers")) : nil
        }
        #expect(result == "4.2@1 4.1@1 = mounted 4.1@1")
    }

    @Test func aKillEndsIt() throws {
        let result = try trace("auto", [Self.first, Self.second]) { _, _ in
            AttemptFailure(.server, SystemError("fsconfig(CMD_CREATE)", .timedOut, on: "the server"), end: .deadline)
        }
        #expect(result == "4.2@1 = ETIMEDOUT of 4.2@1")
    }

    /// Version 3's missing lock service is the cause only where version 3 is what the server has.
    @Test func aMissingLockServiceDoesNotHideADenial() throws {
        for (code, expected) in [(Errno.permissionDenied, "EACCES of 4.2@1"), (.protocolNotSupported, "errno 37 of 3@1")] {
            let result = try trace("auto") { version, _ in version == .v3 ? failure(.init(rawValue: 37), .option("lock")) : failure(code) }
            #expect(result == "4.2@1 4.1@1 4.0@1 3@1 = \(expected)")
        }
    }

    @Test func theStepsAreAllAddressesOfEachVersion() throws {
        #expect(NFSNegotiation(.auto, []).steps.isEmpty)
        let steps = NFSNegotiation(try #require(VersionPolicy("4")), [Self.first, Self.second]).steps
        #expect(
            steps.map { "\($0.version.rawValue)@\($0.address)" } == [
                "4.2@192.0.2.1", "4.2@192.0.2.2", "4.1@192.0.2.1", "4.1@192.0.2.2", "4.0@192.0.2.1", "4.0@192.0.2.2",
            ])
    }
}
