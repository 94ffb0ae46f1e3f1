// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

/// A file system in memory, by the mount API of Linux 5.2.
enum MemoryMount {
    private static let limit = Duration.seconds(20)

    /// Whether a tmpfs can be kept out of swap: tried with one that is attached nowhere. tmpfs(5), noswap, Linux 6.4.
    static var knowsNoSwap: Bool {
        let sequence = SystemCallSequence()
        let context = sequence.add(.fsopen("tmpfs"))
        _ = sequence.add(.fsconfig(context, "noswap", nil))
        _ = sequence.add(.fsconfigCreate(context, on: "tmpfs"))
        do throws(SystemError) { try run(sequence) } catch { return false }
        return true
    }

    /// - Parameters:
    ///   - options: of the file system, each a key and its value.
    ///   - attributes: of the mount: `nosuid`, `nodev`, `noexec`.
    /// - Throws: `SystemError` of the call that failed; nothing is mounted then.
    static func make(
        _ type: String, at target: String, options: [(String, String)], isNoSwap: Bool, attributes words: [String]
    ) throws(SystemError) {
        let sequence = SystemCallSequence()
        let context = sequence.add(.fsopen(type))
        _ = sequence.add(.fsconfig(context, "source", "noswap"))
        for (key, value) in options { _ = sequence.add(.fsconfig(context, key, value)) }
        if isNoSwap { _ = sequence.add(.fsconfig(context, "noswap", nil)) }
        _ = sequence.add(.fsconfigCreate(context, on: type))
        let mount = sequence.add(.fsmount(context, MountAttributes(forbiddenBy: words), on: type))
        _ = sequence.add(.moveMount(mount, to: target))
        try run(sequence)
    }

    /// Shows what is mounted at one place at another one, too.
    static func share(_ place: String, at target: String, attributes words: [String]) throws(SystemError) {
        let copy = try PinnedFile(at: place).clone(recursively: false)
        try copy.leavePeers()
        let set = MountAttributes(forbiddenBy: words)
        try copy.set(set, clearing: MountAttributes(forbiddenBy: known).subtracting(set))
        try copy.attach(to: target)
    }

    private static let known = ["nosuid", "nodev", "noexec"]

    /// Also if somebody still looks at it.
    static func remove(_ target: String) throws(SystemError) {
        let sequence = SystemCallSequence()
        _ = sequence.add(.unmount(target, [.detach, .noFollow]))
        try run(sequence)
    }

    private static func run(_ sequence: SystemCallSequence) throws(SystemError) {
        switch try sequence.run(until: Deadline(after: limit)) {
        case .finished: if let failure = sequence.failure { throw failure.error }
        default: throw SystemError("mount", .timedOut, on: "a file system in memory")
        }
    }
}
