// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

/// Asks the server of a mount whether it still has what is mounted.
public enum MountCheck {
    /// A server that takes longer has said nothing.
    private static let limit = Duration.seconds(2)

    /// Whether the server has said that what is mounted there is gone (ESTALE), as after an export was withdrawn or its directory was
    /// replaced. Asked by a process that can be killed, past the kernel's cache; false if there is no answer in time. Blocks for some
    /// seconds at most. statx(2), statfs(2).
    ///
    /// - Parameter program: what the process is called in ps(1), before `-check`.
    public static func isStale(at place: String, program: String) -> Bool {
        let sequence = SystemCallSequence()
        sequence.add(.nameProcess("\(program)-check"))
        let root = sequence.add(.openDirectory(place, operand: place))
        sequence.add(.status(of: root, into: sequence.buffer(statusSize), operand: place))
        // Linux 7.2 was seen to answer statx of an NFS 4.1 folder without asking the server, whatever the flags.
        sequence.add(.space(of: place, into: sequence.buffer(FileSystemSpace.statusSize)))
        guard case .finished? = try? sequence.run(until: Deadline(after: limit)) else { return false }
        return sequence.failure?.error.errno == .staleNFSFileHandle
    }

    /// struct statx, in bytes.
    private static let statusSize = 256
}
