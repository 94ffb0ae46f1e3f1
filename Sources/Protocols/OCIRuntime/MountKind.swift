// SPDX-License-Identifier: AGPL-3.0-or-later

extension OCIConfiguration.Mount {
    /// What of the host a mount shows.
    public enum Kind: Sendable, Equatable {
        /// A folder or file.
        case bind
        /// Nothing but what the kernel makes, or memory.
        case kernel
        /// Folders, one over another.
        case overlay
        /// A device, a server, or what its options say: config.json alone does not tell.
        case other
        /// Changes a mount that is there already.
        case remount
    }

    /// Those whose content has no place on the host's disks or network, and whose options name no path.
    private static let kernelTypes = [
        "binder", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs", "fusectl",
        "hugetlbfs", "mqueue", "proc", "pstore", "ramfs", "resctrl", "rpc_pipefs", "securityfs", "selinuxfs", "smackfs", "sysfs", "tmpfs",
        "tracefs",
    ]

    public var kind: Kind {
        // runc and crun hand all options to the kernel at once, in which this one has the last word.
        if options.contains(where: { $0.utf8.elementsEqual("remount".utf8) }) { return .remount }
        if isBind { return .bind }
        guard let type else { return .other }
        if type.utf8.elementsEqual("overlay".utf8) { return .overlay }
        return Self.kernelTypes.contains { $0.utf8.elementsEqual(type.utf8) } ? .kernel : .other
    }
}
