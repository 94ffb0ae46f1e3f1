// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import JSON
import LinuxSystem
import MountPointChain
import OCIRuntime
import PluginClient
import SystemPackage

/// `doctor`: checks Docker's configuration, the chain, each plugin and the kept state, and prints what is wrong.
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
        checkHost()
        let lines = checkDocker()
        check(invocation.line, nil)
        for line in lines { check(line.line, line.name) }
        checkContainers()
        return hasFailed ? 1 : 0
    }

    private enum Finding: String {
        case ok, warning, failed
    }

    private func say(_ finding: Finding, _ text: String) {
        if finding == .failed { hasFailed = true }
        let line = Array("[\(finding.rawValue)] \(TerminalOutput.printable(text))\n".utf8)
        _ = write(STDOUT_FILENO, line, line.count)
    }

    // MARK: This host

    private func checkHost() {
        if !EffectiveUser.isRootOfHost { say(.warning, "not run as root: what only root may see is not checked") }
    }

    /// - Returns: the parsed arguments of each of Docker's runtimes that calls this program with arguments.
    private func checkDocker() -> [(name: String, line: RuntimeCommandLine)] {
        let path = invocation.places.dockerSettings
        guard let bytes = try? readRegularFile(FilePath(path), limit: 1 << 20) else {
            say(.warning, "\(path) cannot be read: Docker does not know this runtime, unless dockerd has it in its arguments")
            return []
        }
        guard let settings = try? JSONObjectReader(parsing: bytes) else {
            say(.failed, "\(path) is not a JSON object; dockerd will not start with it")
            return []
        }
        let runtimes = try? settings.object("runtimes")
        var names: [String] = []
        var lines: [(name: String, line: RuntimeCommandLine)] = []
        for name in runtimes?.members.members.map(\.key) ?? [] {
            guard let runtime = try? runtimes?.object(name), let program = try? runtime.text("path"), isThisProgram(program) else {
                continue
            }
            names.append(name)
            say(.ok, "Docker calls it by the runtime \(quoted(name)) of \(path)")
            if let arguments = try? runtime.texts("runtimeArgs"), !arguments.isEmpty {
                say(
                    .warning,
                    "the runtime \(quoted(name)) has runtimeArgs: Docker 20.10 makes a script of it and deletes that when they go, and containers that run with it cannot be stopped then; \(invocation.places.settings) has no such trouble"
                )
                do throws(CommandLineError) {
                    lines.append((name, try RuntimeCommandLine(parsing: arguments + ["doctor"])))
                } catch {
                    say(.failed, "the runtimeArgs of the runtime \(quoted(name)) cannot be followed: \(error)")
                }
            }
        }
        if names.isEmpty {
            say(.failed, "no runtime in \(path) has this program as its path; add it under runtimes, and reload Docker")
        }
        let defaultRuntime = try? settings.textIfPresent("default-runtime")
        if let defaultRuntime, names.contains(defaultRuntime) {
            say(.ok, "it is the default runtime: every container goes through it")
        } else if !names.isEmpty {
            say(.ok, "it is not the default runtime: only containers with --runtime go through it")
        }
        return lines
    }

    private func isThisProgram(_ path: String) -> Bool {
        if let itself = try? FileIdentity(at: "/proc/self/exe"), let found = try? FileIdentity(at: path) { return found.isSame(as: itself) }
        return path.hasSuffix("/mountpoint-runc")
    }

    // MARK: The chain

    /// Checks the delegate runtime and the chain that a command line and the settings give.
    ///
    /// - Parameter name: the name of Docker's runtime that has these arguments; nil for a call without arguments.
    private func check(_ line: RuntimeCommandLine, _ name: String?) {
        let calls = name.map { "for the runtime \(JSONValue.string($0)) " } ?? ""
        var asked = invocation
        asked.line = line
        do throws(RuntimeError) {
            let settings = try asked.settings()
            say(.ok, "\(calls)the runtime below is \(try DelegateRuntime(settings.runtimePath).path)")
            if settings.plugins.isEmpty {
                say(
                    .warning,
                    "\(calls)the chain is empty: no plugin is asked about any mount; name plugins in \(invocation.places.settings)")
            } else {
                let chain = settings.plugins.joined(separator: ", ")
                say(.ok, "\(calls)the chain is \(chain); a plugin has \(JSONNumber(settings.timeout)?.text ?? "") s for a call")
                checkChain(settings)
            }
        } catch {
            say(.failed, "\(error.message); no container can be made until that is corrected")
        }
    }

    private func checkChain(_ settings: RuntimeSettings) {
        let loader = invocation.loader(timeout: settings.timeout, settings: settings, patience: .none)
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
                for text in Self.unknownMembers(plugin.properties) { say(.warning, "plugin \(name): \(text)") }
            } catch {
                say(.failed, error.message)
            }
        }
    }

    /// Unknown members of a plugin's properties, and what each pattern means without them. A misspelt member makes a pattern match more.
    static func unknownMembers(_ properties: MountPointProperties) -> [String] {
        var lines: [String] = []
        var named: [String] = []
        for (index, pattern) in properties.patterns.enumerated() {
            let members = properties.unknownMembers(ofPattern: index)
            if members.isEmpty { continue }
            named += members
            let rest =
                pattern.asksForEveryMount
                ? "this pattern then asks for every mount" : "this pattern then is \(pattern.text)"
            lines.append("its properties have \(members.joined(separator: ", ")), which is not known here; \(rest)")
        }
        let others = properties.unknownMembers.filter { !named.contains($0) }
        if !others.isEmpty {
            lines.append("its properties have \(others.joined(separator: ", ")), which is not known here and has no effect")
        }
        return lines.map { SanitizedText($0).text }
    }

    // MARK: Containers

    private func checkContainers() {
        checkOwed()
        let above = FilePath(invocation.places.state).appending("containers")
        var count = 0
        for root in (try? namesInFolder(above)) ?? [] {
            for id in (try? namesInFolder(above.appending(root))) ?? [] {
                count += 1
                check(ContainerFolder(at: above.appending(root).appending(id)), id)
            }
        }
        switch count {
        case 0: say(.ok, "no container has plugins attached")
        case 1: say(.ok, "one container has plugins attached, or had")
        default: say(.ok, "\(count) containers have plugins attached, or had")
        }
    }

    /// Reports plugins that have not been told that a container has ended.
    private func checkOwed() {
        let boot = try? Boot.current()
        for owed in OwedDetaches.all(in: invocation.places) {
            do throws(RuntimeError) {
                for one in try owed.list(boot) {
                    let why =
                        boot.map { $0 != one.boot } ?? false
                        ? "has not been told that a reboot has ended it"
                        : one.couldNotBeAsked
                            ? "could not be asked to detach"
                            : "was not asked to detach, since undoing has stopped: \(one.stack.stopped ?? "")"
                    say(.failed, "container \(owed.id): plugin \(one.name) \(why); mountpoint-runc detach \(owed.id) asks again")
                }
            } catch {
                say(.failed, "container \(owed.id): \(error.message)")
            }
        }
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
            } else if record.phase != .ended, try folder.attemptLock() != nil {
                let who = record.supervisor == nil ? "its creation" : "its supervisor"
                say(
                    .warning,
                    "container \(id): \(who) has been killed; \(names) will be asked to detach when it is deleted or created again")
            } else if record.process?.isAlive == false && record.phase == .created {
                say(.warning, "container \(id): has ended, and waits for \(names) to detach")
            }
        } catch {
            say(.failed, "container \(id): \(error.message)")
        }
    }
}
