// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage

/// A socket that listens at a path, and the file that it made there.
struct ListeningSocket {
    let descriptor: FileDescriptor
    let file: SocketFile

    /// Connections that the kernel lets wait. The kernel's own limit (net.core.somaxconn) applies as well.
    private static let backlog: CInt = 1024

    /// Makes the socket and its folder; a file that a dead process left behind is replaced.
    ///
    /// - Throws: `PluginServerError` if the path is too long, is not a socket, or belongs to a live process, and `SystemError`.
    init(at path: FilePath) throws {
        guard let address = UnixSocketAddress(path.string), path.isAbsolute else {
            throw PluginServerError(
                "\(path) cannot be a socket: the path must be absolute and have at most \(UnixSocketAddress.longestPath) bytes")
        }
        try makeFolders(path.removingLastComponent())
        try Self.removeDeadSocket(at: path, address)
        let raw = try systemCall("socket", on: path.string) { socket(AF_UNIX, streamSocket, 0) }
        descriptor = FileDescriptor(rawValue: raw)
        do {
            file = try Self.listen(raw, at: path, address)
        } catch {
            close(raw)
            throw error
        }
    }

    private static func listen(_ raw: CInt, at path: FilePath, _ address: UnixSocketAddress) throws(SystemError) -> SocketFile {
        try systemCall("bind", on: path.string) { address.withSocketAddress { bind(raw, $0, $1) } }
        do throws(SystemError) {
            // Before listen(2), so that no client can connect in between.
            try systemCall("chmod", on: path.string) { chmod(path.string, 0o600) }
            try systemCall("listen", on: path.string) { Glibc.listen(raw, Self.backlog) }
            return try SocketFile(at: path)
        } catch {
            unlink(path.string)
            throw error
        }
    }

    private static func removeDeadSocket(at path: FilePath, _ address: UnixSocketAddress) throws {
        switch try occupant(of: path, address) {
        case .nothing: return
        case .deadSocket: try systemCall("unlink", on: path.string) { unlink(path.string) }
        case .liveSocket: throw PluginServerError("another process listens at \(path); stop it first")
        case .otherFile: throw PluginServerError("\(path) is there and is no socket; remove it, or choose another socket path")
        }
    }

    private enum Occupant { case nothing, deadSocket, liveSocket, otherFile }

    private static func occupant(of path: FilePath, _ address: UnixSocketAddress) throws(SystemError) -> Occupant {
        var status = stat()
        do throws(SystemError) {
            try systemCall("lstat", on: path.string) { lstat(path.string, &status) }
        } catch {
            if error.errno == .noSuchFileOrDirectory { return .nothing }
            throw error
        }
        if status.st_mode & S_IFMT != S_IFSOCK { return .otherFile }
        let probe = try systemCall("socket", on: path.string) { socket(AF_UNIX, streamSocket, 0) }
        defer { close(probe) }
        do throws(SystemError) {
            try systemCall("connect", on: path.string) { address.withSocketAddress { connect(probe, $0, $1) } }
        } catch {
            if error.errno == .connectionRefused { return .deadSocket }
            // Its queue of connections is full.
            if error.errno == .resourceTemporarilyUnavailable { return .liveSocket }
            throw error
        }
        return .liveSocket
    }
}

/// A socket file, told from one that has taken its place by device and inode.
struct SocketFile: Sendable {
    let path: FilePath
    private let device: dev_t
    private let inode: ino_t

    init(at path: FilePath) throws(SystemError) {
        var status = stat()
        try systemCall("lstat", on: path.string) { lstat(path.string, &status) }
        self.path = path
        device = status.st_dev
        inode = status.st_ino
    }

    /// Removes the file if it is still the one that was made. A client that finds a file without a listener waits 15 s.
    func remove() throws(SystemError) {
        guard let now = try? SocketFile(at: path), now.device == device, now.inode == inode else { return }
        try systemCall("unlink", on: path.string) { unlink(path.string) }
    }
}

/// The type argument of socket(2): close-on-exec, and calls that would wait fail with EAGAIN.
private let streamSocket = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
