// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import JSON
import LinuxSystem
import MountPointChain
import OCIRuntime
import PluginClient
import SystemPackage

/// `doctor`: what Docker's configuration, the chain, each plugin and what is kept look like, and what is wrong.
///
/// Each line begins with `[ok]`, `[warning]` or `[failed]`; the exit status is 1 if anything has failed.
final class Doctor {
    private let invocation: Invocation
    private var hasFailed = false

    init(invocation: Invocation) { self.invocation = invocation }

    func run(_ words: [String]) -> Int32 {
        if let word = words.first {
            say(.failed, "doctor takes no arguments, and \(JSONValue.string(word)) is one")
            return 1
        }
        checkRuntime()
        checkDocker()
        if let settings = checkSettings() { checkChain(settings) }
        checkContainers()
        return hasFailed ? 1 : 0
    }

    private enum Finding: String {
        case ok, warning, failed
    }

    private func say(_ finding: Finding, _ text: String) {
        if finding == .failed { hasFailed = true }
        let line = Array("[\(finding.rawValue)] \(text)\n".utf8)
        _ = write(1, line, line.count)
    }

    // MARK: This host

    private func checkRuntime() {
        if !EffectiveUser.isRoot { say(.warning, "not run as root: what only root may see is not checked") }
        do throws(RuntimeError) {
            say(.ok, "the runtime below is \(try invocation.runtime().path)")
        } catch {
            say(.failed, error.message)
        }
    }

    private func checkDocker() {
        let path = invocation.places.dockerSettings
        guard let bytes = try? readWholeFile(FilePath(path), limit: 1 << 20) else {
            say(.warning, "\(path) cannot be read: Docker does not know this runtime, unless dockerd has it in its arguments")
            return
        }
        guard let document = try? JSONValue(parsing: bytes), case .object(let settings) = document else {
            say(.failed, "\(path) is not a JSON object; dockerd will not start with it")
            return
        }
        let runtimes = settings["runtimes"]?.objectValue?.members ?? []
        var names: [String] = []
        for runtime in runtimes {
            guard let program = runtime.value["path"]?.stringValue, isThisProgram(program) else { continue }
            names.append(runtime.key)
            say(.ok, "Docker calls it by the runtime \(JSONValue.string(runtime.key)) of \(path)")
            if let arguments = runtime.value["runtimeArgs"]?.arrayValue, !arguments.isEmpty {
                say(
                    .warning,
                    "the runtime \(JSONValue.string(runtime.key)) has runtimeArgs: Docker 20.10 makes a script of it and deletes that when they go, and containers that run with it cannot be stopped then; \(invocation.places.settings) has no such trouble"
                )
            }
        }
        if names.isEmpty {
            say(.failed, "no runtime in \(path) has this program as its path; add it under runtimes, and reload Docker")
        }
        let defaultRuntime = settings["default-runtime"]?.stringValue
        if let defaultRuntime, names.contains(defaultRuntime) {
            say(.ok, "it is the default runtime: every container goes through it")
        } else if !names.isEmpty {
            say(.ok, "it is not the default runtime: only containers with --runtime go through it")
        }
    }

    private func isThisProgram(_ path: String) -> Bool {
        if let itself = try? FileIdentity(at: "/proc/self/exe"), let found = try? FileIdentity(at: path) { return found.isSame(as: itself) }
        return path.hasSuffix("/mountpoint-runc")
    }

    // MARK: The chain

    private func checkSettings() -> RuntimeSettings? {
        do throws(RuntimeError) {
            let settings = try invocation.settings()
            let chain = settings.plugins.joined(separator: ", ")
            if settings.plugins.isEmpty {
                say(.warning, "the chain is empty: no plugin is asked about any mount; name plugins in \(invocation.places.settings)")
            } else {
                say(.ok, "the chain is \(chain); a plugin has \(settings.timeout) seconds for a call")
            }
            return settings
        } catch {
            say(.failed, "\(error.message); no container can be made until that is corrected")
            return nil
        }
    }

    private func checkChain(_ settings: RuntimeSettings) {
        let loader = PluginLoader(places: invocation.places, timeout: settings.timeout)
        for name in settings.plugins {
            do throws(PluginClientError) {
                let plugin = try loader.load(name)
                let count = plugin.properties.patterns.count
                let wanted =
                    switch count {
                    case 0: "it wants no mount"
                    case 1: "it wants mounts of one pattern"
                    default: "it wants mounts of \(count) patterns"
                    }
                let mounted = plugin.properties.mounted ? ", and to be told when they are in place" : ""
                say(.ok, "plugin \(name) answers at \(plugin.endpoint.address), found by \(plugin.endpoint.foundAt): \(wanted)\(mounted)")
            } catch {
                say(.failed, error.message)
            }
        }
    }

    // MARK: Containers

    private func checkContainers() {
        let above = FilePath(invocation.places.state).appending("containers")
        var count = 0
        for root in (try? namesInFolder(above)) ?? [] {
            for id in (try? namesInFolder(above.appending(root))) ?? [] {
                count += 1
                check(ContainerFolder(at: above.appending(root).appending(id)), id)
            }
        }
        say(.ok, count == 0 ? "no container has plugins attached" : "\(count) containers have plugins attached, or had")
    }

    private func check(_ folder: ContainerFolder, _ id: String) {
        do throws(RuntimeError) {
            guard let record = try folder.record() else { return }
            let stack = try folder.stack()
            let names = stack.plugins.map(\.name).joined(separator: ", ")
            if let stopped = stack.stopped {
                say(
                    .failed,
                    "container \(id): undoing its mounts has stopped: \(stopped)\(names.isEmpty ? "" : "; not asked to detach: \(names)")")
            } else if record.boot == bootIdentity(), record.phase != .ended, record.supervisor?.isAlive == false {
                say(.warning, "container \(id): its supervisor has been killed; \(names) will be asked to detach when it is deleted")
            } else if record.process?.isAlive == false && record.phase == .created {
                say(.warning, "container \(id): has ended, and waits for \(names) to detach")
            }
        } catch {
            say(.failed, "container \(id): \(error.message)")
        }
    }
}
