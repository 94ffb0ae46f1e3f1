// SPDX-License-Identifier: AGPL-3.0-or-later

internal import CLinux
import Glibc
public import SystemPackage

/// System calls prepared here and made, in order, by a process of their own that can be killed while one of them waits.
///
/// A call to a dead server can wait without limit, and only SIGKILL ends it. So mount(2) and its kin are never made
/// by a program's own threads. The process shares this one's memory and nothing else (its descriptor table, working
/// directory and signal mask are copies), so a sequence costs some 60 µs instead of a fork or an exec.
///
/// Each call may use the results of earlier ones (descriptors, mostly). The first call that fails ends the sequence,
/// unless its options say otherwise.
public final class SystemCallSequence: @unchecked Sendable {
    // @unchecked: built on one thread, then handed to `run`; the other process writes only `result`, `failed` and
    // `finished`, which are read after its end.

    /// A call of this sequence.
    public struct Call: Sendable, Hashable {
        /// Its place in the sequence, from 0.
        let position: Int
    }

    /// What a call is for. A failure is reported with it, so that no caller has to know which position was which call.
    public struct Stage: Sendable, Hashable {
        public let name: String
        /// What the stage acts on, such as an option's key; empty if its name says all.
        public let detail: String

        public init(_ name: String, _ detail: String = "") {
            self.name = name
            self.detail = detail
        }
    }

    public enum Argument: Sendable {
        case value(Int)
        /// A C string; an embedded NUL is refused by ``SystemCallSequence/run(until:cancellation:)``.
        case string(String)
        /// A C string of any bytes, for names that need not be UTF-8; a NUL is refused likewise.
        case bytes([UInt8])
        case result(Call)
        case buffer(Buffer)
        /// A structure of 64-bit words.
        case words([UInt64])
    }

    /// Memory that calls read into.
    public struct Buffer: @unchecked Sendable {
        let start: UnsafeMutableRawPointer
        public let count: Int
    }

    public struct Options: OptionSet, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// A failure does not end the sequence.
        public static let mayFail = Options(rawValue: UInt8(CLINUX_CALL_MAY_FAIL))
        /// Runs even after a failure.
        public static let final = Options(rawValue: UInt8(CLINUX_CALL_FINAL))
        /// Runs only after a failure.
        public static let onFailure = Options(rawValue: UInt8(CLINUX_CALL_ON_FAILURE))
    }

    public enum CallResult: Sendable, Equatable {
        case success(Int)
        case failure(Errno)
        /// Not reached, or its condition did not hold.
        case notRun
        /// The process ended inside this call.
        case interrupted
    }

    private struct Description {
        var name: String
        var operand: String
        var stage: Stage?
    }

    /// The stage of the calls that are added from now on.
    public var stage: Stage?

    /// A descriptor of the caller that the calls may use; all others are closed in the process.
    public var keptDescriptor: CInt = -1
    /// The calls go on if this process is killed while they are made, and all of its descriptors stay open meanwhile; otherwise they end
    /// with it.
    public var outlivesCaller = false

    private var calls: [CLinux_call] = []
    private var descriptions: [Description] = []
    private var memory: [UnsafeMutableRawPointer] = []
    /// Why the sequence cannot be run: the first call that could not be prepared.
    private var unusable: SystemError?
    private var shared: UnsafeMutablePointer<CLinux_sequence>?
    private var stack: UnsafeMutableRawPointer?

    /// The deepest thing on it is one small C function.
    private static let stackSize = 64 << 10
    /// Far above what any mount needs; a list of options from outside must not decide how much memory a sequence takes.
    private static let mostCalls = 16_384

    public init() {}

    deinit {
        for piece in memory { piece.deallocate() }
        shared?.pointee.calls.deallocate()
        shared?.deallocate()
        stack?.deallocate()
    }

    /// Adds a call that has no function of its own in ``SystemCall``; the parameters are those of its initializer.
    @discardableResult
    public func add(
        _ name: String, _ number: Int, on operand: String, _ arguments: [Argument], options: Options = [], if condition: Call? = nil
    ) -> Call {
        add(SystemCall(name, number, on: operand, arguments, options: options, if: condition))
    }

    /// Adds a call to those that are made, after all others.
    @discardableResult
    public func add(_ added: SystemCall) -> Call {
        if calls.count == Self.mostCalls {
            unusable = unusable ?? SystemError("prepare", .argListTooLong, on: "more than \(Self.mostCalls) calls")
            return Call(position: calls.count - 1)
        }
        var call = CLinux_call()
        call.number = added.number
        call.flags = added.options.rawValue
        call.only_if = CInt(truncatingIfNeeded: added.condition?.position ?? -1)
        call.result = CLINUX_CALL_NOT_RUN
        withUnsafeMutablePointer(to: &call.arguments) { values in
            values.withMemoryRebound(to: Int.self, capacity: 6) { values in
                for (index, argument) in added.arguments.enumerated() { values[index] = value(of: argument) }
            }
        }
        withUnsafeMutablePointer(to: &call.result_of) { sources in
            sources.withMemoryRebound(to: CInt.self, capacity: 6) { sources in
                for index in 0..<6 {
                    sources[index] = -1
                    if index < added.arguments.count, case .result(let earlier) = added.arguments[index] {
                        sources[index] = CInt(truncatingIfNeeded: earlier.position)
                    }
                }
            }
        }
        calls.append(call)
        descriptions.append(Description(name: added.name, operand: added.operand, stage: stage))
        return Call(position: calls.count - 1)
    }

    /// Memory of `count` bytes, zeroed, that lives as long as the sequence.
    public func buffer(_ count: Int) -> Buffer {
        let start = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 16)
        start.initializeMemory(as: UInt8.self, repeating: 0, count: count)
        memory.append(start)
        return Buffer(start: start, count: count)
    }

    public func bytes(of buffer: Buffer, count: Int) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: buffer.start, count: min(max(count, 0), buffer.count)))
    }

    /// What became of a call, after the run.
    public func result(of call: Call) -> CallResult {
        guard let shared else { return .notRun }
        let raw = shared.pointee.calls[call.position].result
        if raw == CLINUX_CALL_NOT_RUN { return .notRun }
        if raw == CLINUX_CALL_ENTERED { return .interrupted }
        return raw < 0 ? .failure(Errno(rawValue: CInt(-raw))) : .success(raw)
    }

    /// The failure of one call, after the run.
    public func error(of call: Call) -> SystemError? {
        guard case .failure(let code) = result(of: call) else { return nil }
        return SystemError(descriptions[call.position].name, code, on: descriptions[call.position].operand)
    }

    /// The call that ended the sequence, after the run.
    public var failedCall: Call? {
        guard let shared, shared.pointee.failed >= 0 else { return nil }
        return Call(position: Int(shared.pointee.failed))
    }

    /// What ended the sequence, after the run: the failed call's error, and the stage that the call was added in.
    public var failure: (stage: Stage?, error: SystemError)? {
        guard let failedCall, let error = error(of: failedCall) else { return nil }
        return (descriptions[failedCall.position].stage, error)
    }

    /// The failures of all calls of a stage, in order, after the run; also of those that were allowed to fail.
    public func errors(in stage: Stage) -> [SystemError] {
        descriptions.indices.filter { descriptions[$0].stage == stage }.compactMap { error(of: Call(position: $0)) }
    }

    /// The name of the call in which the process ended, or now waits.
    public var interruptedCall: String? {
        guard let shared else { return nil }
        for index in calls.indices where shared.pointee.calls[index].result == CLINUX_CALL_ENTERED { return descriptions[index].name }
        return nil
    }

    /// Makes the calls in a new process.
    ///
    /// - Returns: the process, which the caller must wait for.
    /// - Throws: `SystemError` of clone(2), `EINVAL` for a string with a NUL in it, `E2BIG` for too many calls.
    func start() throws(SystemError) -> (process: CInt, descriptor: CInt) {
        if let unusable { throw unusable }
        let list = UnsafeMutablePointer<CLinux_call>.allocate(capacity: max(calls.count, 1))
        list.initialize(from: calls, count: calls.count)
        let sequence = UnsafeMutablePointer<CLinux_sequence>.allocate(capacity: 1)
        sequence.initialize(
            to: CLinux_sequence(
                calls: list, count: CInt(calls.count), kept: keptDescriptor, outlives: outlivesCaller ? 1 : 0, parent: 0, failed: -1,
                finished: 0))
        let stack = UnsafeMutableRawPointer.allocate(byteCount: Self.stackSize, alignment: 4096)
        shared = sequence
        self.stack = stack
        var descriptor: CInt = -1
        let process = CLinux_start_sequence(sequence, stack, Self.stackSize, &descriptor)
        if process < 0 { throw SystemError("clone", Errno(rawValue: -process), on: "for \(descriptions.first?.name ?? "nothing")") }
        return (process, descriptor)
    }

    var hasFinished: Bool { shared?.pointee.finished == 1 }

    private func value(of argument: Argument) -> Int {
        switch argument {
        case .value(let value): return value
        case .result: return 0
        case .buffer(let buffer): return Int(bitPattern: buffer.start)
        case .words(let words):
            let copy = buffer(words.count * 8)
            words.withUnsafeBytes { if let start = $0.baseAddress { copy.start.copyMemory(from: start, byteCount: $0.count) } }
            return Int(bitPattern: copy.start)
        case .string(let text): return value(of: .bytes(Array(text.utf8)))
        case .bytes(let bytes):
            if bytes.contains(0) { unusable = SystemError("prepare", .invalidArgument, on: "a text with a NUL byte in it") }
            let copy = buffer(bytes.count + 1)
            copy.start.copyMemory(from: bytes, byteCount: bytes.count)
            return Int(bitPattern: copy.start)
        }
    }
}
