// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

/// Why something is still mounted.
public struct UnmountError: Error, Sendable, CustomStringConvertible {
    public var description: String
    public var stuck: SystemCallHold?
}

/// What it took to unmount.
public enum UnmountResult: Sendable, Equatable {
    case unmounted
    /// Taken off the tree while the server did not answer or somebody still used it; the kernel ends it with its last user.
    case detached
    case wasNotMounted
}

extension NFSMounter {
    /// Unmounts everything at a place: first in order, which writes back and may wait for the server; then by taking it off
    /// the tree, which does not.
    ///
    /// - Throws: `UnmountError` if something is still mounted there after both.
    public func unmount(_ target: String) throws(UnmountError) -> UnmountResult {
        var result = UnmountResult.wasNotMounted
        // More than one mount can lie on a place, if somebody mounted over ours.
        for _ in 0..<16 {
            switch take(target, [.noFollow]) {
            case .nothingThere: return result
            case .last: return result == .detached ? .detached : .unmounted
            case .oneOfSeveral: result = result == .detached ? .detached : .unmounted
            case .failed:
                result = .detached
                // A killed call may have taken it off before it waited.
                guard isMounted(target) else { return result }
                if case .failed(let failure) = take(target, [.detach, .noFollow]) {
                    guard isMounted(target) else { return result }
                    throw UnmountError(
                        description: "cannot unmount \(target): \(failure); see who uses it with fuser -m, and try again",
                        stuck: (failure as? Held)?.hold)
                }
                guard isMounted(target) else { return result }
            }
        }
        throw UnmountError(description: "cannot unmount \(target): it is mounted over again and again; see who does it, and try again")
    }

    private struct Held: Error, CustomStringConvertible {
        var hold: SystemCallHold
        var description: String { "process \(hold.process) is stuck in \(hold.call)" }
    }

    private enum Taken {
        case nothingThere, last, oneOfSeveral
        case failed(any Error)
    }

    /// Takes off the topmost mount. A second call in the same process tells whether another one lies below, for far less than
    /// reading the mount table costs.
    private func take(_ target: String, _ flags: UnmountFlags) -> Taken {
        let sequence = SystemCallSequence()
        sequence.nameProcess("nfsd-umount")
        let first = sequence.unmount(target, flags)
        let second = sequence.unmount(target, flags, options: .mayFail)
        do {
            switch try sequence.run(until: Deadline(after: limits.unmount)) {
            case .finished: break
            case .killed: return .failed(SystemError("umount2", .timedOut, on: target))
            case .stuck(let stuck): return .failed(Held(hold: SystemCallHold(stuck)))
            }
        } catch {
            return .failed(error)
        }
        if let error = sequence.error(of: first) {
            // EINVAL: not a mount point.
            return error.errno == .invalidArgument || error.errno == .noSuchFileOrDirectory ? .nothingThere : .failed(error)
        }
        return sequence.error(of: second)?.errno == .invalidArgument ? .last : .oneOfSeveral
    }

    private func isMounted(_ target: String) -> Bool {
        // If the table cannot be read, trying is the safer error.
        (try? MountTable.topmost(at: target) != nil) ?? true
    }
}
