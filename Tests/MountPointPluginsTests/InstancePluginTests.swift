// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import JSON
import SystemPackage
import Testing

@testable import MountPointPlugins

@Suite("The frame of a plugin")
struct InstancePluginTests {
    private let host: InstanceHost

    init() throws { host = try InstanceHost() }

    private func request(_ mounts: [MountPoint], id: String = "c1") -> MountPointAttachRequest {
        MountPointAttachRequest(id: id, mounts: mounts)
    }

    @Test("Only what was asked for is taken: by a label of the container, of the volume, a word, or a rule, in this order")
    func ways() async throws {
        let plugin = try host.plugin(#"{"rules": [{"source": "/srv", "options": "word"}]}"#)
        let label: StringMap = ["mountpoint.folder": "/a:none;/b"]
        let mounts = [
            MountPoint.bind("/srv/a", "/a", labels: label), .bind("/x", "/b", labels: label),
            .bind("/x", "/c", labels: label) { $0.volume.labels = ["mountpoint.folder": "word"] },
            .bind("/x", "/d", labels: label) { $0.consistency = .delegated }, .bind("/srv", "/e", labels: label),
            .bind("/x", "/f", labels: label),
        ]
        let answer = try await plugin.attach(request(mounts))
        #expect(answer.map(\.attach) == [false, true, true, true, true, false])
        let report = try InstanceReport(on: host.places)
        #expect(
            report.text.split(separator: "\n").dropFirst().map { String($0.split(separator: "[").last ?? "") } == [
                "container label mountpoint.folder]", "volume label mountpoint.folder]", "consistency delegated]", "rule 1]",
            ], "\(report.text)")
        try await plugin.detach(MountPointDetachRequest(id: "c1"))
        #expect(host.left() == [])
    }

    @Test("What asks for nothing matches no pattern")
    func patterns() throws {
        let plugin = try host.plugin(#"{"rules": [{"volume": "web-*"}]}"#)
        let patterns = plugin.properties.patterns
        #expect(patterns.count == 4)
        #expect(patterns.allSatisfy { !$0.asksForEveryMount })
        #expect(patterns.last?.volume.name == [StringPattern(prefix: "web-")])
    }

    @Test(
        "A wrong label denies, and nothing is made",
        arguments: [
            ("/z", "label mountpoint.folder=/z: /z is no mount of this container; there are /a"),
            ("/a:wrod", "/a, container label mountpoint.folder: wrod is not known; there are word and bad"),
        ])
    func wrongLabel(_ row: (String, String)) async throws {
        let plugin = try host.plugin()
        let mount = MountPoint.bind("/x", "/a", labels: ["mountpoint.folder": row.0])
        await #expect(throws: PluginError(row.1)) { try await plugin.attach(request([mount])) }
        #expect(host.left() == [])
    }

    @Test(
        "A label of a container without mounts denies, unless it asks for none",
        arguments: [
            ("/z", "label mountpoint.folder=/z: /z is no mount of this container; it has none that this plugin is shown"),
            ("*:wrod", "*, container label mountpoint.folder: wrod is not known; there are word and bad"), ("*", nil), ("none", nil),
        ] as [(String, String?)])
    func labelWithoutMounts(_ row: (label: String, denial: String?)) async throws {
        let plugin = try host.plugin()
        let container = MountPoint(of: ContainerDescription(labels: ["mountpoint.folder": row.label]))
        #expect(plugin.properties.types == [.container])
        if let denial = row.denial {
            await #expect(throws: PluginError(denial)) { try await plugin.attach(request([container])) }
        } else {
            #expect(try await plugin.attach(request([container])).map(\.attach) == [false])
        }
        #expect(host.left() == [])
    }

    @Test("If one mount fails, all that was made is undone")
    func failure() async throws {
        let plugin = try host.plugin()
        let label: StringMap = ["mountpoint.folder": "/a;/b:bad;/c"]
        let mounts = ["/a", "/b", "/c"].map { MountPoint.bind("/x", $0, labels: label) }
        await #expect(throws: PluginError("it is bad")) { try await plugin.attach(request(mounts)) }
        #expect(host.left() == [])
    }

    @Test("A new process takes up what runs, and undoes what has gone")
    func recovery() async throws {
        let label: StringMap = ["mountpoint.folder": "*"]
        for id in ["gone", "runs"] { _ = try await host.plugin().attach(request([.bind("/x", "/a", labels: label)], id: id)) }
        try host.run("runs")
        let plugin = try host.plugin()
        plugin.recover()
        #expect(host.left() == ["runs.0", "runs.json"])
        try await plugin.detach(MountPointDetachRequest(id: "runs"))
        try await plugin.detach(MountPointDetachRequest(id: "gone"))
        #expect(host.left() == [])
    }

    @Test("What cannot be undone is kept, and undone when it can be")
    func stuck() async throws {
        let trouble = host.root.appending("trouble").string
        let plugin = try host.plugin(#"{"trouble": "\#(trouble)"}"#)
        _ = try await plugin.attach(request([.bind("/x", "/a", labels: ["mountpoint.folder": "/a:stuck"])]))
        try "".write(toFile: trouble, atomically: false, encoding: .utf8)
        await #expect(throws: DetachError("it is stuck", isRecoverable: true)) {
            try await plugin.detach(MountPointDetachRequest(id: "c1"))
        }
        #expect(host.left() == ["c1.0", "c1.json"])
        unlink(trouble)
        plugin.recover()
        #expect(host.left() == [])
    }

    @Test("Ids that are no file's name, and files that are damaged", arguments: ["../x", ".", "a/b", ""])
    func hostile(_ id: String) async throws {
        let plugin = try host.plugin()
        let label: StringMap = ["mountpoint.folder": "*"]
        await #expect(throws: PluginError.self) { try await plugin.attach(request([.bind("/x", "/a", labels: label)], id: id)) }
        #expect(host.left() == [])
        _ = try await plugin.attach(request([.bind("/x", "/a", labels: label)], id: "c1"))
        try "{".write(toFile: host.places.state.appending("folder/c1.json").string, atomically: false, encoding: .utf8)
        await #expect(throws: DetachError.self) { try await plugin.detach(MountPointDetachRequest(id: "c1")) }
    }

    @Test(
        "A setting that is unknown or wrong is an error that names it",
        arguments: [
            (#"{"ruels": []}"#, "there is no setting ruels of folder"),
            (#"{"rules": [{"sorce": "/a", "volume": "x"}]}"#, "there is no setting rules[0].sorce of folder"),
            (#"{"rules": [{}]}"#, "rules[0] must say which mounts: source, volume, destination, type, image, container or label"),
            (#"{"rules": [{"volume": "x", "options": "y"}]}"#, "rules[0].options is wrong: y is not known; there are word and bad"),
            (#"{"rules": [{"source": "x"}]}"#, "rules[0].source must be an absolute path"), (#"{"label": null}"#, "label must not be null"),
        ])
    func settings(_ row: (String, String)) {
        let file = host.places.settings.appending("folder.json")
        #expect(throws: PluginError("\(file): \(row.1)")) { try host.plugin(row.0) }
    }
}
