// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
public import SystemPackage

/// How the kernel is asked.
public enum MountMethod: String, Sendable, CaseIterable {
    /// fsopen(2) and its family, and mount(2) where that cannot be used.
    case automatic
    case fsopen
    case mount
}

/// One attempt: the calls that mount an export, or a directory in it, at a place on this host.
struct MountSequence {
    let sequence = SystemCallSequence()
    private var optionCalls: [SystemCallSequence.Call: String] = [:]
    private var serverCall: SystemCallSequence.Call?
    private var contextCall: SystemCallSequence.Call?
    private var subdirectoryCalls: ClosedRange<Int>?
    private var requirement: SystemCallSequence.Call?
    /// Where the calls begin that are not of the mount itself; their failures are their caller's.
    private var work = Int.max
    private var logs: [(SystemCallSequence.Call, SystemCallSequence.Buffer)] = []

    /// The kernel keeps at most eight messages, and older ones lose a message that does not fit. fs/fsopen.c.
    private static let logMessages = 8
    private static let logMessageSize = 4096

    /// By the new mount API: nothing is visible on this host before the server has answered.
    ///
    /// - Parameter requiredFolder: must be in the export, before anything is made there for a subdirectory.
    static func fsopen(
        _ parameters: KernelParameters, _ subdirectory: Subdirectory?, requiring requiredFolder: String? = nil, at target: String
    ) -> MountSequence {
        var result = MountSequence()
        let (context, mount) = result.open(parameters)
        let sequence = result.sequence
        result.requirement = requiredFolder.map { sequence.openDirectory($0, in: mount, operand: $0) }
        let attached = sequence.moveMount(mount, to: target)
        if let subdirectory {
            // Before Linux 6.15 open_tree(2) clones only what is attached, so the export lies at the target for a moment;
            // nobody has been told of the target yet.
            let directory = subdirectory.open(below: mount, in: sequence)
            let tree = sequence.openTree(directory, on: subdirectory.path)
            result.subdirectoryCalls = attached.position + 1...tree.position
            sequence.unmount(target, [.detach, .noFollow])
            sequence.moveMount(tree, to: target)
            sequence.unmount(target, [.detach, .noFollow], options: .onFailure, if: attached)
        }
        result.readLog(of: context)
        return result
    }

    /// The same for calls in an export that is attached nowhere: nobody else sees it, and it ends with the process.
    static func fsopen(_ parameters: KernelParameters, _ calls: (SystemCallSequence, SystemCallSequence.Call) -> Void) -> MountSequence {
        var result = MountSequence()
        let (context, mount) = result.open(parameters)
        result.work = mount.position + 1
        calls(result.sequence, mount)
        result.readLog(of: context)
        return result
    }

    /// - Returns: the context, and a mount that is attached nowhere.
    private mutating func open(_ parameters: KernelParameters) -> (context: SystemCallSequence.Call, mount: SystemCallSequence.Call) {
        sequence.nameProcess("nfsd-mount")
        let context = sequence.fsopen(parameters.fileSystem)
        contextCall = context
        optionCalls[sequence.fsconfig(context, "source", parameters.source)] = "source"
        for option in parameters.options { optionCalls[sequence.fsconfig(context, option.key, option.value)] = option.key }
        for word in parameters.superblockWords { optionCalls[sequence.fsconfig(context, word, nil)] = word }
        serverCall = sequence.fsconfigCreate(context, on: parameters.source)
        return (context, sequence.fsmount(context, parameters.attributes, on: parameters.source))
    }

    private mutating func readLog(of context: SystemCallSequence.Call) {
        for _ in 0..<Self.logMessages {
            let buffer = sequence.buffer(Self.logMessageSize)
            logs.append((sequence.read(context, into: buffer, operand: "messages of the kernel"), buffer))
        }
    }

    /// By mount(2). For a subdirectory the export is mounted at `staging` for a moment.
    static func mount(
        _ parameters: KernelParameters, data: String, _ subdirectory: Subdirectory?, requiring requiredFolder: String? = nil,
        at target: String, staging: String
    ) -> MountSequence {
        var result = MountSequence()
        let sequence = result.sequence
        sequence.nameProcess("nfsd-mount")
        let place = subdirectory == nil ? target : staging
        let mounted = sequence.mount(parameters.source, on: place, type: parameters.fileSystem, parameters.flags, data: data)
        result.serverCall = mounted
        if subdirectory == nil && requiredFolder == nil { return result }
        let export = sequence.openDirectory(place, operand: place)
        result.requirement = requiredFolder.map { sequence.openDirectory($0, in: export, operand: $0) }
        if let subdirectory {
            let first = result.requirement.map { $0.position + 1 } ?? export.position
            let directory = subdirectory.open(below: export, in: sequence)
            result.subdirectoryCalls = first...directory.position
            // The bind mount names its source relative to the directory that was checked, not by a path that may change.
            sequence.changeDirectory(directory, operand: subdirectory.path)
            sequence.mount(".", on: target, type: "none", .bind, data: nil)
            sequence.unmount(staging, [.detach, .noFollow], options: .final)
        } else {
            sequence.unmount(target, [.detach, .noFollow], options: .onFailure, if: mounted)
        }
        return result
    }

    /// By mount(2), for calls in an export. It lies at `staging` until it is open.
    static func mount(
        _ parameters: KernelParameters, data: String, staging: String, _ calls: (SystemCallSequence, SystemCallSequence.Call) -> Void
    ) -> MountSequence {
        var result = MountSequence()
        let sequence = result.sequence
        sequence.nameProcess("nfsd-mount")
        let mounted = sequence.mount(parameters.source, on: staging, type: parameters.fileSystem, parameters.flags, data: data)
        result.serverCall = mounted
        let export = sequence.openDirectory(staging, operand: staging)
        sequence.unmount(staging, [.detach, .noFollow], options: .final, if: mounted)
        result.work = export.position + 2
        calls(sequence, export)
        return result
    }

    /// Makes the attempt. nil: it is mounted.
    func run(until deadline: Deadline, cancellation: Cancellation?) -> AttemptFailure? {
        do throws(SystemError) {
            switch try sequence.run(until: deadline, cancellation: cancellation) {
            case .finished:
                guard let failed = sequence.failedCall, failed.position < work, let error = sequence.error(of: failed) else { return nil }
                return AttemptFailure(stage(of: failed), subdirectoryError(at: failed) ?? error, kernelLog: kernelLog)
            case .killed(let reason):
                let call = sequence.interruptedCall ?? "mount"
                return AttemptFailure(.server, SystemError(call, .timedOut, on: "the server"), end: reason)
            case .stuck(let stuck):
                return AttemptFailure(.server, SystemError(stuck.call, .timedOut, on: "the server"), end: stuck.reason, stuck: stuck)
            }
        } catch {
            return AttemptFailure(.local, error)
        }
    }

    /// Whether the kernel has no fsopen(2) for this, or something keeps it from us.
    func lacksFSOpen(_ failure: AttemptFailure) -> Bool {
        guard let contextCall, failure.error.call == "fsopen", sequence.failedCall == contextCall else { return false }
        return [.noFunction, .notPermitted, .invalidArgument].contains(failure.error.errno)
    }

    private func stage(of call: SystemCallSequence.Call) -> AttemptFailure.Stage {
        if let key = optionCalls[call] { return .option(key) }
        if call == serverCall { return .server }
        if call == requirement { return .requirement }
        if let subdirectoryCalls, subdirectoryCalls.contains(call.position) { return .subdirectory }
        return .local
    }

    /// Opening a directory that could not be made fails with ENOENT; why it could not be made is the better answer.
    private func subdirectoryError(at call: SystemCallSequence.Call) -> SystemError? {
        guard let subdirectoryCalls, subdirectoryCalls.contains(call.position) else { return nil }
        for position in subdirectoryCalls where position < call.position {
            if let error = sequence.error(of: .init(position: position)), error.call == "mkdirat", error.errno != .fileExists {
                return error
            }
        }
        return nil
    }

    private var kernelLog: [String] {
        logs.compactMap { call, buffer in
            guard case .success(let count) = sequence.result(of: call), count > 0 else { return nil }
            let text = String(decoding: sequence.bytes(of: buffer, count: count), as: UTF8.self)
            let bare = text.hasPrefix("e ") || text.hasPrefix("w ") || text.hasPrefix("i ") ? String(text.dropFirst(2)) : text
            return bare.split(whereSeparator: \.isNewline).joined(separator: " ")
        }
    }
}

extension NFSMounter {
    /// Whether fsopen(2) knows a file system; asking loads its module.
    ///
    /// - Returns: nil if it does, else what the kernel said.
    public static func opensFileSystem(_ name: String) -> Errno? {
        let sequence = SystemCallSequence()
        let call = sequence.fsopen(name)
        do throws(SystemError) {
            guard case .finished = try sequence.run(until: Deadline(after: .seconds(10))) else { return .timedOut }
        } catch {
            return error.errno
        }
        return sequence.error(of: call)?.errno
    }
}
