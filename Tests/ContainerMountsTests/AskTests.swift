// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import JSON
import LinuxSystem
import MountPointChain
import PluginClient
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import ContainerMounts

struct AskTests {
    private func ask(
        _ words: [String], _ plugins: [String], _ places: RuntimePlaces, dataRoots: [String] = [],
        isInterrupted: @escaping () -> Bool = { false }
    ) throws -> AskedAnswer {
        var settings = RuntimeSettings()
        settings.plugins = plugins
        return try AskCommand(words).answer(
            settings: settings, loader: PluginLoader(places: places, timeout: 10), log: RuntimeLog(), dataRoots: dataRoots,
            isInterrupted: isInterrupted)
    }

    private func withPlaces(_ body: (RuntimePlaces, _ folder: String) async throws -> Void) async throws {
        try await withScratchFolder { scratch in try await body(try RuntimePlaces.scratch(scratch.string), scratch.string) }
    }

    @Test func aPluginIsAskedAndDetachedAndNothingIsKept() async throws {
        try await withPlaces { places, folder in
            let plugin = try AnsweringPlugin("first", in: folder + "/plugins")
            defer { plugin.end() }
            let answer = try ask(["-v", "\(folder):/y:ro", "--label", "a=b", "--image-label=c=d"], ["first"], places)
            #expect(answer.status == 0)
            #expect(plugin.methods == ["Activate", "MountPointProperties", "MountPointAttach", "MountPointDetach"])
            let request = try #require(plugin.body(of: "MountPointAttach"))
            #expect(request["ID"]?.stringValue == answer.id)
            #expect(answer.id.utf8.count == 64)
            #expect(plugin.body(of: "MountPointDetach")?["ID"]?.stringValue == answer.id)
            let mount = try #require(request["Mounts"]?.arrayValue?.first)
            #expect(mount["Source"]?.stringValue == folder)
            #expect(mount["Destination"] == "/y")
            #expect(mount["ReadOnly"] == true)
            #expect(mount["Mode"] == "ro")
            #expect(mount["Type"] == "bind")
            #expect(mount["CreateSourceIfMissing"] == true)
            #expect(mount["Container"]?["Labels"] == ["a": "b"])
            #expect(mount["Image"]?["Labels"] == ["c": "d"])
            #expect(!FileManager.default.fileExists(atPath: places.state + "/containers"))
            #expect(answer.text.contains("  was asked about /y, by pattern 1: {}\n"))
            #expect(answer.text.contains("\n  detach    {\"Success\":true}\n"))
        }
    }

    @Test func theContainerItselfIsShownToWhomItsLabelsSpeak() async throws {
        try await withPlaces { places, folder in
            let plugin = try AnsweringPlugin(
                "first", in: folder + "/plugins",
                [
                    "MountPointProperties": { _ in ["Success": true, "Patterns": [[:]], "Types": ["container"]] },
                    "MountPointAttach": { _ in ["Success": true] },
                ])
            defer { plugin.end() }
            let answer = try ask(["--label", "mountpoint.first=/x"], ["first"], places)
            #expect(answer.status == 0 && answer.mounts?.isEmpty == true)
            #expect(answer.text.contains("  was asked about the container itself, by pattern 1: {}\n"))
            let mount = try #require(plugin.body(of: "MountPointAttach")?["Mounts"]?.arrayValue?.first)
            #expect(mount["Type"] == "container" && mount["Source"] == "" && mount["Destination"] == "")
            #expect(mount["Container"]?["Labels"] == ["mountpoint.first": "/x"])
        }
    }

    @Test func whoAsksByOriginIsAskedByWhereALinkLeads() async throws {
        try await withPlaces { places, folder in
            for name in ["guarded", "other"] {
                try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
            }
            symlink("\(folder)/guarded", "\(folder)/link")
            let plugin = try AnsweringPlugin(
                "guard", in: folder + "/plugins",
                [
                    "MountPointProperties": { _ in
                        ["Success": true, "Patterns": [["Origin": [["PathPrefix": .string(folder + "/guarded")]]]]]
                    }
                ])
            defer { plugin.end() }
            _ = try ask(["-v", "\(folder)/other:/y", "-v", "\(folder)/link:/z"], ["guard"], places)
            let mounts = try #require(plugin.body(of: "MountPointAttach")?["Mounts"]?.arrayValue)
            #expect(mounts.map { $0["Destination"] } == ["/z"])
            #expect(mounts.first?["Origin"]?.arrayValue?.first?.stringValue == folder + "/guarded")
        }
    }

    @Test func whatTheMountWouldBeIsShown() async throws {
        try await withPlaces { places, folder in
            let plugin = try AnsweringPlugin(
                "first", in: folder + "/plugins",
                [
                    "MountPointAttach": { _ in
                        ["Success": true, "Attachments": [["Attach": true, "Changes": ["EffectiveSource": .string(folder)]]]]
                    }
                ])
            defer { plugin.end() }
            let answer = try ask(["-v", "/:/y"], ["first"], places)
            #expect(
                answer.json["mounts"] == [
                    ["destination": "/y", "source": "/", "effectiveSource": .string(folder), "plugins": ["plugin:first"]]
                ])
            #expect(answer.text.hasSuffix("mount /y\n  source    /\n  is        \(folder), by plugin:first\n"))
        }
    }

    @Test func aDenialNamesThePluginAndThoseBeforeItAreUndoneInReverse() async throws {
        try await withPlaces { places, folder in
            let order = Mutex<[String]>([])
            func noting(_ name: String) throws -> AnsweringPlugin {
                try AnsweringPlugin(
                    name, in: folder + "/plugins",
                    [
                        "MountPointDetach": { _ in
                            order.withLock { $0.append(name) }
                            return ["Success": true]
                        }
                    ])
            }
            let first = try noting("first")
            let second = try noting("second")
            let third = try AnsweringPlugin(
                "third", in: folder + "/plugins", ["MountPointAttach": { _ in ["Success": false, "Err": "it is private"] }])
            defer { for plugin in [first, second, third] { plugin.end() } }
            let answer = try ask(["-v", "/:/y"], ["first", "second", "third"], places)
            #expect(answer.status == 1)
            #expect(answer.denial == RuntimeError(.pluginDenied, "middleware plugin:third failed with error: it is private"))
            #expect(answer.json["denial"] == "middleware plugin:third failed with error: it is private")
            #expect(answer.json["denialCode"] == "plugin-denied")
            #expect(order.withLock { $0 } == ["second", "first"])
            #expect(third.methods.last == "MountPointAttach", "one that has refused has nothing to detach")
            #expect(answer.json["mounts"] == .null)
            #expect(answer.json["plugins"]?.arrayValue?.last?["error"] == "it is private")
        }
    }

    @Test func aPluginWhoseAnswerIsLostIsAskedToDetach() async throws {
        try await withPlaces { places, folder in
            let plugin = try AnsweringPlugin("first", in: folder + "/plugins", ["MountPointAttach": { _ in nil }])
            defer { plugin.end() }
            let answer = try ask(["-v", "/:/y"], ["first"], places)
            #expect(answer.status == 1)
            #expect(answer.denial?.code == .pluginUnclear)
            #expect(plugin.methods.suffix(2) == ["MountPointAttach", "MountPointDetach"])
        }
    }

    @Test func aSourceThatIsNotThereIsAnAnswerThatCannotBeUsed() async throws {
        try await withPlaces { places, folder in
            let plugin = try AnsweringPlugin(
                "first", in: folder + "/plugins",
                [
                    "MountPointAttach": { _ in
                        ["Success": true, "Attachments": [["Attach": true, "Changes": ["EffectiveSource": "/nonexistent"]]]]
                    }
                ])
            defer { plugin.end() }
            let denial = try #require(try ask(["--mount", "type=bind,src=/,dst=/y"], ["first"], places).denial)
            #expect(denial.code == .pluginInvalid)
            let source = (denial.cause as? ChainError)?.cause as? SourceError
            #expect(source?.isMissing == true && (source?.cause as? SystemError)?.errno == .noSuchFileOrDirectory)
            #expect(plugin.methods.last == "MountPointDetach")
        }
    }

    @Test func afterAnInterruptionNobodyElseIsAskedAndAllIsUndone() async throws {
        try await withPlaces { places, folder in
            let isInterrupted = Mutex(false)
            let first = try AnsweringPlugin(
                "first", in: folder + "/plugins",
                [
                    "MountPointAttach": { _ in
                        isInterrupted.withLock { $0 = true }
                        return ["Success": true, "Attachments": [["Attach": true]]]
                    }
                ])
            let second = try AnsweringPlugin("second", in: folder + "/plugins")
            defer { for plugin in [first, second] { plugin.end() } }
            let answer = try ask(["-v", "/:/y"], ["first", "second"], places) { isInterrupted.withLock { $0 } }
            #expect(answer.status == 1)
            #expect(answer.denial?.message.contains("interrupted") == true)
            #expect(first.methods.last == "MountPointDetach")
            #expect(!second.methods.contains("MountPointAttach"))
        }
    }

    @Test func aDetachThatFailsIsAFailure() async throws {
        try await withPlaces { places, folder in
            let plugin = try AnsweringPlugin(
                "first", in: folder + "/plugins",
                ["MountPointDetach": { _ in ["Success": false, "Recoverable": true, "Err": "still busy"] }])
            defer { plugin.end() }
            let answer = try ask(["-v", "/:/y"], ["first"], places)
            #expect(answer.status == 1)
            #expect(answer.failures == ["plugin:first did not detach: still busy"])
        }
    }

    @Test func aDryRunSaysWhoWouldBeAskedAndAsksNobody() async throws {
        try await withPlaces { places, folder in
            let patterns: JSONValue = [["Destination": [["Exactly": "/x"]]], ["Source": [["PathPrefix": "/usr"]]]]
            let plugin = try AnsweringPlugin(
                "first", in: folder + "/plugins", ["MountPointProperties": { _ in ["Success": true, "Patterns": patterns] }])
            let other = try AnsweringPlugin(
                "other", in: folder + "/plugins", ["MountPointProperties": { _ in ["Success": true, "Patterns": []] }])
            defer { for plugin in [plugin, other] { plugin.end() } }
            let answer = try ask(["--dry-run", "-v", "/usr/bin:/y", "-v", "/etc:/z"], ["first", "other"], places)
            #expect(plugin.methods == ["Activate", "MountPointProperties"])
            let first = try #require(answer.json["plugins"]?.arrayValue?.first)
            #expect(first["matches"] == [["destination": "/y", "number": 2, "pattern": ["Source": [["PathPrefix": "/usr"]]]]])
            #expect(first["request"]?["Mounts"]?.arrayValue?.count == 1)
            #expect(answer.text.contains("  would be asked about /y, by pattern 2: {\"Source\":[{\"PathPrefix\":\"/usr\"}]}\n"))
            #expect(answer.text.contains("plugin other\n  not asked: no mount matches any of its 0 patterns\n"))
        }
    }

    @Test func aPluginThatIsAwayIsAnErrorAsForAContainer() async throws {
        try await withPlaces { places, _ in
            let error = #expect(throws: RuntimeError.self) { try ask(["-v", "/:/y"], ["first"], places) }
            #expect(error?.message.hasPrefix("middleware plugin:first failed with error: ") == true)
            #expect(error?.code == .pluginUnreachable)
            let call = ((error?.cause as? ChainError)?.cause as? ChainedPluginError)?.cause as? PluginClientError
            #expect(call?.isAbsence == true, "each layer keeps the error below it")
        }
    }

    @Test func aVolumeHasWhatDockerKnowsOfIt() async throws {
        try await withScratchFolder { scratch in
            let places = try RuntimePlaces.scratch(scratch.string)
            let plugin = try AnsweringPlugin("first", in: scratch.string + "/plugins")
            defer { plugin.end() }
            let docker = DockerFolder(scratch)
            try docker.copyDatabase()
            let answer = try ask(
                ["-v", "v1:/y", "--mount", "src=v2,dst=/z,volume-driver=other,volume-opt=a=b"], ["first"], places, dataRoots: [docker.root])
            let mounts = try #require(plugin.body(of: "MountPointAttach")?["Mounts"]?.arrayValue)
            #expect(mounts[0]["Source"]?.stringValue == docker.root + "/volumes/v1/_data")
            #expect(mounts[0]["Volume"]?["Name"] == "v1")
            #expect(mounts[0]["Volume"]?["Scope"] == "local")
            #expect(mounts[1]["Volume"]?["Driver"] == "other")
            #expect(mounts[1]["Volume"]?["DriverOptions"] == ["a": "b"])
            #expect(answer.notes.count == 1, "\(answer.notes)")
        }
    }

    @Test(arguments: [
        ([], "ask: no mount is given; say -v SOURCE:PATH, and --help for more"),
        (["--frobnicate"], "ask: \"--frobnicate\" is not known; mountpoint-runc ask --help says what is"),
        (["-v"], "ask: -v needs a value"), (["-v", "/a:"], "ask: -v \"/a:\" must be SOURCE:PATH or SOURCE:PATH:MODE"),
        (["-v", "/a:b"], "ask: \"b\" is no absolute path in a container"),
        (["--mount", "type=tmpfs,dst=/t"], "ask: --mount takes type=bind and type=volume; plugins are asked about no \"tmpfs\""),
        (["--mount", "type=bind,dst=/t"], "ask: the bind mount at /t has no source"),
        (["--mount", "type=bind,colour=red"], "ask: --mount has \"colour\", which is not known here"),
    ])
    func badArgumentsAreOneLine(words: [String], message: String) {
        #expect(throws: RuntimeError(.badArguments, message)) { try AskCommand(words) }
    }

    @Test func mountsAreReadAsDockerReadsThem() throws {
        let asked = try AskedMounts([
            "-v", "/srv/x:/y/:ro,rslave,cached", "--mount=type=bind,source=/a,target=/b,readonly", "-v", "data:/d",
        ])
        #expect(asked.mounts[0].isReadOnly)
        #expect(asked.mounts[0].propagation == "rslave")
        #expect(asked.mounts[0].consistency == "cached")
        #expect(asked.mounts[0].destination == "/y")
        #expect(asked.mounts[1].isReadOnly && !asked.mounts[1].isVolume && !asked.mounts[1].createsSource)
        #expect(asked.mounts[1].propagation == "rprivate")
        #expect(asked.mounts[2].isVolume && asked.mounts[2].source == "data")
    }
}
