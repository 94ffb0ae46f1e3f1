// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Logging
import Synchronization

/// Shares that are not to be tried because the kernel still holds a killed process that worked there: each further try could
/// add a process that nobody can end.
final class HeldShares: Sendable {
    /// By the share's text, one reason for each process.
    private let holds = Mutex<[String: [String]]>([:])
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    /// Why a share may not be tried now; nil if it may.
    func reason(_ share: Share) -> String? { holds.withLock { $0[share.text]?.first } }

    /// - Parameter wait: blocks until the kernel has let go. It has a thread of its own, for which nobody waits.
    func hold(_ share: Share, because reason: String, until wait: @escaping @Sendable () -> Void) {
        holds.withLock { $0[share.text, default: []].append(reason) }
        logger.error("\(share.text): \(reason)")
        do throws(SystemError) {
            try BlockingThread.start(named: "nfsd-hold") { [self] in
                wait()
                let isFree = holds.withLock { holds in
                    if let index = holds[share.text]?.firstIndex(of: reason) { holds[share.text]?.remove(at: index) }
                    return holds[share.text]?.isEmpty ?? true
                }
                if isFree { logger.notice("\(share.text): the kernel has let go; the share can be used again") }
            }
        } catch {
            logger.error("\(share.text) stays unusable until docker-nfsd is restarted: \(error)")
        }
    }
}
