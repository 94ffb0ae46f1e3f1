// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import Logging

/// For how long a host waits for servers that do not answer yet, because an engine does not start a container again whose volume could
/// not be mounted.
public enum ServerPatience: Sendable, Equatable {
    /// Each failure is told at once.
    case none
    /// While the host has just booted, as servers may that have lost power with it.
    case afterBoot
    case always(Duration)

    /// After the boot, how long it counts as just now.
    static let bootTime = Duration.seconds(300)
    /// After the boot, for how long a server is waited for.
    static let bootPeriod = Duration.seconds(90)

    /// - Parameter uptime: since the boot.
    func period(uptime: Duration) -> Duration {
        switch self {
        case .none: .zero
        case .afterBoot: uptime < Self.bootTime ? Self.bootPeriod : .zero
        case .always(let period): period
        }
    }
}

/// Tries again what fails because a server does not answer yet.
struct ServerRetries {
    /// From now on, for how long; zero for one attempt.
    let period: Duration
    /// Whether a name that is not known may become known, as that of a server that registers it when it boots.
    let takesUnknownNames: Bool
    /// What is tried, for the log.
    let subject: String
    let logger: Logger

    /// How often a server may say something that is wrong only while it starts.
    private static let mostStartingAnswers = 3
    private static let firstPause = Duration.seconds(1)
    private static let longestPause = Duration.seconds(10)

    /// Blocks until `body` succeeds or fails for good, the period or the deadline has passed, or the cancellation comes.
    ///
    /// - Parameter body: one attempt; its argument says whether it may take its time.
    func run<Value>(
        until deadline: Deadline, _ cancellation: Cancellation, _ body: (Bool) throws(StorageError) -> Value
    ) throws(StorageError) -> Value {
        let began = ContinuousClock.now
        let end = Deadline(began + period).earlier(deadline)
        var pause = Self.firstPause
        var startingAnswers = 0
        var isWaiting = false
        while true {
            do throws(StorageError) {
                let value = try body(period > .zero)
                if isWaiting { logger.notice("\(subject): done after \((ContinuousClock.now - began).components.seconds) s of waiting") }
                return value
            } catch {
                if Self.isOfStart(error.code) { startingAnswers += 1 }
                if !mayPass(error) || startingAnswers >= Self.mostStartingAnswers || end.remaining <= pause || cancellation.isCancelled {
                    throw error
                }
                if !isWaiting {
                    logger.notice("\(subject): waiting for up to \(end.remaining.components.seconds) s, because \(error.reason)")
                }
                isWaiting = true
                _ = cancellation.sleep(for: pause)
                if cancellation.isCancelled { throw error }
                pause = min(pause * 2, Self.longestPause)
            }
        }
    }

    /// What a server answers while its exports or its services are not there yet.
    private static func isOfStart(_ code: StorageError.Code) -> Bool { code == .stale || code == .versionNotOffered }

    private func mayPass(_ error: StorageError) -> Bool {
        if takesUnknownNames, error.code == .nameNotResolved { return true }
        return error.mayPass && (error.code.isAboutReachability || error.code == .heldUp || Self.isOfStart(error.code))
    }
}

extension ServerRetries {
    /// - Parameter own: what the volume itself says of the period; nil if it says nothing.
    init(_ settings: VolumeSettings, own: Duration?, subject: String, logger: Logger) {
        period = own ?? settings.patience.period(uptime: .seconds(secondsSinceBoot()))
        takesUnknownNames = own == nil && settings.patience == .afterBoot
        self.subject = subject
        self.logger = logger
    }
}
