// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Logging
import Synchronization
import Volumes

/// Shares that are not tried because the kernel still holds a killed process that worked there. Each further try could add a process
/// that cannot be ended.
final class BlockedShares: Sendable {
    /// By the share's text, one reason for each process.
    private let reasons = Mutex<[String: [String]]>([:])
    private let program: String
    private let logger: Logger

    /// - Parameter program: what to restart if a share stays blocked.
    init(program: String, logger: Logger) {
        self.program = program
        self.logger = logger
    }

    /// Why a share may not be tried now; nil if it may.
    func reason(_ share: Share) -> String? { reasons.withLock { $0[share.text]?.first } }

    /// Blocks a share for as long as `wait` blocks. Returns at once.
    ///
    /// - Parameter wait: returns when the kernel has let the process go. It runs on a thread of its own.
    func block(_ share: Share, because reason: String, until wait: @escaping @Sendable () -> Void) {
        reasons.withLock { $0[share.text, default: []].append(reason) }
        logger.error("\(share.text): \(reason)")
        do throws(SystemError) {
            try BlockingThread.start(named: "share-stuck") { [self] in
                wait()
                let isFree = reasons.withLock { reasons in
                    if let index = reasons[share.text]?.firstIndex(of: reason) { reasons[share.text]?.remove(at: index) }
                    return reasons[share.text]?.isEmpty ?? true
                }
                if isFree { logger.notice("\(share.text): the kernel has let go; the share can be used again") }
            }
        } catch {
            logger.error("\(share.text) stays unusable until \(program) is restarted: \(error)")
        }
    }
}
