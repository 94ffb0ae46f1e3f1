// SPDX-License-Identifier: AGPL-3.0-or-later

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
        guard let error = try error(of: "unlinkat", on: path, .removeFile(at: path)) else { return }
        guard error.errno == .isDirectory || error.errno == .notPermitted else { throw EmergencyActionError("\(error)") }
        if let error = try self.error(of: "unlinkat", on: path, .removeDirectory(at: path)) { throw EmergencyActionError("\(error)") }
    }

    func unmount(_ path: String) throws(EmergencyActionError) {
        if let error = try error(of: "umount2", on: path, .unmount(path, .noFollow)) { throw EmergencyActionError("\(error)") }
    }

    private func error(
        of name: String, on path: String, _ made: SystemCall
    ) throws(EmergencyActionError) -> SystemError? {
        let sequence = SystemCallSequence()
        let call = sequence.add(made)
        let end: SequenceEnd
        do throws(SystemError) {
            end = try sequence.run(until: Deadline(after: timeout))
        } catch {
            throw EmergencyActionError("\(error)")
        }
        guard case .finished = end else { throw EmergencyActionError("\(name) \(path): it did not return within \(timeout)") }
        return sequence.error(of: call)
    }

    func warn(_ text: String) { log.warning("container \(container): \(text)") }
}
