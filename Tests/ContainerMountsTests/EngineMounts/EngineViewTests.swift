// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import OCIRuntime
import TestSupport
import Testing

@testable import ContainerMounts
@testable import DockerFiles

@Suite struct EngineViewTests {
    @Test func knowsWhatTheVFlagSaid() async throws {
        try await withScratchFolder { scratch in
            let docker = DockerFolder(scratch)
            let container = try docker.add("v-flags")
            let record = try container.find()
            #expect(record.engine == .docker)
            // In the order of config.json, and without hosts, hostname and resolv.conf.
            #expect(
                record.destinations
                    == ["/named", "/cached", "/nocopy", "/ro", "/combo", "/anon", "/opted", "/made", "/data", "/trail/slash"])
            #expect(record.mounts.map(\.configurationIndex) == Array(7...16))
            for mount in record.mounts {
                #expect(mount.mountPoint.container.labels == ["cl": "1", "img.label": "yes", "second": "2"])
                #expect(mount.mountPoint.image.labels == ["img.label": "yes", "second": "2"])
                #expect(mount.mountPoint.effectiveSource == container.configuration.mounts[mount.configurationIndex].source)
                #expect(mount.mountPoint.effectiveConsistency == .default)
                #expect(mount.mountPoint.appliedMiddleware.isEmpty)
            }
        }
    }

    @Test func knowsEachMountOfTheVFlag() async throws {
        try await withScratchFolder { scratch in
            let docker = DockerFolder(scratch)
            let record = try docker.add("v-flags").find()
            let labels = (
                container: ContainerDescription(labels: ["cl": "1", "img.label": "yes", "second": "2"], name: "c1"),
                image: MountPoint.Image(
                    labels: ["img.label": "yes", "second": "2"], name: "box",
                    id: "sha256:07e4a33340ff6671bb858c9961a53ceb2b67ab5b0867b53f4531fde4aeee6a22")
            )
            func bind(
                _ destination: String, readOnly: Bool = false, mode: String = "", propagation: String = "rprivate",
                consistency: Consistency = .default
            ) -> MountPoint {
                MountPoint(
                    type: .bind, source: "/srv/data", destination: destination, readOnly: readOnly, mode: mode,
                    propagation: .init(rawValue: propagation), createSourceIfMissing: true, consistency: consistency,
                    container: labels.container, image: labels.image)
            }
            #expect(record["/data"] == bind("/data"))
            #expect(record["/trail/slash"] == bind("/trail/slash"))
            #expect(record["/ro"] == bind("/ro", readOnly: true, mode: "ro"))
            #expect(record["/cached"] == bind("/cached", mode: "cached", consistency: .cached))
            #expect(record["/combo"] == bind("/combo", readOnly: true, mode: "ro,rshared,z", propagation: "rshared"))

            func volume(_ destination: String, readOnly: Bool = false, mode: String = "z", _ volume: MountPoint.Volume) -> MountPoint {
                MountPoint(
                    type: .volume, source: "\(docker.root)/volumes/\(volume.name)/_data", destination: destination, readOnly: readOnly,
                    mode: mode, consistency: .default, volume: volume, container: labels.container, image: labels.image)
            }
            let named = MountPoint.Volume(name: "named", driver: "local", labels: ["a": "b", "c": "d"], scope: .local)
            #expect(record["/named"] == volume("/named", named))
            #expect(record["/nocopy"] == volume("/nocopy", readOnly: true, mode: "nocopy,ro", named))
            #expect(
                record["/opted"]
                    == volume(
                        "/opted",
                        .init(
                            name: "opted", driver: "local", labels: ["v": "1"], scope: .local,
                            options: ["device": "tmpfs", "o": "size=1m", "type": "tmpfs"])))
            // Docker's record has no source of a volume without a name.
            #expect(
                record["/anon"]
                    == volume(
                        "/anon", mode: "",
                        .init(name: "d8dc9ba619a7e8447db374303aa7c1adda3ddf4da4c473b6a813826ff6312bee", driver: "local", scope: .local)))
        }
    }

    @Test func knowsWhatTheMountFlagSaid() async throws {
        try await withScratchFolder { scratch in
            let record = try DockerFolder(scratch).add("mount-flags").find()
            #expect(record.destinations == ["/v3", "/b1", "/b2", "/v1", "/v2", "/t2", "/t1"])
            #expect(record["/t1"]?.type == .tmpfs && record["/t1"]?.container.name == "c2")
            #expect(record["/b1"]?.readOnly == true)
            #expect(record["/b1"]?.createSourceIfMissing == false)
            #expect(record["/b2"]?.consistency == .delegated)
            #expect(record["/b2"]?.propagation == .init(rawValue: "rslave"))
            #expect(record["/v1"]?.readOnly == true)
            #expect(
                record["/v2"]?.volume
                    == .init(
                        name: "fresh", driver: "local", labels: ["x": "y"], driverOptions: ["device": "tmpfs", "type": "tmpfs"],
                        scope: .local, options: ["device": "tmpfs", "type": "tmpfs"]))
        }
    }

    /// With mounts of the user's over /etc/hosts and the like, and with Docker's init.
    @Test func tellsTheUsersMountsFromDockersOwn() async throws {
        try await withScratchFolder { scratch in
            let record = try DockerFolder(scratch).add("own-files-hidden").find()
            #expect(record.destinations == ["/x", "/etc/resolv.conf", "/etc/hostname", "/etc/hosts"])
            #expect(record["/etc/hosts"]?.source == "/srv/data/file")
        }
    }

    /// Its hosts file is that of another container.
    @Test func findsTheRecordOfOneThatHasAnothersNetwork() async throws {
        try await withScratchFolder { scratch in
            let record = try DockerFolder(scratch).add("joined-network").find()
            #expect(record.destinations == ["/x"])
        }
    }

    @Test func knowsAnotherDriversVolumes() async throws {
        try await withScratchFolder { scratch in
            let docker = DockerFolder(scratch)
            let container = try docker.add("volume-plugin")
            try docker.copyDatabase("metadata-of-plugin-volumes.db")
            var asked: [String] = []
            let record = try container.find { driver in
                asked.append(driver)
                return .global
            }
            #expect(asked == ["fakevol"])
            #expect(record.destinations == ["/pv2", "/pv", "/pv3"])
            #expect(
                record["/pv"]?.volume
                    == .init(name: "pv", driver: "fakevol", labels: ["team": "x"], scope: .global, options: ["path": "/b", "server": "a"]))
            #expect(
                record["/pv2"]?.volume
                    == .init(
                        name: "pv2", driver: "fakevol", labels: ["l": "m"], driverOptions: ["k": "v"], scope: .global, options: ["k": "v"]))
            #expect(record["/pv3"]?.source == "/srv/other")
            #expect(try container.find()["/pv"]?.volume.scope == .unspecified)
        }
    }

    @Test func tellsVolumeDriversApartByTheirBytes() async throws {
        try await withScratchFolder { scratch in
            let docker = DockerFolder(scratch)
            let container = try docker.add("volume-plugin") { text in
                guard let first = text.range(of: "fakevol") else { return text }
                return text.replacingCharacters(in: first, with: "\u{E9}").replacing("fakevol", with: "e\u{301}")
            }
            try docker.copyDatabase("metadata-of-plugin-volumes.db")
            var asked: [String] = []
            _ = try container.find { driver in
                asked.append(driver)
                return .global
            }
            #expect(asked.count == 2, "\(asked)")
        }
    }

    @Test func leavesOutWhatDockerLeftOut() async throws {
        try await withScratchFolder { scratch in
            let record = try DockerFolder(scratch).add("tmpfs-over-bind").find()
            #expect(record.destinations == ["/y"])
            #expect(record["/y"]?.type == .tmpfs && record["/y"]?.mode == "noexec,nosuid,nodev,rprivate")
            #expect(record["/y"]?.container.name == "dup2" && record["/y"]?.image.name == "box")
        }
    }

    @Test func keepsOddPathsAsTheyAre() async throws {
        try await withScratchFolder { scratch in
            let record = try DockerFolder(scratch).add("odd-paths").find()
            #expect(record.destinations == ["/slash", "/dots", "/sp ace é"])
            #expect(record.mounts.allSatisfy { $0.mountPoint.source == "/srv/data" })
        }
    }

    @Test(arguments: [
        ("\"Type\":\"volume\"", "\"Type\":\"cluster\"", MountPoint.MountType.volume),
        ("\"Type\":\"bind\"", "\"Type\":\"\"", .bind), ("\"Type\":\"volume\"", "\"Type\":null", .volume),
        ("\"Type\":\"bind\"", "\"Type\":\"of the future\"", .init(rawValue: "of the future")),
    ])
    func takesTypesOfOtherVersions(old: String, new: String, type: MountPoint.MountType) async throws {
        try await withScratchFolder { scratch in
            let record = try DockerFolder(scratch).add("v-flags") { $0.replacing(old, with: new) }.find()
            #expect(record.mounts.count == 10)
            #expect(record[type == .volume ? "/named" : "/data"]?.type == type)
        }
    }

    @Test func leavesMountsOfImagesAlone() async throws {
        try await withScratchFolder { scratch in
            let record = try DockerFolder(scratch).add("v-flags") { $0.replacing("\"Type\":\"bind\"", with: "\"Type\":\"image\"") }.find()
            #expect(record.destinations == ["/named", "/nocopy", "/anon", "/opted"])
        }
    }

    /// A record that has memory where config.json has a folder of the host is not of this configuration.
    @Test(arguments: ["tmpfs", "npipe"])
    func refusesABindWhereTheRecordHasNone(type: String) async throws {
        try await withScratchFolder { scratch in
            let container = try DockerFolder(scratch).add("v-flags") { $0.replacing("\"Type\":\"bind\"", with: "\"Type\":\"\(type)\"") }
            let error = #expect(throws: EngineFilesError.self) { try container.find() }
            #expect(error?.description.contains("that Docker's record of the container does not have") == true)
        }
    }

    @Test func readsNothingOfVolumesAndImagesForAContainerWithoutMounts() async throws {
        try await withScratchFolder { scratch in
            let docker = DockerFolder(scratch)
            let whole = try docker.add("tmpfs-over-bind")
            let text = String(decoding: whole.configuration.encoded(), as: UTF8.self).replacing(
                #""type":"tmpfs""#, with: #""type":"ramfs""#)
            let container = DockerFolder.Container(id: whole.id, configuration: try OCIConfiguration(parsing: Array(text.utf8)))
            try docker.write("damaged".utf8, to: "volumes/metadata.db")
            try docker.write("damaged".utf8, to: "image/overlay2/imagedb/content/sha256/\(DockerFolder.image)")
            #expect(try container.find().mounts.isEmpty)
        }
    }

    @Test func dockersPluginsAreNoContainers() throws {
        let configuration = try OCIConfiguration(
            parsing: Array(#"{"mounts":[{"destination":"/a","source":"/b","type":"bind"}]}"#.utf8))
        let record = try EngineView.find(
            container: try ContainerID("p"), configuration: configuration, bundle: "/run/b", runtimeRoot: "/run/runc/plugins.moby",
            dataRoots: [])
        #expect(record == EngineView(engine: .dockerPlugin, mounts: [], container: ContainerDescription()))
    }
}
