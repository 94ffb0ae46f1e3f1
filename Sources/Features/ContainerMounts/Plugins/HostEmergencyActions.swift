// SPDX-License-Identifier: AGPL-3.0-or-later

import LexicalPaths
import LinuxSystem
import MountPointChain
import SystemPackage

/// Performs emergency actions on this host, in place of a plugin that is gone.
struct HostEmergencyActions: EmergencyActions {
    let container: String
    let log: RuntimeLog
    /// The time for one call. The call may wait for a dead server, so it runs in a process that can be killed.
    let timeout: Duration

    func remove(_ path: String) throws(EmergencyActionError) {
        do throws(EmergencyActionError) {
            try perform("unlinkat", on: path, .removeFile(at: path))
        } catch {
            let code = (error.cause as? SystemError)?.errno
            guard code == .isDirectory || code == .notPermitted else { throw error }
            try perform("unlinkat", on: path, .removeDirectory(at: path))
        }
    }

    /// Only of a path that the mount table has: in a folder that containers write to, one of them may have put a link on the way, which would
    /// lead to another mount of the host.
    func unmount(_ path: String) throws(EmergencyActionError) {
        do throws(SystemError) {
            if try MountTable.topmost(at: LexicalPath.absolute(path)) == nil {
                throw SystemError("umount2", .invalidArgument, on: path, hint: "nothing is mounted there, or a link is on the way")
            }
        } catch {
            throw EmergencyActionError("\(error)", cause: error)
        }
        try perform("umount2", on: path, .unmount(path, .noFollow))
    }

    /// - Throws: `EmergencyActionError`; its cause is the call's `SystemError`, unless the call did not return.
    private func perform(_ name: String, on path: String, _ made: SystemCall) throws(EmergencyActionError) {
        let sequence = SystemCallSequence()
        let call = sequence.add(made)
        let end: SequenceEnd
        do throws(SystemError) {
            end = try sequence.run(until: Deadline(after: timeout))
            if case .finished = end, let failure = sequence.error(of: call) { throw failure }
        } catch {
            throw EmergencyActionError("\(error)", cause: error)
        }
        guard case .finished = end else { throw EmergencyActionError("\(name) \(path): it did not return within \(timeout)") }
    }

    func warn(_ text: String) { log.warning("container \(container): \(text)") }
}
