// SPDX-License-Identifier: AGPL-3.0-or-later

import ArgumentParser
import Glibc
import LinuxSystem

@main
enum Program {
    static let signals = Result { try TerminationSignals() }

    /// Not an async main: that would run on a thread which was made before the signals could be blocked, and SIGTERM would
    /// end the process on the spot.
    static func main() {
        // Only for those that run on: the other commands end when they are asked to.
        if let command = CommandLine.arguments.dropFirst().first, command == "serve" || command == "top" { _ = signals }
        // Detached, because the main method of a program belongs to the main actor, and the main thread only waits.
        Task.detached {
            await run()
            exit(EXIT_SUCCESS)
        }
        while true { pause() }
    }

    private static func run() async {
        // The unit's own command line, without flags, goes straight to the service: parsing it costs more than half of the
        // time in which the daemon is to give its first answer.
        if CommandLine.arguments.dropFirst() == ["serve"] {
            do { try await Daemon.run(flags: [:], file: nil, signals: signals.get()) } catch { Daemon.fail(error) }
        } else {
            await DockerNFSD.main()
        }
    }
}
