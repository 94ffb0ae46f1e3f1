// SPDX-License-Identifier: AGPL-3.0-or-later

public import LinuxSystem
import SystemPackage

/// Why a subdirectory of a mounted file system could not be renamed or deleted.
public struct TreeError: Error, Sendable, CustomStringConvertible {
    public var description: String
    /// The deadline passed: what is done is done, and doing it again goes on from there.
    public var isUnfinished = false
    /// Something has been changed by then, or may have been.
    public var hasBegun = false
    public var cause: SystemError?
    /// Another file system begins there or below; whatever is tried again here, it stays in the way.
    public var meetsOtherFileSystem: Bool

    public init(
        description: String, isUnfinished: Bool = false, hasBegun: Bool = false, cause: SystemError? = nil,
        meetsOtherFileSystem: Bool = false
    ) {
        self.description = description
        // EBUSY: the server has something mounted there that its clients do not see.
        self.meetsOtherFileSystem = meetsOtherFileSystem || cause.map { [.improperLink, .resourceBusy].contains($0.errno) } ?? false
        self.isUnfinished = isUnfinished
        self.hasBegun = hasBegun
        self.cause = cause
    }
}

/// A mounted file system whose directories are renamed and deleted, each call in a process that can be killed. No symbolic link
/// is followed, so nothing outside of it is ever touched.
public struct MountedTree: Sendable {
    /// A name as the server gave it: bytes, since it need not be UTF-8.
    typealias Name = [UInt8]

    let root: String
    let program: String
    let deadline: Deadline

    /// Names removed by one sequence of calls.
    private static let batch = 400
    private static let deepest = 200

    /// - Parameters:
    ///   - root: where it is mounted.
    ///   - program: what the processes are called in ps(1), before `-remove`.
    public init(mountedAt root: String, program: String, until deadline: Deadline) {
        self.root = root
        self.program = program
        self.deadline = deadline
    }

    /// Renames a directory within its parent. A directory that is not there is not an error.
    ///
    /// - Returns: false if there was nothing to rename.
    public func rename(_ directory: Subdirectory, to name: String) throws(TreeError) -> Bool {
        guard let last = directory.components.last else { return false }
        let parents = directory.components.dropLast().map { Array($0.utf8) }
        let looking = SystemCallSequence()
        let place = open(parents, in: looking)
        let missing = looking.add(.exists(last, in: place, operand: directory.path))
        let taken = looking.add(.exists(name, in: place, operand: name))
        try run(looking, directory.path)
        if looking.error(of: missing)?.errno == .noSuchFileOrDirectory || isMissing(looking) { return false }
        // The kernel would replace an empty directory, and NFS has no RENAME_NOREPLACE.
        if case .success = looking.result(of: taken) {
            throw TreeError(description: "the archive's name \(name) is taken already; try again")
        }
        if let error = firstError(looking) { throw TreeError(description: "\(error)", cause: error) }
        let renaming = SystemCallSequence()
        let renamed = renaming.add(.rename(last, in: open(parents, in: renaming), to: name, operand: "\(directory.path) to \(name)"))
        var hasBegun = false
        do throws(TreeError) { try run(renaming, directory.path, changing: [renamed], &hasBegun) } catch {
            throw TreeError(
                description: error.description, isUnfinished: error.isUnfinished, hasBegun: hasBegun, cause: error.cause)
        }
        if let error = firstError(renaming) { throw TreeError(description: "\(error)", cause: error) }
        return true
    }

    /// Deletes a directory and all that is in it. A directory that is not there is not an error.
    ///
    /// Before that it looks for another file system below, for half of the time at most: nothing is deleted if there is one.
    ///
    /// - Throws: `TreeError`; what has been deleted by then stays deleted.
    public func delete(_ directory: Subdirectory) throws(TreeError) {
        if let other = try otherFileSystem(below: directory) {
            throw TreeError(
                description: "another file system begins at \(other), and nothing is deleted", meetsOtherFileSystem: true)
        }
        var hasBegun = false
        do throws(TreeError) { try delete(directory, &hasBegun) } catch {
            throw TreeError(
                description: error.description, isUnfinished: error.isUnfinished, hasBegun: hasBegun, cause: error.cause)
        }
    }

    private func delete(_ directory: Subdirectory, _ hasBegun: inout Bool) throws(TreeError) {
        let top = directory.components.map { Array($0.utf8) }
        var pending = [top]
        while let current = pending.last {
            guard let names = try names(in: current) else {
                pending.removeLast()
                continue
            }
            if names.isEmpty {
                try removeEmpty(current, &hasBegun)
                pending.removeLast()
                continue
            }
            let directories = try unlink(names, in: current, &hasBegun)
            if current.count - top.count >= Self.deepest, !directories.isEmpty {
                throw TreeError(description: "\(Self.text(current)) is deeper than \(Self.deepest) directories")
            }
            pending.append(contentsOf: directories.map { current + [$0] })
        }
    }

    /// Some names of a directory, nil if it is not there (any more).
    private func names(in directory: [Name]) throws(TreeError) -> [Name]? {
        let sequence = SystemCallSequence()
        let handle = open(directory, in: sequence)
        let readable = sequence.add(.openForReading(handle, operand: Self.text(directory)))
        let buffer = sequence.buffer(64 << 10)
        let first = sequence.add(.directoryEntries(of: readable, into: buffer))
        try run(sequence, Self.text(directory))
        if isMissing(sequence) { return nil }
        if let error = firstError(sequence) { throw TreeError(description: "\(error)", cause: error) }
        guard case .success(let count) = sequence.result(of: first) else { return [] }
        return DirectoryEntries.names(in: sequence.bytes(of: buffer, count: count))
    }

    /// Unlinks what is not a directory.
    ///
    /// - Returns: the names of the directories.
    private func unlink(_ names: [Name], in directory: [Name], _ hasBegun: inout Bool) throws(TreeError) -> [Name] {
        var directories: [Name] = []
        for start in stride(from: 0, to: names.count, by: Self.batch) {
            let sequence = SystemCallSequence()
            let handle = open(directory, in: sequence)
            let part = names[start..<min(start + Self.batch, names.count)]
            let calls = part.map { sequence.add(.removeFile($0, in: handle, operand: Self.text(directory + [$0]))) }
            try run(sequence, Self.text(directory), changing: calls, &hasBegun)
            try checkOpened(sequence)
            for (name, call) in zip(part, calls) {
                guard let error = sequence.error(of: call) else { continue }
                switch error.errno {
                case .noSuchFileOrDirectory: continue
                // POSIX says EPERM, Linux EISDIR; which one an NFS server chooses is its own affair.
                case .isDirectory, .notPermitted: directories.append(name)
                default: throw TreeError(description: "\(error)", cause: error)
                }
            }
        }
        return directories
    }

    private func removeEmpty(_ directory: [Name], _ hasBegun: inout Bool) throws(TreeError) {
        guard let last = directory.last else { return }
        let sequence = SystemCallSequence()
        let parent = open(directory.dropLast(), in: sequence)
        let call = sequence.add(.removeDirectory(last, in: parent, operand: Self.text(directory), options: .mayFail))
        try run(sequence, Self.text(directory), changing: [call], &hasBegun)
        try checkOpened(sequence)
        if let error = sequence.error(of: call), error.errno != .noSuchFileOrDirectory {
            throw TreeError(description: "\(error)", cause: error)
        }
    }

    /// Where the directory could not be opened, the calls that were to change it have not run, and so have no error of their own.
    private func checkOpened(_ sequence: SystemCallSequence) throws(TreeError) {
        if let error = firstError(sequence), !isMissing(sequence) { throw TreeError(description: "\(error)", cause: error) }
    }

    func open(_ components: [Name], in sequence: SystemCallSequence) -> SystemCallSequence.Call {
        sequence.add(.nameProcess("\(program)-remove"))
        var directory = sequence.add(.openDirectory(root, operand: root))
        for (index, name) in components.enumerated() {
            // Another file system may be mounted below: what is in it is not the volume's.
            directory = sequence.add(.openDirectoryOfSameMount(name, in: directory, operand: Self.text(Array(components[...index]))))
        }
        return directory
    }

    /// For a person.
    static func text(_ components: [Name]) -> String {
        components.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
    }

    func run(_ sequence: SystemCallSequence, _ operand: String) throws(TreeError) {
        do throws(SystemError) {
            switch try sequence.run(until: deadline) {
            case .finished: return
            case .killed, .stuck:
                throw SystemError(sequence.interruptedCall ?? "remove", .timedOut, on: operand)
            }
        } catch {
            throw TreeError(description: "\(error)", isUnfinished: error.errno == .timedOut, cause: error)
        }
    }

    /// For calls that change something: notes whether one did, or may have done so when it was killed.
    private func run(
        _ sequence: SystemCallSequence, _ operand: String, changing calls: [SystemCallSequence.Call], _ hasBegun: inout Bool
    ) throws(TreeError) {
        defer {
            hasBegun =
                hasBegun
                || calls.contains { call in
                    switch sequence.result(of: call) {
                    case .success, .interrupted: true
                    case .failure, .notRun: false
                    }
                }
        }
        try run(sequence, operand)
    }

    func firstError(_ sequence: SystemCallSequence) -> SystemError? { sequence.failedCall.flatMap(sequence.error) }
    private func isMissing(_ sequence: SystemCallSequence) -> Bool { firstError(sequence)?.errno == .noSuchFileOrDirectory }
}

/// The records of getdents64(2).
public enum DirectoryEntries {
    /// Without `.` and `..`.
    public static func names(in bytes: [UInt8]) -> [[UInt8]] { entries(in: bytes).map(\.name) }

    /// Without `.` and `..`.
    ///
    /// - Returns: also whether each can be a directory, by its record's type; servers need not tell.
    static func entries(in bytes: [UInt8]) -> [(name: [UInt8], mayBeDirectory: Bool)] {
        var entries: [(name: [UInt8], mayBeDirectory: Bool)] = []
        var start = 0
        // 8 bytes inode, 8 bytes offset, 2 bytes length of the record, 1 byte type, the name and a NUL
        while start + 19 <= bytes.count {
            let length = Int(bytes[start + 16]) | Int(bytes[start + 17]) << 8
            guard length >= 20, start + length <= bytes.count else { break }
            let name = Array(bytes[start + 19..<start + length].prefix { $0 != 0 })
            // DT_UNKNOWN and DT_DIR; dirent.h
            if name != [0x2e] && name != [0x2e, 0x2e] { entries.append((name, [0, 4].contains(bytes[start + 18]))) }
            start += length
        }
        return entries
    }
}
