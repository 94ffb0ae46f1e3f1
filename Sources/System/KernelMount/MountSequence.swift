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

/// One attempt: the calls that mount a file system, or a directory in it, at a place on this host.
struct MountSequence {
    let sequence = SystemCallSequence()
    private var contextCall: SystemCallSequence.Call?
    private var logs: [(SystemCallSequence.Call, SystemCallSequence.Buffer)] = []

    /// The kernel keeps at most eight messages, and older ones lose a message that does not fit. fs/fsopen.c.
    private static let logMessages = 8
    private static let logMessageSize = 4096

    /// - Parameter program: what the process is called in ps(1) before `-mount`.
    private init(program: String) { sequence.add(.nameProcess("\(program)-mount")) }

    /// By the new mount API: nothing is visible on this host before the server has answered.
    static func fsopen(_ plan: MountPlan, _ destination: MountDestination, program: String) -> MountSequence {
        var result = MountSequence(program: program)
        let (context, mount) = result.open(plan)
        let (sequence, target) = (result.sequence, destination.target)
        result.require(destination, in: mount)
        sequence.stage = .local
        let attached = sequence.add(.moveMount(mount, to: target))
        if let subdirectory = destination.subdirectory {
            // Before Linux 6.15 open_tree(2) clones only what is attached, so the whole is at the target for a moment; no caller
            // knows of the target yet.
            sequence.stage = .subdirectory
            let directory = subdirectory.open(below: mount, in: sequence)
            let tree = sequence.add(.openTree(directory, on: subdirectory.path))
            sequence.stage = .local
            sequence.add(.unmount(target, [.detach, .noFollow]))
            sequence.add(.moveMount(tree, to: target))
            sequence.add(.unmount(target, [.detach, .noFollow], options: .onFailure, if: attached))
        }
        result.readLog(of: context)
        return result
    }

    /// The same for calls in a mount that is attached nowhere: no other process sees it, and it ends with the one that makes the calls.
    static func fsopen(
        _ plan: MountPlan, program: String, _ calls: (SystemCallSequence, SystemCallSequence.Call) -> Void
    ) -> MountSequence {
        var result = MountSequence(program: program)
        let (context, mount) = result.open(plan)
        result.sequence.stage = .work
        calls(result.sequence, mount)
        result.readLog(of: context)
        return result
    }

    /// - Returns: the context, and a mount that is attached nowhere.
    private mutating func open(_ plan: MountPlan) -> (context: SystemCallSequence.Call, mount: SystemCallSequence.Call) {
        sequence.stage = .local
        let context = sequence.add(.fsopen(plan.fileSystem))
        contextCall = context
        for option in [MountOption("source", plan.source)] + plan.options + plan.generic.superblockWords.map({ MountOption($0) }) {
            sequence.stage = .option(option.key)
            sequence.add(.fsconfig(context, option.key, option.value, operand: option.description))
        }
        sequence.stage = .server
        sequence.add(.fsconfigCreate(context, on: plan.source))
        sequence.stage = .local
        return (context, sequence.add(.fsmount(context, plan.generic.attributes, on: plan.source)))
    }

    /// The folder that must be there, before anything is made for a subdirectory.
    private func require(_ destination: MountDestination, in mount: SystemCallSequence.Call) {
        guard let folder = destination.requiredFolder else { return }
        sequence.stage = .requirement
        sequence.add(.openDirectory(folder, in: mount, operand: folder))
    }

    private mutating func readLog(of context: SystemCallSequence.Call) {
        for _ in 0..<Self.logMessages {
            let buffer = sequence.buffer(Self.logMessageSize)
            logs.append((sequence.add(.read(context, into: buffer, operand: "messages of the kernel")), buffer))
        }
    }

    /// By mount(2). For a subdirectory the whole is mounted at `staging` for a moment.
    static func mount(
        _ plan: MountPlan, data: String, _ destination: MountDestination, staging: String, program: String
    ) -> MountSequence {
        let result = MountSequence(program: program)
        let (sequence, target) = (result.sequence, destination.target)
        let place = destination.subdirectory == nil ? target : staging
        let mounted = result.mount(plan, data: data, on: place)
        if destination.subdirectory == nil && destination.requiredFolder == nil { return result }
        // Part of the subdirectory's stage if no folder is required: a failure to open the root is then its failure.
        sequence.stage = destination.requiredFolder == nil ? .subdirectory : .local
        let whole = sequence.add(.openDirectory(place, operand: place))
        result.require(destination, in: whole)
        if let subdirectory = destination.subdirectory {
            sequence.stage = .subdirectory
            let directory = subdirectory.open(below: whole, in: sequence)
            sequence.stage = .local
            // The bind mount names its source relative to the directory that was checked, not by a path that may change.
            sequence.add(.changeDirectory(directory, operand: subdirectory.path))
            sequence.add(.mount(".", on: target, type: "none", .bind, data: nil))
            sequence.add(.unmount(staging, [.detach, .noFollow], options: .final))
        } else {
            sequence.stage = .local
            sequence.add(.unmount(target, [.detach, .noFollow], options: .onFailure, if: mounted))
        }
        return result
    }

    /// By mount(2), for calls in what is mounted. It is at `staging` until it is open.
    static func mount(
        _ plan: MountPlan, data: String, staging: String, program: String,
        _ calls: (SystemCallSequence, SystemCallSequence.Call) -> Void
    ) -> MountSequence {
        let result = MountSequence(program: program)
        let sequence = result.sequence
        let mounted = result.mount(plan, data: data, on: staging)
        sequence.stage = .local
        let whole = sequence.add(.openDirectory(staging, operand: staging))
        sequence.add(.unmount(staging, [.detach, .noFollow], options: .final, if: mounted))
        sequence.stage = .work
        calls(sequence, whole)
        return result
    }

    private func mount(_ plan: MountPlan, data: String, on place: String) -> SystemCallSequence.Call {
        sequence.stage = .server
        return sequence.add(.mount(plan.source, on: place, type: plan.fileSystem, plan.generic.flags, data: data))
    }

    /// Makes the attempt.
    func run(until deadline: Deadline, cancellation: Cancellation?, watch: SequenceWatch? = nil) throws(AttemptFailure) {
        let end: SequenceEnd
        do throws(SystemError) { end = try sequence.run(until: deadline, cancellation: cancellation, watch: watch) } catch {
            throw AttemptFailure(.local, error)
        }
        switch end {
        case .finished:
            guard let (stage, error) = sequence.failure, stage != .work else { return }
            throw AttemptFailure(
                stage ?? .local, stage == .subdirectory ? subdirectoryError ?? error : error, kernelLog: kernelLog)
        case .killed(let reason):
            throw AttemptFailure(.server, SystemError(sequence.interruptedCall ?? "mount", .timedOut, on: "the server"), end: reason)
        case .stuck(let stuck):
            throw AttemptFailure(.server, SystemError(stuck.call, .timedOut, on: "the server"), end: stuck.reason, stuck: stuck)
        }
    }

    /// Whether the kernel has no fsopen(2) for this, or something keeps it from us.
    func lacksFSOpen(_ failure: AttemptFailure) -> Bool {
        guard let contextCall, failure.error.call == "fsopen", sequence.failedCall == contextCall else { return false }
        return [.noFunction, .notPermitted, .invalidArgument].contains(failure.error.errno)
    }

    /// Opening a directory that could not be made fails with ENOENT; why it could not be made is the better answer.
    private var subdirectoryError: SystemError? {
        sequence.errors(in: .subdirectory).first { $0.call == "mkdirat" && $0.errno != .fileExists }
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

/// Where on this host, and which part: what an attempt needs besides its plan.
public struct MountDestination: Sendable {
    /// An empty folder of this host, for this mount alone.
    public var target: String
    public var subdirectory: Subdirectory?
    /// A name in the root by which the right file system is known: without such a folder no subdirectory is made or mounted.
    public var requiredFolder: String?

    public init(_ target: String, subdirectory: Subdirectory? = nil, requiredFolder: String? = nil) {
        self.target = target
        self.subdirectory = subdirectory
        self.requiredFolder = requiredFolder
    }
}

extension Mounter {
    /// Whether fsopen(2) knows a file system, and takes an option for it; asking loads its module.
    ///
    /// - Returns: nil if it does, else what the kernel said.
    public static func opensFileSystem(_ name: String, accepting option: MountOption? = nil) -> Errno? {
        let sequence = SystemCallSequence()
        let call = sequence.add(.fsopen(name))
        let asked = option.map { sequence.add(.fsconfig(call, $0.key, $0.value, operand: $0.description)) }
        do throws(SystemError) {
            guard case .finished = try sequence.run(until: Deadline(after: .seconds(10))) else { return .timedOut }
        } catch {
            return error.errno
        }
        return (sequence.error(of: call) ?? asked.flatMap(sequence.error))?.errno
    }
}
