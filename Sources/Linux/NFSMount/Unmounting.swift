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
        guard isMounted(target) else { return .wasNotMounted }
        var result = UnmountResult.unmounted
        var last: (any Error)?
        // More than one mount can lie on a place, if somebody mounted over ours.
        for _ in 0..<16 where isMounted(target) {
            if let failure = run([.noFollow], target) {
                last = failure
                // A killed call may have taken it off before it waited.
                if !isMounted(target) {
                    result = .detached
                    continue
                }
                result = .detached
                if let failure = run([.detach, .noFollow], target) {
                    last = failure
                    break
                }
            }
        }
        guard isMounted(target) else { return result }
        let words = last.map { "\($0)" } ?? "it is still in the mount table"
        throw UnmountError(
            description: "cannot unmount \(target): \(words); see who uses it with fuser -m, and try again", stuck: (last as? Held)?.hold)
    }

    private struct Held: Error, CustomStringConvertible {
        var hold: SystemCallHold
        var description: String { "process \(hold.process) is stuck in \(hold.call)" }
    }

    private func run(_ flags: UnmountFlags, _ target: String) -> (any Error)? {
        let sequence = SystemCallSequence()
        sequence.nameProcess("nfsd-umount")
        let call = sequence.unmount(target, flags)
        do {
            switch try sequence.run(until: Deadline(after: limits.unmount)) {
            case .finished:
                // EINVAL: not a mount point, so somebody else was faster.
                guard let error = sequence.error(of: call), error.errno != .invalidArgument else { return nil }
                return error
            case .killed: return SystemError("umount2", .timedOut, on: target)
            case .stuck(let stuck): return Held(hold: SystemCallHold(stuck))
            }
        } catch {
            return error
        }
    }

    private func isMounted(_ target: String) -> Bool {
        // If the table cannot be read, trying is the safer error.
        (try? MountTable().topmost(at: target) != nil) ?? true
    }
}
