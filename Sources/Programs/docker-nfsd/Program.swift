// SPDX-License-Identifier: AGPL-3.0-or-later

import ArgumentParser
import LinuxSystem

@main
enum Program {
    static let signals = Result { try TerminationSignals() }

    static func main() async {
        // Before anything makes a thread, so that the signals reach only the one that waits for them.
        _ = signals
        // The unit's own command line, without flags, goes straight to the service: parsing it costs more than half of the
        // time in which the daemon is to give its first answer.
        if CommandLine.arguments.dropFirst() == ["serve"] {
            do { try await Daemon.run(flags: [:], file: nil, signals: signals.get()) } catch { Daemon.fail(error) }
        } else {
            await DockerNFSD.main()
        }
    }
}
