// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Logging
import Synchronization

/// Shares that are not to be tried because the kernel still holds a killed process that worked there: each further try could
/// add a process that nobody can end.
final class HeldShares: Sendable {
    private let holds = Mutex<[Share: (count: Int, reason: String)]>([:])
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    /// Why a share may not be tried now; nil if it may.
    func reason(_ share: Share) -> String? { holds.withLock { $0[share]?.reason } }

    /// - Parameter wait: blocks until the kernel has let go. It has a thread of its own, for which nobody waits.
    func hold(_ share: Share, because reason: String, until wait: @escaping @Sendable () -> Void) {
        holds.withLock { $0[share] = (($0[share]?.count ?? 0) + 1, reason) }
        logger.error("\(share.text): \(reason)")
        do throws(SystemError) {
            try BlockingThread.start(named: "nfsd-hold") { [self] in
                wait()
                let isFree = holds.withLock { holds in
                    guard let hold = holds[share], hold.count > 1 else {
                        holds[share] = nil
                        return true
                    }
                    holds[share] = (hold.count - 1, hold.reason)
                    return false
                }
                if isFree { logger.notice("\(share.text): the kernel has let go; the share can be used again") }
            }
        } catch {
            logger.error("\(share.text) stays unusable until docker-nfsd is restarted: \(error)")
        }
    }
}
