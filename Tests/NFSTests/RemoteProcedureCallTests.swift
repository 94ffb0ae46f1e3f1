// SPDX-License-Identifier: AGPL-3.0-or-later

import Testing

@testable import NFS

/// Bytes as RFC 5531 has them.
struct RemoteProcedureCallTests {
    @Test func aNullCallToNFS4() {
        let expected: [UInt8] = [
            0x80, 0, 0, 40,  // the last fragment, 40 bytes
            0x12, 0x34, 0x56, 0x78,  // the call's id
            0, 0, 0, 0,  // a call
            0, 0, 0, 2,  // RPC version 2
            0, 0x01, 0x86, 0xa3,  // program 100003
            0, 0, 0, 4,  // version
            0, 0, 0, 0,  // NULL
            0, 0, 0, 0, 0, 0, 0, 0,  // credentials: AUTH_NONE, empty
            0, 0, 0, 0, 0, 0, 0, 0,  // verifier
        ]
        #expect(RemoteProcedureCall.call(program: RemoteProcedureCall.nfsProgram, version: 4, procedure: 0, id: 0x1234_5678) == expected)
    }

    @Test func argumentsFollowAndCount() {
        let bytes = RemoteProcedureCall.call(program: 100_000, version: 2, procedure: 3, arguments: [100_024, 1, 6, 0], id: 1)
        #expect(bytes.prefix(4) == [0x80, 0, 0, 56])
        #expect(bytes.count == 60)
        #expect(Array(bytes.suffix(16)) == [0, 0x01, 0x86, 0xb8, 0, 0, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0])
    }

    private static let accepted: [UInt8] = [
        0x80, 0, 0, 28, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x01,
    ]

    @Test func readsAnAcceptedReply() {
        #expect(RemoteProcedureCall.isReply(Self.accepted, to: 9))
        #expect(!RemoteProcedureCall.isReply(Self.accepted, to: 8))
        #expect(RemoteProcedureCall.result(Self.accepted, to: 9) == 0x8001)
        #expect(RemoteProcedureCall.result(Self.accepted, to: 8) == nil)
    }

    @Test func readsNothingIntoAPartOfOne() {
        for count in 0..<Self.accepted.count {
            let part = Array(Self.accepted.prefix(count))
            #expect(RemoteProcedureCall.result(part, to: 9) == nil)
            #expect(RemoteProcedureCall.isReply(part, to: 9) == (count >= 12))
        }
    }

    /// Message type call; denied; a verifier that is not empty; a program that is not there.
    @Test(arguments: [(11, false), (15, true), (23, true), (27, true)]) func aRefusalShowsThatTheServerLivesAndHasNoResult(
        byte: Int, isReply: Bool
    ) {
        var record = Self.accepted
        record[byte] = byte == 11 ? 0 : 1
        #expect(RemoteProcedureCall.isReply(record, to: 9) == isReply)
        #expect(RemoteProcedureCall.result(record, to: 9) == nil)
    }
}
