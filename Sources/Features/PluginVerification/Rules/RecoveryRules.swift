// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import LinuxSystem
import PluginClient
import SystemPackage

/// V15 to V17: what holds when the plugin is away, and the call that some ask for.
struct RecoveryRules: RuleChecks {
    let verification: Verification

    func checkRestart() throws(RuleEnd) -> [String] {
        guard settings.restartCommand != nil else { throw .notTried("give the command that starts it again with --restart-command") }
        try need(.detachUndoes)
        let id = subject.newID()
        let before = Traces.mounts()
        let attachments = try attachTakingPart(id)
        let during = Traces.mounts()
        try restart()
        switch try subject.detach(id) {
        case .yes: return DetachRules(verification: verification).leftovers(attachments, before: before, during: during)
        case .no(let words): return ["Detach was refused: \(words)"]
        case .nonsense(let why): return [why]
        }
    }

    /// Has the plugin killed and started again, and waits until it answers.
    private func restart() throws(RuleEnd) {
        guard let restartCommand = settings.restartCommand else { return }
        do throws(SystemError) {
            let words = restartCommand.utf8.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
            let child = try ChildProcess.spawn(words.first ?? "", words, silence: .input)
            guard let end = try ChildProcess.wait(for: child, until: Deadline(after: .seconds(60))) else {
                kill(child, SIGKILL)
                _ = try ChildProcess.wait(for: child)
                throw SystemError("waitpid", .timedOut, on: "the restart command")
            }
            guard end == .exited(0) else {
                throw SystemError("exit", .invalidArgument, on: "status \(end.exitStatus) of the restart command")
            }
        } catch {
            throw .notTried("the plugin could not be started again: \(error)")
        }
        do throws(PluginClientError) {
            let address = PluginAddress.unix(path: settings.socket)
            let endpoint = PluginEndpoint(name: try PluginName("plugin"), address: address, foundAt: settings.socket)
            try Patience.docker.call { () throws(PluginClientError) in
                _ = try PluginClient(endpoint, timeout: subject.patience).call(Activation.path, [])
            }
        } catch {
            throw .notTried("the plugin does not answer after its restart: \(error)")
        }
    }

    func checkEmergencyAlone() throws(RuleEnd) -> [String] {
        try need(.detachUndoes)
        try need(.emergencyDetach)
        let mount = try mount()
        let tried = try attachTakingPart(cleaningUp: subject.newID())
        let numbers = Traces.newSources(tried, mount).map { !Traces.isThere($0) }
        let id = subject.newID()
        let before = Traces.mounts()
        let attachments = try attachTakingPart(id)
        defer { cleanUp(id) }
        let during = Traces.mounts()
        if let fault = try AttachRules(verification: verification).emergencyFaults(attachments, mountsBefore: before).first {
            throw .notTried(fault)
        }
        var faults = Self.carryOut(Traces.actions(attachments))
        faults += DetachRules(verification: verification).leftovers(attachments, before: before, during: during)
        // Sources that go with a Detach are the plugin's own.
        for (source, isOwn) in zip(Traces.newSources(attachments, mount), numbers) where isOwn && Traces.isThere(source) {
            faults.append("\(SanitizedText(source)) is left, which Detach takes away")
        }
        try restart()
        switch try subject.detach(id) {
        case .yes: break
        case .no(let words): faults.append("a Detach that comes after them was refused: \(words)")
        case .nonsense(let why): faults.append(why)
        }
        return faults
    }

    private func attachTakingPart(cleaningUp id: String) throws(RuleEnd) -> [Attachment] {
        let attachments = try attachTakingPart(id)
        cleanUp(id)
        return attachments
    }

    /// As a host does; the paths have been judged before.
    private static func carryOut(_ actions: [EmergencyAction]) -> [String] {
        actions.compactMap { action in
            do throws(SystemError) {
                switch action {
                case .unmount(let path): try systemCall("umount2", on: path) { umount2(path, CInt(UMOUNT_NOFOLLOW)) }
                case .remove(let path): try systemCall("remove", on: path) { remove(path) }
                case .nothing, .warning, .error, .fatal: break
                }
                return nil
            } catch {
                return "an emergency action failed: \(SanitizedText(error.description))"
            }
        }
    }

    func checkMounted() throws(RuleEnd) -> [String] {
        guard try properties().mounted else { return [] }
        let id = subject.newID()
        let attachments = try attachTakingPart(id)
        defer { cleanUp(id) }
        let mount = try mount()
        let source = Traces.newSources(attachments, mount).first ?? mount.effectiveSource
        let attached = [AttachedMount(destination: mount.destination, effectiveSource: source)]
        // A process that has ended: whatever the plugin does to its mounts, it cannot do to those of this host.
        let answer = try subject.mounted(id, pid: Int(Self.endedProcess()), attached)
        switch answer {
        case .yes: return []
        case .no(let words):
            let isUnknown = ["404", "405", "501"].contains { words.hasPrefix("HTTP status \($0)") }
            return isUnknown ? ["it asks for Mounted and does not know the call: \(words)"] : []
        case .nonsense(let why): return [why]
        }
    }

    private static func endedProcess() throws(RuleEnd) -> CInt {
        do throws(SystemError) {
            let child = try ChildProcess.fork()
            if child == 0 { _exit(0) }
            _ = try ChildProcess.wait(for: child)
            return child
        } catch {
            throw .notTried("no process could be started: \(error)")
        }
    }
}
