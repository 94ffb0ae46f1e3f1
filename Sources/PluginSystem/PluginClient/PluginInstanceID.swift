// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage

/// Identifies a plugin's process without asking it, so that a restart is noticed.
///
/// UNIX: the boot, the process that called listen(2) (SO_PEERCRED) with its start time, and the socket's file with its time of
/// change. Local TCP: the boot and the listening socket's inode.
///
/// What it cannot see: a plugin that executes itself again and keeps its listening socket; a proxy that listens in a
/// plugin's place (docker-proxy, socat, a tunnel) while the plugin behind it is restarted. Over a UNIX socket
/// ``PluginPropertiesCache`` notices the latter by comparing with who sent the answer; over TCP nothing tells, so a plugin that is
/// restarted behind a proxy belongs on a UNIX socket.
public struct PluginInstanceID: Sendable, Equatable {
    /// Opaque; equal for the same process of a plugin, and different after a restart.
    public let text: String
    /// The process that listens, for a UNIX socket.
    public let listener: CInt?

    /// - Parameter known: the text of an identity that was found earlier, which saves looking again for what can only change with it.
    /// - Returns: nil if it is not known, so that nothing may be cached: no process listens or its queue is full; the
    ///   address is not of this host; the process has ended or is of another pid namespace; systemd holds the socket for whichever
    ///   process it starts; several sockets share the port.
    public init?(of endpoint: PluginEndpoint, known: String? = nil) {
        guard let boot = try? Boot.current().text else { return nil }
        switch endpoint.address {
        case .unix(let path):
            // The file is read before and after, so that file and process belong together.
            guard let file = Self.file(path), let socket = try? StreamSocket.connect(toUnixSocket: path, by: Deadline(after: .zero)),
                let process = socket.listeningProcess(), let identity = ProcessIdentity(of: process), Self.file(path) == file
            else { return nil }
            text = "boot \(boot) process \(process) started \(identity.startTime) socket \(file)"
            // systemd's managers are called so, the system's and the users'.
            if process == 1 || (text != known && Self.word(in: FilePath("/proc/\(process)/comm")) == "systemd") { return nil }
            listener = process
        case .tcp(let host, let port):
            guard let addresses = try? HostNames().addresses(of: host), addresses.allSatisfy(\.isLoopback),
                let (address, inode) = Self.receiver(of: addresses, port)
            else { return nil }
            text = "boot \(boot) listening socket \(inode)"
            if text != known {
                // It must be the only one, and not held by systemd for whichever process it starts.
                guard ListeningSockets.isHeld(inode, by: 1) == false, ListeningSockets.inodes(of: address, port: port) == [inode] else {
                    return nil
                }
            }
            listener = nil
        }
    }

    private static func word(in path: FilePath) -> String? {
        guard let bytes = try? readWholeFile(path, limit: 4 << 10), !bytes.isEmpty else { return nil }
        return String(decoding: bytes.prefix { $0 > UInt8(ascii: " ") }, as: UTF8.self)
    }

    /// The first address at which a process listens, in the order in which a connection would try them.
    private static func receiver(of addresses: [InternetAddress], _ port: UInt16) -> (InternetAddress, UInt64)? {
        for address in addresses {
            if let inode = ListeningSockets.receiver(of: address, port: port) { return (address, inode) }
        }
        for address in addresses {
            if let inode = ListeningSockets.inodes(of: address, port: port).first { return (address, inode) }
        }
        return nil
    }

    private static func file(_ path: String) -> String? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return "\(status.st_dev):\(status.st_ino):\(status.st_ctim.tv_sec).\(status.st_ctim.tv_nsec)"
    }
}
