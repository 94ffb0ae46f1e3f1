// SPDX-License-Identifier: AGPL-3.0-or-later

public import LinuxSystem
import Logging

/// Shows a ``TrafficTable`` again and again: `docker-nfsd top`.
public struct TrafficWatch: Sendable {
    private let settings: DaemonSettings

    public init(settings: DaemonSettings) { self.settings = settings }

    /// Blocks until the cancellation, until that many tables were shown, or until nobody reads any more. Gives a terminal back as it was.
    ///
    /// - Parameter times: nil: without end. On a terminal a table without figures comes before the first one.
    /// - Throws: `SystemError` if the state directory cannot be read.
    public func run(every interval: Duration, times: Int?, on screen: TerminalScreen, until ending: Cancellation) throws(SystemError) {
        // A damaged file would be named at each look; status names it.
        let logger = Logger(label: "docker-nfsd") { _ in SwiftLogNoOpLogHandler() }
        var earlier = try TrafficSample(settings: settings, logger: logger)
        guard screen.open() else { return }
        defer { screen.close() }
        if screen.isTerminal, !screen.show(TrafficTable.lines(from: nil, to: earlier)) { return }
        var shown = 0
        while shown < times ?? .max, ending.sleep(for: interval) {
            let sample = try TrafficSample(settings: settings, logger: logger)
            guard screen.show(TrafficTable.lines(from: earlier, to: sample)) else { return }
            earlier = sample
            shown += 1
        }
    }
}
