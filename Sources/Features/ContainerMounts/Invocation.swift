// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import OCIRuntime
import PluginClient

/// One call of the runtime.
struct Invocation {
    var line: RuntimeCommandLine
    let given: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    let places: RuntimePlaces
    let log: RuntimeLog
    let inherited: InheritedState

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
            try runtime.become(arguments(line.handedOn))
        } catch {
            log.error(error)
            _exit(1)
        }
    }

    /// Runs the delegate runtime with the original arguments and waits for it.
    func passOn(to runtime: DelegateRuntime) throws(RuntimeError) -> Int32 {
        try runtime.run(arguments(line.handedOn)).exitStatus
    }
}
