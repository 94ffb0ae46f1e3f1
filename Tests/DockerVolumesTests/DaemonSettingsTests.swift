// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import Logging
import KernelMount
import NFS
import SystemPackage
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

struct DaemonSettingsTests {
    private func settings(
        _ file: String? = nil, environment: [String: String] = [:], flags: [String: String] = [:], isRequired: Bool = false,
        _ check: (DaemonSettings) -> Void
    ) async throws {
        try await withFixture { fixture in
            let path = fixture.folder.appending("settings.json")
            if let file { try replaceFile(path, with: Array(file.utf8)) }
            check(try DaemonSettings(file: path, fileIsRequired: isRequired, environment: environment, flags: flags))
        }
    }

    /// The error's text, with `FILE` for the file's path.
    private func refusal(
        _ file: String? = nil, environment: [String: String] = [:], flags: [String: String] = [:], isRequired: Bool = false
    ) async throws -> String {
        var text = ""
        try await withFixture { fixture in
            let path = fixture.folder.appending("settings.json")
            if let file { try replaceFile(path, with: Array(file.utf8)) }
            let error = #expect(throws: StorageError.self) {
                try DaemonSettings(file: path, fileIsRequired: isRequired, environment: environment, flags: flags)
            }
            text = try #require(error).description.replacing(path.string, with: "FILE")
        }
        #expect(!text.contains("\n"))
        return text
    }

    @Test func aMissingFileIsFineUnlessItWasNamed() async throws {
        try await settings { #expect($0.mountDirectory == DaemonSettings().mountDirectory) }
        #expect(try await refusal(isRequired: true) == "settings file: open FILE: No such file or directory (ENOENT)")
    }

    @Test func eachLayerBeatsTheOneBelow() async throws {
        let file = #"{"state-directory": "/file", "nfsvers": "3", "probe-deadline": 7, "log-level": "error"}"#
        let environment = ["DOCKER_NFSD_STATE_DIRECTORY": "/environment", "DOCKER_NFSD_NFSVERS": "4.2", "UNRELATED": "x"]
        try await settings(file, environment: environment, flags: ["state-directory": "/flag"]) { settings in
            #expect(settings.volumes.stateDirectory == "/flag")
            #expect(settings.nfs.versions == VersionPolicy("4.2"))
            #expect(settings.nfs.limits.probe == .seconds(7))
            #expect(settings.logLevel == .error)
            #expect(settings.volumes.runtimeDirectory == "/run/docker-nfsd")
        }
    }

    /// Each key changes what it is called after.
    @Test func everySettingHasItsEffect() async throws {
        let file = """
            {
              "state-directory": "/a/./state/", "runtime-directory": "/a/x/../run", "mount-directory": "/a/mnt", "socket-directory": "/a/sockets",
              "docker-directory": "/a/docker", "options": "hard,timeo=50", "nfsvers": "auto", "mount-deadline": 11, "probe-deadline": "2",
              "resolve-deadline": 3, "unmount-deadline": 4, "remove-deadline": 5, "mount-method": "mount", "log-level": "debug",
              "engine-socket": "/a/docker.sock", "retry": 45, "share": "nas:/export", "share-refresh": 20,
              "metrics": "127.0.0.1:9323", "restart-failed": "on"
            }
            """
        try await settings(file) { settings in
            let volumes = settings.volumes
            #expect(volumes.stateDirectory == "/a/state")
            #expect(volumes.patience == .always(.seconds(45)))
            #expect(volumes.runtimeDirectory == "/a/run")
            #expect(settings.mountDirectory == "/a/mnt")
            #expect(settings.socketDirectory == "/a/sockets")
            #expect(settings.engine.dataRoot == "/a/docker")
            #expect(settings.nfs.mountOptions == "hard,timeo=50")
            #expect(settings.nfs.versions == .auto)
            #expect(
                [volumes.limits.mount, settings.nfs.limits.probe, settings.nfs.limits.resolution, volumes.limits.unmount, volumes.removal]
                    == [11, 2, 3, 4, 5].map { .seconds($0) })
            #expect(volumes.mountMethod == .mount)
            #expect(settings.engine.apiSocket == "/a/docker.sock" && settings.engine.restartsFailedContainers)
            #expect(volumes.share?.text == "nas:/export" && settings.catalogue.refresh == .seconds(20))
            #expect(settings.logLevel == .debug && settings.metrics != nil)
        }
        // The file above has them all.
        for setting in DaemonSettings.all { #expect(file.contains("\"\(setting.key)\"")) }
        #expect(Set(DaemonSettings.all.map(\.variable)).count == DaemonSettings.all.count)
    }

    /// The kernel shows mounts by their real paths, and they are looked for there.
    @Test func foldersForMountsAreResolved() async throws {
        try await withFixture { fixture in
            let real = resolvingSymbolicLinks(fixture.folder)
            try makeFolders(fixture.folder.appending("real"))
            try #require(symlink("real", fixture.folder.appending("link").string) == 0)
            let link = fixture.folder.appending("link").string
            let settings = try DaemonSettings(
                file: "/nowhere", environment: [:], flags: ["mount-directory": link, "runtime-directory": "\(link)/new"])
            #expect(settings.mountDirectory == real.appending("real"))
            #expect(settings.volumes.runtimeDirectory == real.appending("real/new"))
        }
    }

    @Test(arguments: [
        ("state-directory", "relative", "not an absolute path"), ("mount-directory", "", "not an absolute path"),
        ("socket-directory", "/a\u{1}", "not an absolute path"),
        ("options", "harrd", "did you mean hard?"), ("options", "vers=3", "give the version as nfsvers"),
        ("options", "addr=nas", "a server cannot be a default"),
        ("options", "ro,rw", "contradict"), ("nfsvers", "5", "4.2, 4.1, 4.0, 3 or auto"),
        ("mount-deadline", "0", "not a number of seconds from 1 to 110"),
        ("mount-deadline", "111", "not a number of seconds from 1 to 110"), ("probe-deadline", "x", "not a number of seconds from 1 to 60"),
        ("resolve-deadline", "-1", "not a number of seconds"), ("unmount-deadline", "21", "from 1 to 20"),
        ("remove-deadline", "1.5", "from 1 to 55"),
        ("retry", "91", "from 1 to 90"), ("retry", "0", "neither boot nor off nor a number of seconds"), ("retry", "on", "neither boot"),
        ("restart-failed", "true", "neither on nor off"),
        ("mount-method", "fuse", "not one of automatic, fsopen, mount"),
        ("log-level", "trace", "not one of debug, info, notice, warning, error"),
        ("log-level", "critical", "not one of"), ("log-level", "loud", "not one of"),
    ])
    func aWrongValueNamesItsPlace(key: String, value: String, word: String) async throws {
        let setting = try #require(DaemonSettings.all.first { $0.key == key })
        let inFile = try await refusal("{\n\n \"\(key)\": \"\(value == "/a\u{1}" ? "/a\\u0001" : value)\"}")
        #expect(inFile.hasPrefix("FILE:3: \(key)=\(value): "))
        #expect(inFile.contains(word))
        #expect(try await refusal(environment: [setting.variable: value]).hasPrefix("\(setting.variable)=\(value): "))
        #expect(try await refusal(flags: [key: value]).hasPrefix("--\(key)=\(value): "))
    }

    @Test(arguments: [
        ("{\n\"state-directry\": \"/x\"}", "FILE:2: state-directry: unknown setting; did you mean state-directory?"),
        ("{\n\n\"optionss\": 1}", "FILE:3: optionss: unknown setting; did you mean options?"),
        ("{\"xyzzyxyzzyxyzzy\": 1}", "FILE:1: xyzzyxyzzyxyzzy: unknown setting; docker-nfsd serve --help lists them"),
        ("{\"nfsvers\": true}", "FILE:1: nfsvers: must be a text or a number, not a boolean"),
        ("{\"nfsvers\": null}", "must be a text or a number, not null"),
        ("[]", "FILE:1: the file must hold one JSON object"),
    ])
    func aWrongFileNamesTheLine(file: String, text: String) async throws {
        #expect(try await refusal(file).contains(text))
    }

    @Test(arguments: [("", 1), ("{\n\"nfsvers\": \n\"3\",}", 3), ("{\n\n\n", 4)]) func whatIsNoJSONNamesTheLine(file: String, line: Int)
        async throws
    {
        #expect(try await refusal(file).hasPrefix("FILE:\(line): "))
    }

    @Test func containersCannotBeStartedAgainByNobody() async throws {
        let text = try await refusal(#"{"restart-failed": "on", "engine-socket": "none"}"#)
        #expect(text == "restart-failed is on, but engine-socket is none: give the socket of Docker's API")
        try await settings(#"{"engine-socket": "none"}"#) { #expect(!$0.engine.restartsFailedContainers) }
    }

    @Test func anUnreadableFileIsAnErrorEvenIfItWasNotNamed() async throws {
        try await withFixture { fixture in
            let error = #expect(throws: StorageError.self) { try DaemonSettings(file: fixture.folder, environment: [:]) }
            #expect(error?.description.contains("EISDIR") == true)
        }
    }

    /// Whatever the order in which they are given.
    @Test func theKindHasTheSettingsOfNFS() async throws {
        try await settings(#"{"share": "nas:/export", "options": "hard", "nfsvers": "3"}"#) { settings in
            #expect((settings.volumes.kind as? NFS)?.settings == settings.nfs)
            #expect(settings.nfs.mountOptions == "hard" && settings.nfs.versions == VersionPolicy("3"))
        }
    }
}
