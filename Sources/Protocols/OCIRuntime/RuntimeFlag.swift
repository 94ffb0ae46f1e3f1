// SPDX-License-Identifier: AGPL-3.0-or-later

/// A flag of runc or crun, or one of our own.
struct RuntimeFlag: Sendable {
    enum Name: Sendable {
        case plugin, runtimePath
        case root, log, logFormat, debug, systemdCgroup, cgroupManager
        case bundle, config, pidFile, consoleSocket, pidfdSocket, preserveFDs, detach, keep, noSubreaper
        case force, regex, all
        case help, version
        /// Known only so that its value is not taken for something else.
        case other
    }

    enum Owner: Sendable { case runc, crun, both, ours }

    let name: Name
    let long: String
    /// ASCII.
    let short: String?
    let takesValue: Bool
    let owner: Owner

    init(_ name: Name, _ long: String, _ short: String? = nil, value takesValue: Bool = false, of owner: Owner = .both) {
        self.name = name
        self.long = long
        self.short = short
        self.takesValue = takesValue
        self.owner = owner
    }

    /// Only getopt_long(3), with which crun reads its flags, takes a part of a name for the name.
    var mayBeAbbreviated: Bool { owner == .crun || owner == .both }
}

extension RuntimeFlag {
    /// Before the command. The lists are those of runc 1.0 to 1.3 with what is in its source since, and of crun 1.0 to 1.20.
    static let global: [RuntimeFlag] =
        [
            RuntimeFlag(.plugin, "mount-point-plugin", value: true, of: .ours),
            RuntimeFlag(.runtimePath, "runtime-path", value: true, of: .ours),
            RuntimeFlag(.root, "root", value: true),
            RuntimeFlag(.log, "log", value: true),
            RuntimeFlag(.logFormat, "log-format", value: true),
            RuntimeFlag(.other, "log-level", value: true, of: .crun),
            RuntimeFlag(.debug, "debug"),
            RuntimeFlag(.other, "criu", value: true, of: .runc),
            RuntimeFlag(.systemdCgroup, "systemd-cgroup"),
            RuntimeFlag(.cgroupManager, "cgroup-manager", value: true, of: .crun),
            RuntimeFlag(.other, "rootless", value: true),
            RuntimeFlag(.version, "version", "v"),
            RuntimeFlag(.version, "version", "V", of: .crun),
        ] + help

    static let create: [RuntimeFlag] = creation + [.init(.noSubreaper, "no-subreaper", of: .crun)] + help

    static let run: [RuntimeFlag] =
        creation + [.init(.detach, "detach", "d"), .init(.keep, "keep"), .init(.noSubreaper, "no-subreaper")] + help

    static let restore: [RuntimeFlag] =
        [
            RuntimeFlag(.bundle, "bundle", "b", value: true),
            RuntimeFlag(.config, "config", value: true, of: .runc),
            RuntimeFlag(.consoleSocket, "console-socket", value: true),
            RuntimeFlag(.pidfdSocket, "pidfd-socket", value: true, of: .runc),
            RuntimeFlag(.pidFile, "pid-file", value: true),
            RuntimeFlag(.detach, "detach", "d"),
            RuntimeFlag(.noSubreaper, "no-subreaper", of: .runc),
            RuntimeFlag(.other, "no-pivot", of: .runc),
            RuntimeFlag(.other, "image-path", value: true),
            RuntimeFlag(.other, "work-path", value: true),
            RuntimeFlag(.other, "tcp-established"),
            RuntimeFlag(.other, "ext-unix-sk"),
            RuntimeFlag(.other, "shell-job"),
            RuntimeFlag(.other, "file-locks"),
            RuntimeFlag(.other, "manage-cgroups-mode", value: true),
            RuntimeFlag(.other, "empty-ns", value: true, of: .runc),
            RuntimeFlag(.other, "auto-dedup", of: .runc),
            RuntimeFlag(.other, "lazy-pages", of: .runc),
            RuntimeFlag(.other, "lsm-profile", value: true),
            RuntimeFlag(.other, "lsm-mount-context", value: true),
        ] + help

    static let start: [RuntimeFlag] = help
    static let delete: [RuntimeFlag] = [.init(.force, "force", "f"), .init(.regex, "regex", "r", of: .crun)] + help
    static let kill: [RuntimeFlag] =
        [.init(.all, "all", "a"), .init(.force, "force", "f", of: .crun), .init(.regex, "regex", "r", of: .crun)] + help

    private static let creation: [RuntimeFlag] = [
        RuntimeFlag(.bundle, "bundle", "b", value: true),
        // -f is crun's alone; runc has --config in versions after 1.3 only.
        RuntimeFlag(.config, "config", "f", value: true),
        RuntimeFlag(.consoleSocket, "console-socket", value: true),
        RuntimeFlag(.pidfdSocket, "pidfd-socket", value: true, of: .runc),
        RuntimeFlag(.pidFile, "pid-file", value: true),
        RuntimeFlag(.other, "no-pivot"),
        RuntimeFlag(.other, "no-new-keyring"),
        RuntimeFlag(.preserveFDs, "preserve-fds", value: true),
    ]

    private static let help: [RuntimeFlag] = [
        RuntimeFlag(.help, "help", "h"), .init(.help, "help", "?", of: .crun), .init(.help, "usage", of: .crun),
    ]
}
