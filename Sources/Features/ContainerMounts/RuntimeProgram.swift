// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import OCIRuntime

/// The runtime as a program: reads the command line and runs the command, or hands over to the delegate runtime.
public enum RuntimeProgram {
    /// Runs the command and ends the process with its exit status. Uses _exit(2), since there are no exit handlers to run.
    public static func exit() -> Never {
        let inherited = InheritedState()
        _exit(run(RuntimePlaces(), inherited))
    }

    /// The same with all files and folders inside of one folder, for tests.
    package static func exit(in folder: String) -> Never {
        let inherited = InheritedState()
        _exit(run(RuntimePlaces(in: folder), inherited))
    }

    private static func run(_ places: RuntimePlaces, _ inherited: InheritedState) -> Int32 {
        let given = CommandLine.unsafeArgv
        let line: RuntimeCommandLine
        do throws(CommandLineError) {
            line = try RuntimeCommandLine(parsing: words(given))
        } catch {
            RuntimeLog().error(RuntimeError(.badArguments, "\(error)", cause: error))
            return 1
        }
        let log = RuntimeLog(path: line.log, isJSON: line.logFormat == "json")
        let invocation = Invocation(line: line, given: given, places: places, log: log, inherited: inherited)
        do throws(RuntimeError) {
            return try run(invocation)
        } catch {
            log.error(error)
            return 1
        }
    }

    /// Runs the command that the command line names.
    ///
    /// - Returns: the exit status.
    private static func run(_ invocation: Invocation) throws(RuntimeError) -> Int32 {
        switch invocation.line.command {
        case .create(let creation), .run(let creation), .restore(let creation):
            return try CreateCommand(invocation: invocation, creation: creation).run()
        case .start(let id): try StartCommand(invocation: invocation, id: id).run()
        case .delete(let selection, let force):
            return try DeleteCommand(invocation: invocation, selection: selection, isForced: force).run()
        case .kill(let selection, _, _): return try KillCommand(invocation: invocation, selection: selection).run()
        case .doctor(let words): return Doctor(invocation: invocation).run(words)
        case .status(let words): return try StatusCommand(words).run(invocation)
        case .ask(let words): return try AskCommand(words).run(invocation)
        case .detach(let words): return try DetachCommand(invocation: invocation, words: words).run()
        case .recover(let words): return try RecoverCommand(invocation: invocation, words: words).run()
        case .handedOver: invocation.handOver()
        }
    }
}

/// The arguments without the program's name, as bytes: `CommandLine.arguments` replaces what is not UTF-8.
private func words(_ given: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> [[UInt8]] {
    var words: [[UInt8]] = []
    var index = 1
    while index < Int(CommandLine.argc), let word = given[index] {
        words.append(UnsafeRawBufferPointer(start: word, count: strlen(word)).map { $0 })
        index += 1
    }
    return words
}
