// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
public import SystemPackage

/// A UNIX socket on which an OCI runtime sends the controlling end of a container's terminal. unix(7), SCM_RIGHTS.
public final class TerminalSocket: Sendable {
    private let descriptor: CInt
    private let path: FilePath

    /// How long the runtime below may take to send it, once it has said that the container is there.
    private static let patience = Duration.seconds(10)

    /// - Parameter path: at most 107 bytes.
    /// - Throws: `SystemError` of bind(2).
    public init(at path: FilePath) throws(SystemError) {
        self.path = path
        let address = try UnixSocketAddress(of: path, for: "bind")
        let raw = try systemCall("socket", on: "AF_UNIX") { socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0) }
        descriptor = raw
        // The file gets the socket's mode.
        try systemCall("fchmod", on: "a socket") { fchmod(raw, 0o600) }
        try systemCall("bind", on: path.string) { address.withSocketAddress { bind(raw, $0, $1) } }
        try systemCall("listen", on: path.string) { listen(raw, 1) }
    }

    deinit {
        close(descriptor)
        unlink(path.string)
    }

    /// Blocks until it has come, at the longest for ten seconds.
    func receive() throws(SystemError) -> CInt {
        let deadline = Deadline(after: Self.patience)
        try wait(descriptor, deadline)
        let connection = try systemCall("accept", on: path.string) { accept(descriptor, nil, nil) }
        defer { close(connection) }
        try wait(connection, deadline)
        return try systemCall("recvmsg", on: path.string) { CLinux_receive_descriptor(connection) }
    }

    private func wait(_ descriptor: CInt, _ deadline: Deadline) throws(SystemError) {
        if !Poll.wait(for: descriptor, until: deadline) { throw SystemError("poll", .timedOut, on: path.string) }
    }
}

/// The two ends between which a terminal's bytes are copied: standard input and output, and a container's terminal.
public final class Terminal {
    private let other: CInt
    private var saved = [UInt8](repeating: 0, count: 128)
    private let isTerminal: Bool
    private var hasInput = true
    private var isOpen = true
    /// Places in what is waited for.
    private var fromContainer = 0
    private var fromCaller = 0

    /// Puts the caller's terminal, if it is one, into raw mode.
    public init(of socket: TerminalSocket) throws(SystemError) {
        other = try socket.receive()
        // Runtimes leave the carriage returns to the outer terminal, which maps newlines still.
        _ = CLinux_clear_newline_mapping(other)
        isTerminal = isatty(STDIN_FILENO) == 1 && CLinux_make_raw(STDIN_FILENO, &saved) == 0
        resize()
    }

    /// What a wait is for; ``copy(_:)`` then takes what has come.
    public func add(to poll: inout Poll) {
        fromContainer = poll.add(isOpen ? other : nil)
        fromCaller = poll.add(isOpen && hasInput ? STDIN_FILENO : nil)
    }

    /// - Parameter poll: what this was added to last.
    public func copy(_ poll: Poll) {
        // A terminal whose other side is closed reads as an error.
        if poll.hasCome(at: fromContainer), !move(from: other, to: STDOUT_FILENO) { isOpen = false }
        if poll.hasCome(at: fromCaller), !move(from: STDIN_FILENO, to: other) { hasInput = false }
    }

    /// Copies what the container has written and not yet been read.
    public func drain() {
        while isOpen && Poll.wait(for: other, until: .now) && move(from: other, to: STDOUT_FILENO) {}
    }

    public func resize() { _ = CLinux_copy_window_size(STDIN_FILENO, other) }

    /// Gives the caller's terminal back as it was.
    public func close() {
        if isTerminal { _ = CLinux_restore_terminal(STDIN_FILENO, saved) }
        Glibc.close(other)
        isOpen = false
    }

    private func move(from source: CInt, to target: CInt) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 32 << 10)
        let count = read(source, &buffer, buffer.count)
        if count <= 0 { return count < 0 && errno == EINTR }
        var written = 0
        while written < count {
            let step = buffer.withUnsafeBytes { write(target, $0.baseAddress.map { $0 + written }, count - written) }
            if step < 0 && errno != EINTR { return false }
            written += max(step, 0)
        }
        return true
    }
}
