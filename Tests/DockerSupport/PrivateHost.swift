// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import LinuxSystem
public import TestSupport

/// A part of this machine for one test alone: mounts, processes and network are in namespaces of their own, `/run` is empty,
/// and changes to `/etc` stay inside. So a Docker of this machine and the test do not notice one another.
///
/// All that was started or mounted inside ends with its first process, and that one ends with the test's, however that ends.
public final class PrivateHost: Sendable {
    /// A folder that looks the same from inside and outside.
    public let scratch: String
    /// Unique among all that run at the same time; names the cgroup too.
    public let name: String
    private let holder: SpawnedProcess
    /// Held open: the holder ends when it is closed.
    private let leash: Int32
    /// The first process inside, by its number outside.
    let first: pid_t

    /// On tmpfs: quick, and gone with the namespace.
    public static let folder = "/run/test"

    /// Takes the folder of temporary files as its argument.
    private static let setup = #"""
        set -e
        # A copy of a mount keeps it alive: what other tests and engines have mounted is not held here.
        others=()
        while read -r _ _ _ _ place _; do
          printf -v place %b "$place"
          case $place in "$1"/* | /run/* | /var/lib/docker/* | /var/lib/containerd/*) others+=("$place") ;; esac
        done </proc/self/mountinfo
        [ ${#others[@]} -eq 0 ] || umount --lazy "${others[@]}" 2>/dev/null || true
        mount -t tmpfs -o mode=755 tmpfs /run
        mkdir -p /run/lock /run/docker/plugins \#(folder)/etc \#(folder)/etc-work
        mount -t overlay -o lowerdir=/etc,upperdir=\#(folder)/etc,workdir=\#(folder)/etc-work overlay /etc
        rm -rf /etc/docker
        mkdir /etc/docker
        # crun refuses to run where version 2 has controllers beside version 1.
        if [ -e /sys/fs/cgroup/memory ] && [ -e /sys/fs/cgroup/unified ]; then umount /sys/fs/cgroup/unified; fi
        ip link set lo up 2>/dev/null || true
        echo ready
        read -r _ || true
        """#

    public init() async throws {
        let temporary = FileManager.default.temporaryDirectory
        var template = Array(temporary.appendingPathComponent("nfsd-test-XXXXXX").path.utf8CString)
        guard mkdtemp(&template) != nil else { throw Trouble("mkdtemp: \(String(cString: strerror(errno)))") }
        scratch = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        name = URL(fileURLWithPath: scratch).lastPathComponent
        var pair: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0 else {
            throw Trouble("socketpair: \(String(cString: strerror(errno)))")
        }
        leash = pair[1]
        let log = scratch + "/host.log"
        defer { close(pair[0]) }
        holder = try SpawnedProcess(
            [
                "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private", "bash", "-c",
                Self.setup, "bash", temporary.path,
            ],
            input: pair[0], log: log)
        do {
            first = try await holder.child(running: "bash")
            try await eventually("the private host is set up, see \(log)") { [holder] in
                if holder.hasEnded { throw Trouble("no private host: \(try String(contentsOfFile: log, encoding: .utf8))") }
                return try String(contentsOfFile: log, encoding: .utf8).contains("ready")
            }
        } catch {
            close(leash)
            throw error
        }
    }

    /// Runs the body on a thread that is in the host's network: what it listens at or connects to is there.
    public func insideNetwork<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await BlockingThread.run(named: "inside") { [first] in
            try Namespaces(of: first, [.network]).enter()
            return try body()
        }
    }

    /// What a path inside is called outside.
    public func path(_ inside: String) -> String { "/proc/\(first)/root\(inside)" }

    private func inside(_ words: [String]) -> [String] {
        ["nsenter", "--target", String(first), "--mount", "--net", "--pid", "--"] + words
    }

    /// Starts a process inside; it is a child of the one returned. The parameters are those of ``SpawnedProcess``, the log in the
    /// scratch folder.
    public func start(
        _ words: [String], environment: [String: String] = [:], input: Int32? = nil, log: String
    ) throws -> SpawnedProcess {
        try SpawnedProcess(inside(words), environment: environment, input: input, log: "\(scratch)/\(log)")
    }

    /// Runs a command inside to its end.
    public func run(_ words: [String], limit: Double = 60) async throws -> CommandResult {
        try await command(inside(words), limit: limit)
    }

    /// Runs a command inside to its end, for a caller that has a thread of its own.
    ///
    /// - Throws: `Trouble` unless its exit status is 0.
    public func runBlocking(_ words: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = inside(words)
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Trouble("\(words.joined(separator: " ")): status \(process.terminationStatus)") }
    }

    public func log(_ name: String) -> String { (try? String(contentsOfFile: "\(scratch)/\(name)", encoding: .utf8)) ?? "" }

    public func contents(of file: String) -> String? {
        FileManager.default.contents(atPath: path(file)).map { String(decoding: $0, as: UTF8.self) }
    }

    public func write(_ content: String, to file: String) throws {
        try content.write(toFile: path(file), atomically: false, encoding: .utf8)
    }

    /// What lies in a folder, sorted; nothing if there is no such folder.
    public func names(in folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path(folder))) ?? []).sorted()
    }

    /// The mount points below a folder, in the order in which they were mounted. proc_pid_mountinfo(5).
    public func mountPoints(below folder: String) throws -> [String] {
        try mountLines().compactMap { line in
            let place = String(line.split(separator: " ")[4])
            return place.hasPrefix(folder + "/") ? place : nil
        }
    }

    /// Its mount table. proc_pid_mountinfo(5).
    public func mountLines() throws -> [Substring] { try readProcess("/proc/\(first)/mountinfo").split(separator: "\n") }

    /// Ends everything inside, and leaves nothing behind but the scratch folder.
    public func end() async throws {
        close(leash)
        do {
            try await holder.end(within: .seconds(20))
        } catch {
            holder.signal(SIGKILL)
            throw error
        }
        try await removeControlGroups()
    }

    /// dockerd makes a cgroup for its containers in every hierarchy, and leaves it there.
    private func removeControlGroups() async throws {
        let root = "/sys/fs/cgroup"
        let hierarchies = [root] + (try FileManager.default.contentsOfDirectory(atPath: root)).map { "\(root)/\($0)" }
        for place in hierarchies.map({ "\($0)/\(name)" }) where access(place, F_OK) == 0 {
            try await eventually("\(place) is empty", within: .seconds(30)) { Self.removeFolders(place) }
        }
    }

    /// - Returns: whether the folder is gone.
    private static func removeFolders(_ place: String) -> Bool {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? [] {
            var isFolder: ObjCBool = false
            if FileManager.default.fileExists(atPath: "\(place)/\(name)", isDirectory: &isFolder), isFolder.boolValue {
                _ = removeFolders("\(place)/\(name)")
            }
        }
        return rmdir(place) == 0 || errno == ENOENT
    }
}
