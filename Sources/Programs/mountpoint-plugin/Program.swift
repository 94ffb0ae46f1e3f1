// SPDX-License-Identifier: AGPL-3.0-or-later

import ArgumentParser
import Glibc
import LinuxSystem

@main
enum Program {
    static let signals = Result { try TerminationSignals() }

    /// Not an async main: that would run on a thread which was made before the signals could be blocked, and SIGTERM would end the process
    /// on the spot.
    static func main() {
        if Service.isServing(CommandLine.arguments) { _ = signals }
        Task.detached {
            await run()
            exit(EXIT_SUCCESS)
        }
        while true { pause() }
    }

    private static func run() async {
        // The unit's own command line goes straight to the service, which needs no memory for all the flags then.
        if let (kind, instance) = Service.plainCommand(CommandLine.arguments) {
            do { try await Service.run(kind, instance: instance, places: nil) } catch { fail(error) }
        } else {
            await MountPointPluginCommand.main()
        }
    }

    static func fail(_ error: any Error) -> Never {
        warn("\(error)")
        exit(1)
    }

    /// To standard output.
    static func put(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count > 0 { rest = rest.dropFirst(count) } else if count == 0 || errno != EINTR { return }
        }
    }

    static func warn(_ text: String) {
        let line = "mountpoint-plugin: \(text)\n"
        _ = line.utf8.withContiguousStorageIfAvailable { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
