// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem

/// A directory of a file system, to be mounted instead of its root. Never outside it: no `..`, and no symbolic link is followed.
public struct Subdirectory: Sendable, Equatable {
    /// What to make if it is not there.
    public struct Creation: Sendable, Equatable {
        /// Mode bits of the last component, such as 0o755. Those above it get 0o755.
        public var mode: UInt32
        /// nil leaves the owner as the server sets it.
        public var user: UInt32?
        public var group: UInt32?

        public init(mode: UInt32 = 0o755, user: UInt32? = nil, group: UInt32? = nil) {
            self.mode = mode
            self.user = user
            self.group = group
        }

        /// Whether it says more than an ordinary directory, so that it is worth keeping when somebody else changes it.
        public var isSpecial: Bool { mode != 0o755 || user != nil || group != nil }
    }

    public let components: [String]
    public let creation: Creation?

    /// How deep it may be; each level is some calls in the sequence that mounts it.
    private static let mostComponents = 24

    /// - Parameter path: relative or with a leading slash; empty components and `.` are passed over.
    /// - Throws: `StorageError` (`bad-option`) for `..`, a NUL or another control character, a name over 255 bytes, no name at all.
    public init(_ path: String, creation: Creation? = nil) throws(StorageError) {
        let parts = path.utf8.split(separator: UInt8(ascii: "/")).map { String($0) ?? "" }.filter { $0 != "." }
        if parts.contains("..") { throw StorageError(.badOption, "option subdir must stay inside the export: \(path) has .. in it") }
        if parts.isEmpty { throw StorageError(.badOption, "option subdir names no directory: \(path)") }
        if path.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
            throw StorageError(.badOption, "option subdir has a control character in it")
        }
        if parts.contains(where: { $0.utf8.count > 255 }) {
            throw StorageError(.badOption, "option subdir has a name longer than 255 bytes in it")
        }
        if parts.count > Self.mostComponents {
            throw StorageError(.badOption, "option subdir is deeper than \(Self.mostComponents) directories")
        }
        components = parts
        self.creation = creation
    }

    /// By bytes.
    public static func == (left: Self, right: Self) -> Bool {
        left.components.hasSameBytes(as: right.components) && left.creation == right.creation
    }

    public var path: String { components.joined(separator: "/") }

    /// Adds the calls that open it, and make it first if that is wanted; the result of the last is a descriptor of it.
    func open(below export: SystemCallSequence.Call, in sequence: SystemCallSequence) -> SystemCallSequence.Call {
        var directory = export
        for (index, name) in components.enumerated() {
            let here = components[...index].joined(separator: "/")
            if let creation {
                let isLast = index == components.count - 1
                let made = sequence.add(.makeDirectory(name, in: directory, mode: isLast ? 0o700 : 0o755, operand: here))
                if isLast { own(name, in: directory, creation, made, here, sequence) }
            }
            directory = sequence.add(.openDirectory(name, in: directory, operand: here))
        }
        return directory
    }

    /// A directory that cannot be given away is removed again, so that the next try does not take it for an old one.
    private func own(
        _ name: String, in directory: SystemCallSequence.Call, _ creation: Creation, _ made: SystemCallSequence.Call, _ operand: String,
        _ sequence: SystemCallSequence
    ) {
        // On a descriptor of what was made: by name, another client could have put a link to a file of this host there.
        let handle = sequence.add(.openMade(Array(name.utf8), in: directory, operand: operand, if: made))
        creation.apply(to: handle, operand: operand, in: sequence, if: made)
        sequence.add(.removeDirectory(name, in: directory, operand: operand, options: .onFailure, if: made))
    }
}

extension Subdirectory.Creation {
    /// Adds the calls that give a directory its owner, and then its mode: chown(2) clears set-id bits.
    ///
    /// - Parameter condition: an earlier call that must have succeeded; nil: the one that opened the directory.
    /// - Returns: the calls.
    @discardableResult
    func apply(
        to directory: SystemCallSequence.Call, operand: String, in sequence: SystemCallSequence,
        options: SystemCallSequence.Options = [], if condition: SystemCallSequence.Call? = nil
    ) -> [SystemCallSequence.Call] {
        let condition = condition ?? directory
        var calls: [SystemCallSequence.Call] = []
        if user != nil || group != nil {
            let (user, group) = (user.map(Int.init) ?? -1, group.map(Int.init) ?? -1)
            calls.append(
                sequence.add(.changeOwner(of: directory, user: user, group: group, operand: operand, options: options, if: condition)))
        }
        calls.append(sequence.add(.changeMode(of: directory, to: mode, operand: operand, options: options, if: condition)))
        return calls
    }
}
