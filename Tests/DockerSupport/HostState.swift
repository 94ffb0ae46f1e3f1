// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
public import Glibc
import TestSupport

/// A process on a ``PrivateHost``.
public struct HostProcess: Sendable, Hashable, CustomStringConvertible {
    /// Its number inside.
    public var id: pid_t
    /// Its first 15 bytes. proc_pid_comm(5).
    public var name: String
    /// Empty for a process that has ended and that nobody has waited for.
    public var commandLine: [String]

    public var description: String { "\(id) \(name) (\(commandLine.joined(separator: " ")))" }
}

/// What tests leave behind if they leave something behind.
public struct HostState: Sendable, Equatable {
    /// Without the numbers that differ from mount to mount.
    public var mounts: [String]
    /// Names of those that run.
    public var processes: [String]
    /// Folders of control groups, without the hierarchies' own.
    public var controlGroups: [String]
    /// Paths below the folders that were asked for.
    public var files: [String]

    /// What there is now and was not before, and the other way round, a line each.
    public func differences(from before: HostState) -> [String] {
        func compare(_ kind: String, _ list: KeyPath<HostState, [String]>) -> [String] {
            self[keyPath: list].difference(from: before[keyPath: list]).map { change in
                switch change {
                case .insert(_, let element, _): "new \(kind): \(element)"
                case .remove(_, let element, _): "missing \(kind): \(element)"
                }
            }
        }
        return compare("mount", \.mounts) + compare("process", \.processes) + compare("control group", \.controlGroups)
            + compare("file", \.files)
    }
}

extension PrivateHost {
    /// All that run inside, those in containers too.
    public func processes() -> [HostProcess] {
        let folder = path("/proc")
        return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).compactMap { entry in
            guard let id = pid_t(entry), let name = try? readProcess("\(folder)/\(id)/comm"),
                let words = try? readProcess("\(folder)/\(id)/cmdline")
            else { return nil }
            return HostProcess(
                id: id, name: name.trimmingCharacters(in: .newlines), commandLine: words.split(separator: "\0").map(String.init))
        }.sorted { $0.id < $1.id }
    }

    /// The numbers, outside, of all processes that run inside under such a name, those of nested process id namespaces left out.
    public func outsideNumbers(named name: String) -> [pid_t] {
        let namespace = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(first)/ns/pid")
        return ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { pid_t($0) }.filter { id in
            guard let comm = try? readProcess("/proc/\(id)/comm"), comm.dropLast() == name else { return false }
            return (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(id)/ns/pid")) == namespace
        }
    }

    /// The process that has made this one, and those that it has made, by their numbers inside.
    public func parent(of process: pid_t) throws -> pid_t {
        // proc_pid_stat(5): the second field, in parentheses, can have blanks in it.
        let fields = try readProcess(path("/proc/\(process)/stat")).split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 1, let parent = pid_t(fields[1]) else { throw Trouble("process \(process) has no parent") }
        return parent
    }

    public func children(of process: pid_t) throws -> [pid_t] {
        try readProcess(path("/proc/\(process)/task/\(process)/children")).split(separator: " ").compactMap { pid_t($0) }
    }

    /// Sends a signal to a process inside; nothing happens if it has ended.
    public func signal(_ signal: Int32, _ process: pid_t) async throws {
        _ = try await run(["kill", "-\(signal)", String(process)])
    }

    public func state(filesBelow folders: [String]) throws -> HostState {
        HostState(
            mounts: try mountLines().map { line in
                line.split(separator: " ").dropFirst(2).filter { !$0.contains("master:") }
                    .map { $0.hasPrefix("shared:") ? "shared" : $0 }.joined(separator: " ")
            }.sorted(),
            processes: processes().filter { !$0.commandLine.isEmpty }.map(\.name).sorted(), controlGroups: controlGroups(),
            files: folders.flatMap { folder in paths(below: folder).map { folder + "/" + $0 } }.sorted())
    }

    /// Paths of all files and folders below a folder, relative to it.
    public func paths(below folder: String) -> [String] {
        (FileManager.default.enumerator(atPath: path(folder))?.compactMap { $0 as? String }) ?? []
    }

    /// Removes control groups in which no process is.
    ///
    /// - Parameter name: the last of their path's components.
    /// - Returns: those removed, with their hierarchies.
    public func removeEmptyControlGroups(named name: String) -> [String] {
        controlGroups().filter { $0.hasSuffix("/" + name) }.filter { group in
            let parts = group.split(separator: "/", maxSplits: 1)
            return rmdir("\(Self.controlGroupRoot)/\(parts[0])/\(self.name)/\(parts[1])") == 0
        }
    }

    private static let controlGroupRoot = "/sys/fs/cgroup"

    private func controlGroups() -> [String] {
        let root = Self.controlGroupRoot
        return ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).flatMap { hierarchy in
            let place = "\(root)/\(hierarchy)/\(name)"
            return (FileManager.default.enumerator(atPath: place)?.compactMap { $0 as? String } ?? [])
                .filter { $0.hasSuffix("/cgroup.procs") }.map { "\(hierarchy)/\($0.dropLast("/cgroup.procs".count))" }
        }.sorted()
    }
}
