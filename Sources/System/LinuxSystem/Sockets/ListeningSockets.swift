// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import SystemPackage

/// Who listens for TCP connections in this network namespace. proc_net_tcp(5).
public enum ListeningSockets {
    /// The sockets that take connections to an address of this host: one, or several that share the port (SO_REUSEPORT).
    ///
    /// - Returns: inodes of sockfs, which a later socket does not have; empty if there is none, or the table cannot be read.
    public static func inodes(of address: InternetAddress, port: UInt16) -> [UInt64] {
        var candidates: [(rank: Int, inode: UInt64)] = []
        for (table, local) in [("/proc/net/tcp", address), ("/proc/net/tcp6", address.mapped)] where table.last == "6" || !address.isIPv6 {
            // A table that changes between two reads of it can show a socket twice.
            for listener in listeners(table) where listener.port == port && !candidates.contains(where: { $0.inode == listener.inode }) {
                // The kernel prefers the more exact one; a wildcard of IPv6 takes connections of IPv4 last.
                if listener.address == local {
                    candidates.append((0, listener.inode))
                } else if listener.address.isWildcard {
                    candidates.append((listener.address.isIPv6 && !address.isIPv6 ? 2 : 1, listener.inode))
                }
            }
        }
        let best = candidates.map(\.rank).min()
        return candidates.filter { $0.rank == best }.map(\.inode)
    }

    /// Whether a process holds the socket. proc_pid_fd(5).
    ///
    /// - Returns: nil if its descriptors cannot be read.
    public static func isHeld(_ inode: UInt64, by process: CInt) -> Bool? {
        guard let names = try? namesInFolder(FilePath("/proc/\(process)/fd")) else { return nil }
        let wanted = "socket:[\(inode)]".utf8.map { CChar(bitPattern: $0) }
        var link = [CChar](repeating: 0, count: 64)
        for name in names {
            let count = readlink("/proc/\(process)/fd/\(name)", &link, link.count)
            if count == wanted.count && link[..<count].elementsEqual(wanted) { return true }
        }
        return false
    }

    private struct Listener {
        var address: InternetAddress
        var port: UInt16
        var inode: UInt64
    }

    /// The kernel lists listeners first, and of other connections there can be very many; so this stops at the first that is none.
    private static func listeners(_ table: String) -> [Listener] {
        guard let file = try? systemCall("open", on: table, { open(table, O_RDONLY | O_CLOEXEC) }) else { return [] }
        defer { Glibc.close(file) }
        var found: [Listener] = []
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        var isHeading = true
        while let count = try? systemCall("read", on: table, { Glibc.read(file, &buffer, buffer.count) }), count > 0 {
            text += buffer[..<count]
            while let end = text.firstIndex(of: UInt8(ascii: "\n")) {
                let fields = text[..<end].split(separator: UInt8(ascii: " "))
                text.removeSubrange(...end)
                if isHeading {
                    isHeading = false
                    continue
                }
                // slot, local address, remote address, state (0A: TCP_LISTEN), queues, timer, retransmits, user, timeout, inode
                guard fields.count > 9, fields[3].elementsEqual("0A".utf8) else { return found }
                if let listener = listener(local: fields[1], inode: fields[9]) { found.append(listener) }
            }
        }
        return found
    }

    /// The address is written as words of 32 bits in the processor's order of bytes, the port as a number.
    private static func listener(local: ArraySlice<UInt8>, inode: ArraySlice<UInt8>) -> Listener? {
        let parts = local.split(separator: UInt8(ascii: ":"))
        guard parts.count == 2, parts[0].count == 8 || parts[0].count == 32, let port = number(parts[1], radix: 16, UInt16.self),
            let inode = number(inode, radix: 10, UInt64.self)
        else { return nil }
        var bytes: [UInt8] = []
        for start in stride(from: parts[0].startIndex, to: parts[0].endIndex, by: 8) {
            guard let word = number(parts[0][start..<(start + 8)], radix: 16, UInt32.self) else { return nil }
            withUnsafeBytes(of: word) { bytes += $0 }
        }
        return Listener(address: InternetAddress(bytes: bytes), port: port, inode: inode)
    }

    private static func number<Number: FixedWidthInteger>(_ text: ArraySlice<UInt8>, radix: Int, _: Number.Type) -> Number? {
        Number(String(decoding: text, as: UTF8.self), radix: radix)
    }
}
