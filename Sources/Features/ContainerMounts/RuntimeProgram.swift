// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import OCIRuntime
import PluginClient

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
            RuntimeLog().error("\(error)")
            return 1
        }
        let log = RuntimeLog(path: line.log, isJSON: line.logFormat == "json")
        let invocation = Invocation(line: line, given: given, places: places, log: log, inherited: inherited)
        do throws(RuntimeError) {
            return try invocation.run()
        } catch {
            log.error(error.message)
            return 1
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

/// One call of the runtime.
struct Invocation {
    var line: RuntimeCommandLine
    let given: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    let places: RuntimePlaces
    let log: RuntimeLog
    let inherited: InheritedState

    func run() throws(RuntimeError) -> Int32 {
        switch line.command {
        case .create(let creation), .run(let creation), .restore(let creation):
            return try CreateCommand(invocation: self, creation: creation).run()
        case .start(let id): try StartCommand(invocation: self, id: id).run()
        case .delete(let selection, let force): return try DeleteCommand(invocation: self, selection: selection, isForced: force).run()
        case .kill(let selection, _, _): return try KillCommand(invocation: self, selection: selection).run()
        case .doctor(let words): return Doctor(invocation: self).run(words)
        case .status(let words): return try StatusCommand(words).run(self)
        case .ask(let words): return try AskCommand(words).run(self)
        case .detach(let words): return try DetachCommand(invocation: self, words: words).run()
        case .recover(let words): return try RecoverCommand(invocation: self, words: words).run()
        case .handedOver: handOver()
        }
    }

    /// The settings, overridden by the command line. For commands that create a container.
    func settings() throws(RuntimeError) -> RuntimeSettings {
        var settings = try RuntimeSettings.read(from: places.settings)
        if !line.plugins.isEmpty { settings.plugins = line.plugins }
        settings.runtimePath = line.runtimePath ?? settings.runtimePath
        return settings
    }

    /// The loader that finds and calls plugins.
    ///
    /// - Parameters:
    ///   - timeout: seconds, for each call.
    ///   - settings: the settings in effect; nil to read the file, and to ignore it if it is damaged.
    func loader(timeout: Double, settings: RuntimeSettings? = nil, patience: Patience = .docker) -> PluginLoader {
        var loader = PluginLoader(places: places, timeout: timeout, patience: patience)
        let isWanted = line.isDebugging
        if isWanted || (settings ?? (try? RuntimeSettings.read(from: places.settings)))?.isDebugging == true {
            loader.callLog = CallLog { [log] in log.debug($0, isForSystem: !isWanted) }
        }
        return loader
    }

    /// The delegate runtime for containers that exist. Damaged settings are ignored, so that containers can still be stopped.
    func runtime() throws(RuntimeError) -> DelegateRuntime {
        try DelegateRuntime(line.runtimePath ?? (try? RuntimeSettings.read(from: places.settings))?.runtimePath)
    }

    func arguments(_ list: [RuntimeArgument]) -> OriginalArguments { OriginalArguments(list: list, given: given) }

    /// Becomes the delegate runtime with the original arguments. If that fails, logs why and ends with status 1.
    func handOver(to known: DelegateRuntime? = nil) -> Never {
        do throws(RuntimeError) {
            let runtime = if let known { known } else { try self.runtime() }
            inherited.restoreSignals()
            throw runtime.become(arguments(line.handedOn))
        } catch {
            log.error(error.message)
            _exit(1)
        }
    }

    /// Runs the delegate runtime with the original arguments and waits for it.
    func passOn(to runtime: DelegateRuntime) throws(RuntimeError) -> Int32 {
        try runtime.run(arguments(line.handedOn)).exitStatus
    }
}
