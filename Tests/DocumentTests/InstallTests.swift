// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import SystemPackage
import TestSupport
import Testing

/// `Scripts/install` into a folder: what the list has is there, and gone again.
struct InstallTests {
    private func install(_ word: String, below folder: String, _ environment: [String: String] = [:]) async throws -> CommandResult {
        let standard = [
            "DESTDIR": folder, "DAEMON": Programs.runtime, "RUNTIME": Programs.runtime, "PLUGIN": Programs.runtime, "PURGE": "",
            "FORCE": "",
        ]
        return try await command(["\(Repository.root)/Scripts/install", word], environment: standard.merging(environment) { $1 })
    }

    /// Each file below a folder as `MODE PATH`.
    private func files(below folder: String) throws -> [String] {
        let all = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        return try all.compactMap { path in
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(path)")
            guard attributes[.type] as? FileAttributeType != .typeDirectory else { return nil }
            return "\(String(attributes[.posixPermissions] as? Int ?? 0, radix: 8)) /\(path)"
        }.sorted()
    }

    @Test(arguments: [[:], ["PREFIX": "/usr", "UNITDIR": "/lib/systemd/system"]])
    func installsTheListAndRemovesIt(folders: [String: String]) async throws {
        try await withScratchFolder { scratch in
            let folder = scratch.string
            let listed = try await install("list", below: folder, folders).output.split(separator: "\n").map(String.init).sorted()
            #expect(listed.count == 24)
            for round in 1...2 {
                let result = try await install("install", below: folder, folders)
                #expect(result.status == 0 && result.output.isEmpty, "\(round): \(result)")
                #expect(try files(below: folder) == listed)
            }
            let binaries = folders["PREFIX"].map { $0 + "/sbin" } ?? "/usr/local/sbin"
            for path in listed where path.hasSuffix(".service") {
                let unit = try String(contentsOfFile: folder + path.drop { $0 != "/" }, encoding: .utf8)
                #expect(unit.contains("\nExecStart=\(binaries)/") && !unit.contains("@SBINDIR@"), "\(path)")
            }
            #expect(try await install("uninstall", below: folder, folders).status == 0)
            #expect(try files(below: folder) == [])
        }
    }

    @Test func listsEverythingThatIsPackaged() async throws {
        let list = try Document("Packaging/installed-files.txt").text
        for folder in ["man", "completions", "systemd", "prometheus", "grafana"] {
            for name in try FileManager.default.contentsOfDirectory(atPath: "\(Repository.root)/Packaging/\(folder)") {
                #expect(list.contains(" Packaging/\(folder)/\(name) "), "\(name) is not installed")
            }
        }
    }

    @Test func aPurgeRemovesSettingsAndState() async throws {
        let state = [
            "etc/docker/docker-nfsd.json", "etc/docker/mountpoint-runc.json", "var/lib/docker-nfsd/volumes/a.json",
            "run/docker-nfsd/engines.json", "run/mountpoint-runc/plugins/a.json", "run/mountpoint-runc/recovered",
            "var/lib/mountpoint-runc/containers/default/a/b.json",
        ]
        try await withScratchFolder { scratch in
            let folder = scratch.string
            for path in state + ["var/lib/docker-volumes-nfsd/used/file", "etc/docker/daemon.json"] {
                let file = URL(fileURLWithPath: "\(folder)/\(path)")
                try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data().write(to: file)
            }
            #expect(try await install("uninstall", below: folder).status == 0)
            #expect(try files(below: folder).count == state.count + 2, "without PURGE=1 they stay")
            let result = try await install("uninstall", below: folder, ["PURGE": "1"])
            #expect(result.status == 0, "\(result)")
            #expect(
                try files(below: folder).map { String($0.drop { $0 != "/" }) } == [
                    "/etc/docker/daemon.json", "/var/lib/docker-volumes-nfsd/used/file",
                ])
        }
    }

    @Test func saysWhatIsMissingInOneLine() async throws {
        try await withScratchFolder { scratch in
            let result = try await install("install", below: scratch.string, ["DAEMON": "/nonexistent/docker-nfsd"])
            #expect(result.status == 1)
            #expect(result.output == "install: /nonexistent/docker-nfsd is not there; run make first\n")
            #expect(try files(below: scratch.string) == [])
        }
    }
}
