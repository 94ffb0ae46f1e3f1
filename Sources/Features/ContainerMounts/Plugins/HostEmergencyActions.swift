// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import MountPointChain
import SystemPackage

/// Removes and unmounts on this host in the place of a plugin that is gone.
struct HostEmergencyActions: EmergencyActions {
    let container: String
    let log: RuntimeLog
    /// For one unmount. It may wait for a server that is gone, so a process makes the call that can be killed.
    let timeout: Duration

    func remove(_ path: String) throws(EmergencyFailure) {
        do throws(SystemError) {
            do throws(SystemError) {
                try removeFile(FilePath(path), durable: false)
            } catch  where error.errno == .isDirectory || error.errno == .notPermitted {
                try removeEmptyFolder(FilePath(path))
            }
        } catch {
            throw EmergencyFailure("\(error)")
        }
    }

    func unmount(_ path: String) throws(EmergencyFailure) {
        let sequence = SystemCallSequence()
        let call = sequence.unmount(path, .noFollow)
        let end: SequenceEnd
        do throws(SystemError) {
            end = try sequence.run(until: Deadline(after: timeout))
        } catch {
            throw EmergencyFailure("\(error)")
        }
        guard case .finished = end else { throw EmergencyFailure("umount2 \(path): it did not return within \(timeout)") }
        if let error = sequence.error(of: call) { throw EmergencyFailure("\(error)") }
    }

    func warn(_ text: String) { log.warning("container \(container): \(text)") }
}
