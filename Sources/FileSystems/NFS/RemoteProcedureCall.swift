// SPDX-License-Identifier: AGPL-3.0-or-later

/// The few bytes of ONC RPC that tell whether a server answers at all. RFC 5531.
enum RemoteProcedureCall {
    static let nfsProgram: UInt32 = 100_003
    static let portmapProgram: UInt32 = 100_000
    static let statusProgram: UInt32 = 100_024
    /// Of the port mapper and of its version 2, which are the same everywhere. RFC 1833.
    static let portmapPort: UInt16 = 111
    static let portmapVersion: UInt32 = 2
    static let portmapGetPort: UInt32 = 3

    /// A call without credentials, as one record of the TCP transport.
    static func call(program: UInt32, version: UInt32, procedure: UInt32, arguments: [UInt32] = [], id: UInt32) -> [UInt8] {
        // call, RPC version 2, program…, AUTH_NONE twice
        let words = [id, 0, 2, program, version, procedure, 0, 0, 0, 0] + arguments
        return bytes([0x8000_0000 | UInt32(words.count * 4)] + words)
    }

    /// Whether the bytes begin a reply to this call; any reply, also a refusal, shows that the server lives.
    static func isReply(_ record: [UInt8], to id: UInt32) -> Bool {
        record.count >= 12 && word(record, 1) == id && word(record, 2) == 1
    }

    /// The first word of an accepted reply's result, nil if it was refused or is not all there yet.
    static func result(_ record: [UInt8], to id: UInt32) -> UInt32? {
        // mark, id, reply, accepted, verifier flavour and length, success, result
        guard isReply(record, to: id), record.count >= 32, word(record, 3) == 0, word(record, 5) == 0, word(record, 6) == 0 else {
            return nil
        }
        return word(record, 7)
    }

    private static func bytes(_ words: [UInt32]) -> [UInt8] {
        words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) } }
    }

    private static func word(_ record: [UInt8], _ index: Int) -> UInt32 {
        record[index * 4..<index * 4 + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
