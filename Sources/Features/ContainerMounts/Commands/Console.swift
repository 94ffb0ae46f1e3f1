// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage

/// The terminal of a container in the foreground: the runtime below sends its other end over a socket, and this copies between that
/// and the caller's own terminal.
final class Console {
    /// Of the socket, for `--console-socket`.
    let path: String
    private let socket: TerminalSocket
    private var terminal: Terminal?

    init(in state: String) throws(RuntimeError) {
        do throws(SystemError) {
            // The runtime below has only 107 bytes for the path, and a container's folder can have a longer one.
            path = "\(state)/console-\(getpid())"
            // Of one that was killed, and whose number this process has now.
            unlink(path)
            socket = try TerminalSocket(at: FilePath(path))
        } catch {
            throw RuntimeError("cannot make a terminal's socket: \(error)")
        }
    }

    /// Takes the terminal that the runtime below has sent.
    func open() throws(RuntimeError) {
        do throws(SystemError) {
            terminal = try Terminal(of: socket)
        } catch {
            throw RuntimeError("the container's terminal did not come: \(error)")
        }
    }

    func add(to poll: inout Poll) { terminal?.add(to: &poll) }
    func copy(_ poll: Poll) { terminal?.copy(poll) }
    func drain() { terminal?.drain() }
    func resize() { terminal?.resize() }
    func close() { terminal?.close() }
}
