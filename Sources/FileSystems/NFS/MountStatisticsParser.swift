// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

/// Reads mountstats line by line.
///
/// A mount is handed over with the empty line that ends its block, so one that is cut off is not. Lines and fields that are not known are
/// passed over, and a number that is too large is the greatest one.
struct MountStatisticsParser {
    /// Bytes: the mount options of a block are one line, and the kernel takes a page of them.
    static let longestLine = 16 << 10
    /// Bytes: a block has some 6 KB.
    static let longestFile = 256 << 20
    /// `nconnect` and `max_connect` go to 16 each.
    private static let mostTransports = 256
    /// Version 4.2 has some 70.
    private static let mostOperations = 256
    /// The only version of a block's form; nfs_iostat.h.
    private static let version = "statvers=1."

    private var mount: MountStatistics?
    /// Whether the lines of operations have begun.
    private var isInOperations = false

    /// Takes the next line, without its newline.
    ///
    /// - Returns: the mount whose block ends with it.
    mutating func consume(_ line: ArraySlice<UInt8>) -> MountStatistics? {
        let words = line.split(whereSeparator: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") })
        guard let first = words.first else { return end() }
        // The lines of a block begin with a tab.
        if line.first != UInt8(ascii: "\t") {
            mount = Self.begin(words)
            isInOperations = false
            return nil
        }
        guard mount != nil else { return nil }
        if isInOperations {
            acceptOperation(words)
        } else {
            acceptLine(Self.text(first), words.dropFirst())
        }
        return nil
    }

    private mutating func end() -> MountStatistics? {
        defer {
            mount = nil
            isInOperations = false
        }
        return isInOperations ? mount : nil
    }

    /// `device SOURCE mounted on PLACE with fstype TYPE statvers=1.1`
    private static func begin(_ words: [ArraySlice<UInt8>]) -> MountStatistics? {
        guard words.count == 9, text(words[0]) == "device", text(words[3]) == "on", text(words[6]) == "fstype" else { return nil }
        let fileSystem = text(words[7])
        guard fileSystem == "nfs" || fileSystem == "nfs4", text(words[8]).hasPrefix(version) else { return nil }
        let place = FilePath(text(MountTable.unescapedBytes(words[4])))
        return MountStatistics(device: text(MountTable.unescapedBytes(words[1])), place: place, fileSystem: fileSystem)
    }

    private mutating func acceptLine(_ name: String, _ fields: ArraySlice<ArraySlice<UInt8>>) {
        switch name {
        case "age:":
            if let age = fields.first.flatMap(Self.number) { mount?.age = age }
        case "nfsv4:": acceptLease(fields)
        case "events:":
            // linux/nfs_iostat.h: NFSIOS_DELAY is the 25th.
            let numbers = fields.map(Self.number)
            if numbers.count >= 25, let delays = numbers[24] { mount?.delays = delays }
        case "bytes:":
            let numbers = fields.map { Self.number($0) ?? 0 }
            guard numbers.count >= 6 else { return }
            mount?.bytes = MountStatistics.Bytes(
                normalRead: numbers[0], normalWritten: numbers[1], directRead: numbers[2], directWritten: numbers[3],
                serverRead: numbers[4], serverWritten: numbers[5])
        case "xprt:": acceptTransport(fields)
        case "per-op": isInOperations = true
        default: break
        }
    }

    /// `bm0=…,pnfs=not configured,lease_time=90,lease_expired=0`
    private mutating func acceptLease(_ words: ArraySlice<ArraySlice<UInt8>>) {
        let name = "lease_expired=".utf8
        for field in words.flatMap({ $0.split(separator: UInt8(ascii: ",")) }) where field.starts(with: name) {
            let expired = Self.number(field.dropFirst(name.count)) ?? 0
            mount?.leaseExpired = expired == 0 ? nil : expired
        }
    }

    /// `tcp SRCPORT BIND CONNECTS CONNECT_TIME IDLE SENDS RECVS BADXIDS …`; rdma has the same beginning, local no port, and udp
    /// `SRCPORT BIND SENDS RECVS BADXIDS …`.
    private mutating func acceptTransport(_ fields: ArraySlice<ArraySlice<UInt8>>) {
        guard let first = fields.first, (mount?.transports.count ?? 0) < Self.mostTransports else { return }
        let name = Self.text(first)
        var numbers = fields.dropFirst().map(Self.number)
        switch name {
        case "tcp", "rdma": numbers.removeFirst(min(2, numbers.count))
        case "local": numbers.removeFirst(min(1, numbers.count))
        case "udp":
            numbers.removeFirst(min(2, numbers.count))
            numbers.insert(contentsOf: [nil, nil, nil], at: 0)
        default: return
        }
        guard numbers.count >= 6, let sends = numbers[3], let receives = numbers[4], let bad = numbers[5] else { return }
        mount?.transports.append(
            MountStatistics.Transport(
                name: name, connects: numbers[0], idle: numbers[2], sends: sends, receives: receives, badIDs: bad))
    }

    /// `READ: OPS TRANS TIMEOUTS SENT RECEIVED QUEUE RTT EXECUTE [ERRORS]`
    private mutating func acceptOperation(_ words: [ArraySlice<UInt8>]) {
        let numbers = words.dropFirst().map { Self.number($0) }
        guard words[0].last == UInt8(ascii: ":"), words[0].count <= 64, numbers.count >= 8, !numbers.contains(nil),
            (mount?.operations.count ?? 0) < Self.mostOperations
        else { return }
        let values = numbers.compactMap { $0 }
        mount?.operations.append(
            MountStatistics.Operation(
                name: Self.text(words[0].dropLast()), calls: values[0], transmissions: values[1], majorTimeouts: values[2],
                bytesSent: values[3], bytesReceived: values[4], queued: values[5], roundTrip: values[6], executed: values[7],
                errors: values.count > 8 ? values[8] : 0))
    }

    /// A decimal number; the greatest one if it is too large, zero if it is negative, as idle times can be; nil for anything else.
    private static func number(_ text: ArraySlice<UInt8>) -> UInt64? {
        if text.first == UInt8(ascii: "-") { return number(text.dropFirst()).map { _ in 0 } }
        guard !text.isEmpty else { return nil }
        var value: UInt64 = 0
        var isTooLarge = false
        for byte in text {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, second) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            isTooLarge = isTooLarge || overflow || second
            value = sum
        }
        return isTooLarge ? .max : value
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}
