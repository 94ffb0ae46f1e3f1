// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

/// Why a mount failed, in words: the cause first, then what to do.
public struct FailureExplanation: Sendable {
    public var code: StorageError.Code
    public var reason: String

    public init(_ code: StorageError.Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// Words what is the same for every kind of file system, and leaves the rest to the negotiation.
    init(of failure: AttemptFailure, by negotiation: any MountNegotiation, subdirectory: Subdirectory?, waited: Duration) {
        switch (failure.end, failure.stage) {
        case (.cancelled, _): self.init(.cancelled, "given up because the caller has gone")
        case (.fromOutside, _):
            self.init(
                .other,
                "the process that made the mount was killed by somebody else, perhaps for want of memory; look at dmesg, then try again")
        case (.deadline, _) where failure.wasHeldUp:
            self.init(
                .heldUp,
                "the kernel had it wait for a mount from another server, which did not end within \(waited.components.seconds) s, so nothing is known of \(negotiation.server); docker-nfsd status shows which server does not answer; try again"
            )
        case (.deadline, _):
            self.init(
                .timedOut,
                "\(negotiation.server) took the connection but did not complete the mount within \(waited.components.seconds) s; look at the server's log and load, then try again"
            )
        case (.unwanted, _):
            self.init(
                .timedOut,
                "\(negotiation.server) took the connection but did not complete the mount within \(waited.components.seconds) s, and mounts from other servers waited for it in the kernel; look at the server's log and load, then try again"
            )
        case (nil, .subdirectory): self.init(.subdirectory, Self.reason(failure, at: subdirectory?.path ?? ""))
        case (nil, .requirement): self.init(.subdirectory, Self.requirement(failure.error))
        case (nil, _): self = negotiation.explanation(of: failure, waited: waited)
        }
    }

    /// The words for an option that the kernel refused.
    public init(refusedOption failure: AttemptFailure) {
        self.init(
            .badOption,
            "option \(failure.error.operand) is refused\(failure.kernelSaid): \(failure.error.errno.explained); correct it in the volume's options (docker volume rm, then create)"
        )
    }

    private static func reason(_ failure: AttemptFailure, at path: String) -> String {
        let (call, code, operand) = (failure.error.call, failure.error.errno, failure.error.operand)
        switch (call, code) {
        case ("openat", .noSuchFileOrDirectory):
            return "the subdirectory \(path) does not exist in the export; make it there, or create the volume with create=true"
        case ("openat", .notDirectory), ("openat", .tooManySymbolicLinkLevels):
            return "\(operand) in the export is not a directory (symbolic links are not followed); give another subdir"
        case ("mkdirat", .readOnlyFileSystem):
            return "the subdirectory \(path) cannot be made because the export is mounted read-only; make it on the server"
        case ("mkdirat", .permissionDenied), ("mkdirat", .notPermitted), ("fchown", _), ("fchmod", _):
            return
                "the server does not let root of this host make the subdirectory \(path) (\(call): \(code.explained)); export with no_root_squash, or make it on the server"
        default: return "subdirectory \(path): \(call) \(operand): \(code.explained)\(failure.kernelSaid)"
        }
    }

    private static func requirement(_ error: SystemError) -> String {
        guard error.errno == .noSuchFileOrDirectory else { return "\(error.operand) in it cannot be opened: \(error.errno.explained)" }
        return "it has no \(error.operand): is the right file system exported there, and its disk mounted on the server?"
    }
}

extension Errno {
    /// Whether this may pass by itself, so that another attempt is worth its time.
    var mayPass: Bool {
        switch self {
        case .timedOut, .connectionRefused, .noRouteToHost, .resourceTemporarilyUnavailable, .networkUnreachable, .networkDown,
            .staleNFSFileHandle, .notSupportedOnSocket:
            true
        default: false
        }
    }
}
