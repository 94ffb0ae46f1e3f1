// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import JSON
import LinuxSystem
import MountPointChain
import OCIRuntime
import SystemPackage
import TestSupport
import Testing

@testable import ContainerMounts

struct StatusTests {
    private static let since = "2026-03-01T12:00:00Z"

    private static func record(_ id: String, phase: SupervisionState.Phase = .created) throws -> SupervisionState {
        SupervisionState(
            boot: try Boot.current().text, id: try ContainerID(id), phase: phase, runtime: "/usr/sbin/runc",
            arguments: ["--root", "/run/r"],
            configuration: "/nowhere/config.json", timeout: 1, ownsProcesses: true, supervisor: ProcessIdentity(of: getpid()),
            process: ProcessIdentity(of: getpid()), since: since, name: "web", image: "nginx:1")
    }

    private static let stack = AppliedStack([
        AppliedPlugin(
            name: "first", state: .attached,
            mounts: [
                AppliedMount(destination: "/data", effectiveSource: "/view/1", source: "/srv/data"),
                AppliedMount(destination: "/logs", effectiveSource: "/srv/logs", source: "/srv/logs"),
            ], since: since),
        AppliedPlugin(
            name: "second", state: .attached, mounts: [AppliedMount(destination: "/data", effectiveSource: "/view/2", source: "/srv/data")],
            since: since),
    ])

    @discardableResult
    private func keep(_ record: SupervisionState, _ stack: AppliedStack, in places: RuntimePlaces) throws -> ContainerFolder {
        let folder = try ContainerFolder(in: places.state, root: "/run/r", id: record.id)
        try folder.make()
        try folder.write(record)
        try folder.write(stack)
        return folder
    }

    private func output(_ words: [String], _ places: RuntimePlaces, isRoot: Bool = true, dataRoots: [String] = []) throws -> String {
        try StatusCommand(words).output(places, isRoot: isRoot) { _ in dataRoots }
    }

    private func json(_ words: [String] = [], _ places: RuntimePlaces) throws -> [JSONValue] {
        let document = try JSONValue(parsing: try output(["--json"] + words, places))
        #expect(document["version"] == 1)
        return try #require(document["containers"]?.arrayValue)
    }

    @Test func eachContainerIsShownWithItsMountsAndPlugins() async throws {
        try await withScratchFolder { scratch in
            let places = try RuntimePlaces.scratch(scratch.string)
            try keep(Self.record("c1"), Self.stack, in: places)
            let text = try output([], places)
            #expect(
                text == """
                    web (c1)
                      image     nginx:1
                      root      /run/r
                      phase     created, since \(Self.since), process \(getpid()), supervisor \(getpid())
                      plugin    first: attached since \(Self.since)
                      plugin    second: attached since \(Self.since)
                      mount     /data
                        source  /srv/data
                        by      first, as /view/1
                        by      second, as /view/2
                      mount     /logs
                        source  /srv/logs
                        by      first, as /srv/logs

                    """)
            #expect(text.split(separator: "\n").allSatisfy { $0.count <= 100 })
        }
    }

    @Test func theJSONHasTheDocumentedNames() async throws {
        try await withScratchFolder { scratch in
            let places = try RuntimePlaces.scratch(scratch.string)
            try keep(Self.record("c1"), Self.stack, in: places)
            let expected: JSONValue = [
                "id": "c1", "name": "web", "image": "nginx:1", "root": "/run/r", "phase": "created", "since": .string(Self.since),
                "supervisor": JSONValue(getpid()), "process": JSONValue(getpid()),
                "plugins": [
                    ["name": "first", "phase": "attached", "since": .string(Self.since)],
                    ["name": "second", "phase": "attached", "since": .string(Self.since)],
                ],
                "mounts": [
                    [
                        "destination": "/data", "source": "/srv/data", "effectiveSource": "/view/2",
                        "plugins": [
                            ["name": "first", "effectiveSource": "/view/1"], ["name": "second", "effectiveSource": "/view/2"],
                        ],
                    ],
                    [
                        "destination": "/logs", "source": "/srv/logs", "effectiveSource": "/srv/logs",
                        "plugins": [["name": "first", "effectiveSource": "/srv/logs"]],
                    ],
                ],
                "owed": [], "problem": .null,
            ]
            #expect(try json([], places) == [expected])
        }
    }

    @Test func recordsOfAnEarlierVersionAreShownWithoutWhatTheyLack() async throws {
        try await withScratchFolder { scratch in
            let places = try RuntimePlaces.scratch(scratch.string)
            var record = try Self.record("c1")
            (record.since, record.name, record.image) = (nil, nil, nil)
            try keep(
                record,
                AppliedStack([AppliedPlugin(name: "p", state: .attached, mounts: [AppliedMount(destination: "/d", effectiveSource: "/s")])]
                ),
                in: places)
            let container = try #require(try json([], places).first)
            #expect(container["since"] == .null)
            #expect(container["mounts"]?.arrayValue?.first?["source"] == .null)
            #expect(try output([], places).hasPrefix("c1\n  root"))
        }
    }

    @Test func aDamagedRecordIsShownAsSuchAndHidesNoOther() async throws {
        try await withScratchFolder { scratch in
            let places = try RuntimePlaces.scratch(scratch.string)
            let broken = try keep(Self.record("broken"), Self.stack, in: places)
            try replaceFile(broken.path.appending("container.json"), with: Array("{\"version\":1}".utf8), durable: false)
            let cut = try keep(Self.record("cut"), Self.stack, in: places)
            try replaceFile(cut.path.appending("stack.json"), with: Array("[".utf8), durable: false)
            try keep(Self.record("whole"), Self.stack, in: places)
            let containers = try json([], places)
            #expect(containers.compactMap { $0["id"]?.stringValue } == ["broken", "cut", "whole"])
            #expect(containers[0]["problem"]?.stringValue?.contains("container.json") == true)
            #expect(containers[1]["problem"]?.stringValue?.contains("stack.json") == true)
            #expect(containers[2]["problem"] == .null)
            #expect(try output([], places).contains("\n  damaged   the state in "))
        }
    }

    @Test func whatNobodyIsAboutToAskIsOwed() async throws {
        try await withScratchFolder { scratch in
            let places = try RuntimePlaces.scratch(scratch.string)
            var record = try Self.record("killed")
            record.supervisor = ProcessIdentity(process: getpid(), startTime: 1)
            try keep(record, Self.stack, in: places)
            record.id = try ContainerID("busy")
            let busy = try keep(record, Self.stack, in: places)
            let lock = try #require(try busy.attemptLock())
            var stopped = Self.stack
            stopped.stopped = "plugin:third did not detach: disk\u{1b}[2J full"
            try keep(Self.record("stopped", phase: .ended), stopped, in: places)
            var unreachable = Self.stack
            unreachable.plugins.removeLast()
            unreachable.plugins[0].state = .owed
            try keep(Self.record("unreachable", phase: .ended), unreachable, in: places)
            let containers = try json([], places)
            func owed(_ id: String) -> [String] {
                containers.first { $0["id"]?.stringValue == id }?["owed"]?.arrayValue?.compactMap { $0["plugin"]?.stringValue } ?? ["?"]
            }
            #expect(owed("killed") == ["second", "first"], "in the order in which they would be asked")
            #expect(owed("busy") == [], "whoever holds the lock will ask")
            #expect(owed("stopped") == ["second", "first"])
            #expect(owed("unreachable") == ["first"])
            let text = try output(["stopped"], places)
            #expect(text.contains("owed      first is to detach: undoing has stopped: plugin:third did not detach: disk?[2J full\n"))
            withExtendedLifetime(lock) {}
        }
    }

    @Test func aContainerOfAnEarlierBootIsShownAsSuch() async throws {
        try await withScratchFolder { scratch in
            let places = try RuntimePlaces.scratch(scratch.string)
            var record = try Self.record("c1")
            record.boot = "another"
            try keep(record, Self.stack, in: places)
            #expect(try json([], places).first?["phase"] == "rebooted")
        }
    }

    @Test func aContainerIsFoundByIDNameAndBeginning() async throws {
        try await withScratchFolder { scratch in
            let places = try RuntimePlaces.scratch(scratch.string)
            try keep(Self.record("abc1"), Self.stack, in: places)
            var other = try Self.record("abd2")
            other.name = "abc"
            try keep(other, Self.stack, in: places)
            for (wanted, id) in [("abc1", "abc1"), ("abc", "abd2"), ("abd", "abd2"), ("web", "abc1")] {
                #expect(try json([wanted], places).map { $0["id"]?.stringValue } == [id], "\(wanted)")
            }
            #expect(throws: RuntimeError(.badArguments, "\"ab\" may be any of abc1, abd2; give more of the id")) {
                try output(["ab"], places)
            }
            let error = #expect(throws: RuntimeError.self) { try output(["x"], places) }
            #expect(error?.code == .noSuchContainer)
        }
    }

    @Test func dockersNamesCountWhereItHasTheContainer() async throws {
        try await withScratchFolder { scratch in
            let places = try RuntimePlaces.scratch(scratch.string)
            try keep(Self.record("c1"), Self.stack, in: places)
            let docker = DockerFolder(scratch)
            try docker.write(
                #"{"ID":"c1","Name":"/renamed","Image":"sha256:0","Driver":"overlay2","Config":{"Image":"nginx:2"},"MountPoints":{}}"#.utf8,
                to: "containers/c1/config.v2.json")
            let text = try output([], places, dataRoots: [docker.root])
            #expect(text.hasPrefix("renamed (c1)\n  image     nginx:2\n"))
        }
    }

    @Test func nothingKeptIsNoErrorForRootAndOneForOthers() async throws {
        try await withScratchFolder { scratch in
            let places = try RuntimePlaces.scratch(scratch.string)
            #expect(try output([], places) == "no container has plugins attached\n")
            #expect(try json([], places) == [])
            let error = #expect(throws: RuntimeError.self) { try output([], places, isRoot: false) }
            #expect(error?.message.contains("run it with sudo") == true)
        }
    }

    @Test(arguments: [
        (["--yaml"], "status: there is no flag \"--yaml\"; usage: mountpoint-runc status [--json] [CONTAINER]"),
        (["a", "b"], "status: one container at most, and \"b\" is a second"), ([""], "status: the container's name or id is empty"),
    ])
    func badArgumentsAreOneLine(words: [String], message: String) {
        #expect(throws: RuntimeError(.badArguments, message)) { try StatusCommand(words) }
    }
}
