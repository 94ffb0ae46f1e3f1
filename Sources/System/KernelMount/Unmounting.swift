// SPDX-License-Identifier: AGPL-3.0-or-later

public import LinuxSystem
import SystemPackage

/// What it took to unmount.
public enum UnmountResult: Sendable, Equatable {
    case unmounted
    /// Taken off the tree while the server did not answer or some process still used it; the kernel ends it with its last user.
    case detached
    case wasNotMounted
}

extension Mounter {
    /// Unmounts everything at a place, as ``Unmounter`` does.
    ///
    /// - Parameter busy: called with who has something open there, before it is taken off the tree under them.
    /// - Throws: `StorageError` (`in-use`, `stuck`) if something is still mounted there afterwards.
    public func unmount(_ target: String, whenBusy busy: ([FileUser]) -> Void = { _ in }) throws(StorageError) -> UnmountResult {
        try Unmounter(program: program, limit: limits.unmount).unmount(target, whenBusy: busy)
    }
}

/// Unmounts by processes that can be killed. Blocks, for some multiples of its limit at the longest.
struct Unmounter {
    /// What the processes are called in ps(1), before `-umount`.
    let program: String
    /// For each call.
    let limit: Duration
    /// Before each of some more tries at a mount that is busy: a look at it from this host, such as statfs(2), is soon over.
    var busyPauses: [Duration] = [.milliseconds(10), .milliseconds(40), .milliseconds(100), .milliseconds(200)]
    /// Waits for so long; a test puts something else in its place.
    var pause: (Duration) -> Void = { Poll.wait(for: -1, until: Deadline(after: $0)) }

    /// Unmounts everything at a place: first in order, which writes back and may wait for the server; then by taking it off
    /// the tree, which does not.
    ///
    /// Never by MNT_FORCE: that fails the calls of all mounts of the same superblock, other volumes' among them, and loses what a hard
    /// mount would write when the server is back.
    ///
    /// - Parameter busy: called with who has something open there, before it is taken off the tree under them.
    /// - Throws: `StorageError` (`in-use`, `stuck`) if something is still mounted there after both.
    func unmount(_ target: String, whenBusy busy: ([FileUser]) -> Void) throws(StorageError) -> UnmountResult {
        var result = UnmountResult.wasNotMounted
        // The first layer has all its time.
        let end = Deadline(after: limit * 2)
        // There is more than one mount if another program mounted over ours.
        for layer in 0..<16 {
            if layer > 0, end.hasPassed { break }
            switch unmountUnlessBusy(target, until: end) {
            case .nothingThere: return result
            case .last: return result == .detached ? .detached : .unmounted
            case .oneOfSeveral: result = result == .detached ? .detached : .unmounted
            case .failed(let refusal, _):
                result = .detached
                let users = refusal.errno == .resourceBusy ? FileUser.users(below: target, until: Deadline(after: Self.searchTime)) : []
                if refusal.errno == .resourceBusy { busy(users) }
                // A killed call may have taken it off before it waited.
                guard isMounted(target) else { return result }
                if case .failed(let error, let stuck) = unmountTopmost(at: target, [.detach, .noFollow]) {
                    guard isMounted(target) else { return result }
                    let reason = stuck.map { "process \($0.process) is stuck in \($0.call)" } ?? "\(error)"
                    let holders = users.isEmpty ? "" : "; it is used by \(users.map(\.description).joined(separator: ", "))"
                    throw StorageError(
                        stuck == nil ? .inUse : .stuck,
                        "cannot unmount \(target): \(reason)\(holders); see who uses it with fuser -m, and try again", cause: error,
                        stuck: stuck)
                }
                guard isMounted(target) else { return result }
            }
        }
        throw StorageError(
            .inUse, "cannot unmount \(target): it is mounted over again and again; see who does it, and try again")
    }

    /// For finding out who uses a mount.
    private static let searchTime = Duration.seconds(2)

    private enum Outcome {
        case nothingThere, last, oneOfSeveral
        case failed(SystemError, StuckProcess? = nil)
    }

    /// Takes off the topmost mount in order, and waits a moment for those who use it only just now.
    private func unmountUnlessBusy(_ target: String, until end: Deadline) -> Outcome {
        var outcome = unmountTopmost(at: target, [.noFollow])
        for length in busyPauses {
            guard case .failed(let refusal, _) = outcome, refusal.errno == .resourceBusy, !end.hasPassed else { break }
            pause(length)
            outcome = unmountTopmost(at: target, [.noFollow])
        }
        return outcome
    }

    /// Takes off the topmost mount. A second call in the same process tells whether another one is below, for far less than
    /// reading the mount table costs.
    private func unmountTopmost(at target: String, _ flags: UnmountFlags) -> Outcome {
        let sequence = SystemCallSequence()
        sequence.add(.nameProcess("\(program)-umount"))
        let first = sequence.add(.unmount(target, flags))
        let second = sequence.add(.unmount(target, flags, options: .mayFail))
        do throws(SystemError) {
            switch try sequence.run(until: Deadline(after: limit)) {
            case .finished: break
            case .killed: return .failed(SystemError("umount2", .timedOut, on: target))
            case .stuck(let stuck): return .failed(SystemError(stuck.call, .timedOut, on: target), StuckProcess(stuck))
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
