// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerFiles
import KernelMount
import LinuxSystem
import Logging
import SystemPackage

/// Who may pass through the folder in which volumes are mounted: root alone, so that no user of the host reaches what containers have
/// put on a volume, such as a set-uid program.
///
/// Where an engine maps root of its containers to another user, an old runtime looks the volume up as that user, who must pass.
struct MountFolderAccess: Sendable {
    let folder: FilePath
    let engine: EngineSettings

    static let closed: UInt32 = 0o700
    /// To pass, and not to list.
    static let open: UInt32 = 0o711

    init(_ settings: DaemonSettings) {
        folder = settings.mountDirectory
        engine = settings.engine
    }

    /// Brings the folder's mode in line. Earlier versions made it open. Any other mode was set by somebody, and stays. Blocks on local
    /// files.
    func apply(logger: Logger) {
        do throws(SystemError) {
            let reason = remapping()
            let (wanted, other) = reason == nil ? (Self.closed, Self.open) : (Self.open, Self.closed)
            guard try mode(of: folder) == other else { return }
            try setMode(of: folder, to: wanted)
            logger.notice("\(folder) has mode 0\(String(wanted, radix: 8)) now: \(reason ?? "it is for root alone")")
        } catch {
            logger.error("the mode of \(folder) cannot be set: \(error)")
        }
    }

    /// By what it is known that an engine on this host maps users; nil if none does. Blocks on local files.
    func remapping() -> String? {
        let docker = (try? DockerSettings.read(from: engine.daemonFile.string)) ?? DockerSettings()
        if let user = docker.remappedUser { return "userns-remap is \(user) in \(engine.daemonFile)" }
        // Where such an engine keeps its files; it may not run yet.
        for root in engine.dataRoot.map({ [$0] }) ?? docker.dataRoots.map({ FilePath($0) }) {
            if let folder = ((try? namesInFolder(root)) ?? []).first(where: Self.isOfRemappedUser) {
                return "an engine with userns-remap has its files in \(root.appending(folder))"
            }
        }
        for process in MountNamespace.processes(named: "dockerd") {
            guard let bytes = try? readWholeFile(FilePath("/proc/\(process)/cmdline"), limit: 1 << 20) else { continue }
            if String(decoding: bytes, as: UTF8.self).contains("\0--userns-remap") {
                return "dockerd (process \(process)) runs with --userns-remap"
            }
        }
        return nil
    }

    /// `UID.GID`
    private static func isOfRemappedUser(_ name: String) -> Bool {
        let parts = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty && $0.allSatisfy { (0x30...0x39).contains($0) } }
    }

    /// For `doctor`.
    func finding() -> HostFinding {
        let subject = "mount folder \(folder)"
        let reason = remapping()
        do throws(SystemError) {
            let mode = try LinuxSystem.mode(of: folder)
            let text = "mode 0\(String(mode, radix: 8))"
            switch (mode & 0o077 == 0, reason) {
            case (true, nil): return HostFinding(verdict: .ok, subject: subject, detail: "\(text), for root alone")
            case (true, let reason?):
                return HostFinding(
                    verdict: .warning, subject: subject,
                    detail: "\(text), but \(reason): restart docker-nfsd, or an old runtime cannot mount volumes from there")
            case (false, let reason?):
                return HostFinding(
                    verdict: .ok, subject: subject, detail: "\(text), so that users can reach volumes by path, since \(reason)")
            case (false, nil):
                return HostFinding(
                    verdict: .warning, subject: subject,
                    detail: "\(text): users of this host can reach volumes by path, and run set-uid programs there; chmod 700 \(folder)")
            }
        } catch  where error.errno == .noSuchFileOrDirectory {
            return HostFinding(verdict: .ok, subject: subject, detail: "is made at the start of docker-nfsd, for root alone")
        } catch {
            return HostFinding(verdict: .failed, subject: subject, detail: "\(error)")
        }
    }
}
