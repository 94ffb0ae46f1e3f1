// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage

/// The terminal of a container in the foreground: the delegate runtime sends the container's end over a socket, and this copies between
/// that end and the caller's own terminal.
final class Console {
    /// Of the socket, for `--console-socket`.
    let path: String
    private let socket: TerminalSocket
    private var terminal: Terminal?

    init(in state: String) throws(RuntimeError) {
        do throws(SystemError) {
            // A socket's path has at most 107 bytes, and that of a container's folder can be longer.
            path = "\(state)/console-\(getpid())"
            // Left by a killed process that had the same process id.
            unlink(path)
            socket = try TerminalSocket(at: FilePath(path))
        } catch {
            throw RuntimeError(.local, "cannot make a terminal's socket: \(error)", cause: error)
        }
    }

    /// Receives the terminal that the delegate runtime has sent.
    func open() throws(RuntimeError) {
        do throws(SystemError) {
            terminal = try Terminal(of: socket)
        } catch {
            throw RuntimeError(.delegate, "the container's terminal did not come: \(error)", cause: error)
        }
    }

    func add(to poll: inout Poll) { terminal?.add(to: &poll) }
    func copy(_ poll: Poll) { terminal?.copy(poll) }
    func drain() { terminal?.drain() }
    func resize() { terminal?.resize() }
    func close() { terminal?.close() }
}
