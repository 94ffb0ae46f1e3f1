// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem

/// The namespaces and control groups that a supervisor started in, and which of the container's it is in now.
final class SupervisorHome {
    /// The namespaces this process started in.
    let namespaces: Namespaces
    let groupMounts: ControlGroupMounts
    var isInContainersGroups = false
    private let groups: ControlGroups
    private var isInContainersMounts = false
    /// Whether this process is in any namespace that it did not start in.
    private var isAway = false

    init() throws(SystemError) {
        namespaces = try Namespaces(of: nil, [.mount, .network, .ipc, .uts, .controlGroups])
        groups = try ControlGroups(of: nil)
        groupMounts = ControlGroupMounts(in: try MountTable())
    }

    /// Moves back to the control groups this process started in.
    func leaveGroups() throws(SystemError) {
        guard isInContainersGroups else { return }
        try groups.join(through: groupMounts)
        isInContainersGroups = false
    }

    /// Enters the container's mount namespace. From then on paths name files of the container.
    ///
    /// Does nothing while this process is in the container's control groups: it finds its own by path.
    func enterMounts(of process: Int32) throws(SystemError) {
        guard !isInContainersGroups && !isInContainersMounts else { return }
        let entered = try Namespaces(of: process, [.ipc, .uts, .controlGroups, .mount])
        isInContainersMounts = true
        try enter(entered)
    }

    /// Enters namespaces of a container.
    func enter(_ entered: Namespaces) throws(SystemError) {
        if !entered.isSame(as: namespaces) { isAway = true }
        try entered.enter(from: namespaces)
    }

    /// Returns to the namespaces this process started in.
    func goBack() throws(SystemError) {
        // An engine without root may not be allowed to enter even the namespaces that it is in.
        if isAway { try namespaces.enter() }
        isAway = false
        isInContainersMounts = false
    }
}
