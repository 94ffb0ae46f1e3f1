// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import SystemPackage
import Testing

@testable import MountPointPlugins

@Suite("The plugin policy")
struct PolicyKindTests {
    private let host: InstanceHost

    init() throws { host = try InstanceHost() }

    private func plugin(_ settings: String) throws -> InstancePlugin { try host.plugin(settings, of: PolicyKind.self) }

    @Test("It says why, keeps it in the log, and makes nothing")
    func denial() async throws {
        let plugin = try plugin(
            #"{"rules": [{"action": "deny", "source": ["/srv/secret"], "reason": "ask the data team", "name": "keys"}]}"#)
        let request = MountPointAttachRequest(id: "c1", mounts: [.bind("/srv/secret/in", "/m")])
        await #expect(throws: PluginError("/m would show /srv/secret: ask the data team (rule 1, keys)")) {
            try await plugin.attach(request)
        }
        let log = DenialLog(of: try PluginInstance(of: "policy", places: host.places))
        #expect(try log.lines().count == 1)
        #expect(try log.text().hasSuffix(" web of alpine: /m would show /srv/secret: ask the data team (rule 1, keys)\n"))
        #expect(host.left(of: "policy") == ["denials.log"])
    }

    @Test("What is to be read-only becomes so, and status says by which rule")
    func readOnly() async throws {
        let plugin = try plugin(#"{"rules": [{"action": "read-only", "source": ["/srv/shared"]}]}"#)
        let mounts = [MountPoint.bind("/srv/shared", "/m"), .bind("/srv/shared", "/r") { $0.readOnly = true }, .bind("/opt", "/o")]
        let answer = try await plugin.attach(MountPointAttachRequest(id: "c1", mounts: mounts))
        #expect(answer.map(\.attach) == [true, false, false])
        #expect(answer[0].changes == MountPointChanges(readOnly: true) && !answer[0].emergencyDetach.isEmpty)
        #expect(try InstanceReport(on: host.places, container: "web").text.contains("  /m: /srv/shared [rule 1]\n"))
        try await plugin.detach(MountPointDetachRequest(id: "c1"))
        #expect(host.left(of: "policy") == [])
    }

    @Test("A full log makes place, and the older half stays")
    func rotation() throws {
        let log = DenialLog(of: try PluginInstance(of: "policy", places: host.places))
        let chosen = ChosenMount(mount: .bind("/x", "/m"), containerID: "c", options: "", choice: "", folder: "/f")
        let long = String(repeating: "x", count: 100_000)
        for number in 0..<30 { log.append(PolicyDecision(action: .deny, rule: "\(number)", text: long), chosen) }
        let lines = try log.lines()
        #expect((11...29).contains(lines.count), "\(lines.count)")
        #expect(lines.last?.contains(#""rule":"29""#) == true)
    }

    @Test("check says what would become of a mount, with the rule")
    func check() throws {
        _ = try plugin(#"{"rules": [{"action": "deny", "preset": "system-folders"}, {"action": "read-only", "source": ["/srv"]}]}"#)
        let instance = try PluginInstance(of: "policy", places: host.places)
        var check = PolicyCheck()
        check.volumes = ["/etc:/e", "/srv/x:/s:ro", "/opt/y:/o", "data:/d"]
        let answer = try check.run(instance)
        #expect(
            answer.text == """
                /etc:/e: denied by rule 1, system-folders: /e would show /etc
                /srv/x:/s:ro: read-only by rule 2: /s would show /srv
                /opt/y:/o: allowed by default
                data:/d: allowed by default

                """)
        #expect(!answer.isAllowed)
        check.volumes = ["x"]
        #expect(throws: PluginError("-v x: must be SOURCE:PATH or SOURCE:PATH:MODE, as docker run has it")) { try check.run(instance) }
    }
}
