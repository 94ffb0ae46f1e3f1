// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Foundation
import OCIRuntime
import SystemPackage
import TestSupport
import Testing

@testable import ContainerMounts
@testable import DockerFiles

/// Bundles as podman 4.3, and containerd for Kubernetes, lay them out.
@Suite struct EngineHeuristicsTests {
    private static let id = "5a985f83a9406120fc2e93e1deb23d84b8b5d39336cd5527eefa01fc80cb8fcf"
    private static let base = "56ad4f3c3dc9114de60cc41f295fc777b01b9311493a1361fa2dd88fcd4db6c0"
    private static let podmanBundle = "/var/lib/containers/storage/overlay-containers/\(id)/userdata"

    private func find(
        _ mounts: [(destination: String, source: String, options: String)], bundle: String, annotations: String = "", root: String = "",
        runtimeRoot: String = "/run/runc"
    ) throws -> EngineView {
        let list = mounts.map { mount in
            let options = mount.options.split(separator: " ").map { "\"\($0)\"" }.joined(separator: ",")
            return #"{"destination":"\#(mount.destination)","type":"bind","source":"\#(mount.source)","options":[\#(options)]}"#
        }
        let text = #"{"root":{"path":"\#(root)"},"annotations":{\#(annotations)},"mounts":[\#(list.joined(separator: ","))]}"#
        return try EngineView.find(
            container: try ContainerID(Self.id), configuration: try OCIConfiguration(parsing: Array(text.utf8)), bundle: bundle,
            runtimeRoot: runtimeRoot, dataRoots: ["/nonexistent"])
    }

    private func isInterposed(
        _ destination: String, _ source: String, bundle: String, annotations: String = "", runtimeRoot: String = "/run/runc"
    ) throws -> Bool {
        // podman always has this one, out of its folder below /run.
        let mounts = [
            ("/run/.containerenv", "/run/containers/storage/overlay-containers/\(Self.id)/userdata/.containerenv", "bind"),
            (destination, source, "bind"),
        ]
        return try find(mounts, bundle: bundle, annotations: annotations, runtimeRoot: runtimeRoot).destinations.contains(destination)
    }

    @Test func interposesEveryBindMountOfAnUnknownEngine() throws {
        let record = try find(
            [
                ("/a", "/srv/a", "rbind ro rslave"), ("data/", "relative/./x", "bind"), ("/etc/hosts", "/srv/hosts", "rw ro rro bind"),
                ("/vol", "/var/lib/containers/storage/volumes/v/_data", "rbind"), ("/b", "/srv/b", "ro rw bind shared private"),
            ], bundle: "/srv/bundle")
        #expect(record.engine == .other)
        #expect(record.mounts.map(\.configurationIndex) == Array(0...4))
        #expect(
            record["/a"]
                == MountPoint(
                    type: .bind, source: "/srv/a", destination: "/a", readOnly: true, propagation: .init(rawValue: "rslave"),
                    consistency: .default))
        #expect(record["/data"]?.source == "/srv/bundle/relative/x")
        #expect(record["/etc/hosts"]?.readOnly == true)
        #expect(record["/b"]?.readOnly == false)
        #expect(record["/b"]?.propagation == .init(rawValue: "private"))
        #expect(record["/vol"]?.type == .bind)
    }

    @Test func knowsPodmansVolumes() throws {
        let record = try find(
            [
                ("/vol", "/var/lib/containers/storage/volumes/vol/_data", "rw rprivate nosuid nodev rbind"),
                ("/data", "/srv/data", "ro rslave rbind"),
            ], bundle: Self.podmanBundle, annotations: #""io.container.manager":"libpod""#)
        #expect(record.engine == .podman)
        #expect(record["/vol"]?.type == .volume)
        #expect(record["/vol"]?.volume == .init(name: "vol", driver: "local", scope: .local))
        #expect(record["/vol"]?.propagation == .init(rawValue: "rprivate"))
        #expect(record["/data"]?.type == .bind)
        #expect(record["/data"]?.readOnly == true)
    }

    @Test(arguments: [
        ("/etc/hosts", "/run/containers/storage/overlay-containers/\(id)/userdata/hosts"),
        ("/dev/shm", "/var/lib/containers/storage/overlay-containers/\(id)/userdata/shm"),
        ("/run/secrets/x", "/var/lib/containers/storage/overlay-containers/\(id)/userdata/secrets/x"),
        ("/here", "/var/lib/containers/storage/overlay-containers/\(id)/userdata/secrets/x"),
        // Of the container whose network it has joined.
        ("/etc/hosts", "/run/containers/storage/overlay-containers/\(base)/userdata/hosts"),
        ("/dev/shm", "/var/lib/containers/storage/overlay-containers/\(base)/userdata/shm"),
    ])
    func leavesPodmansOwnMountsAlone(destination: String, source: String) throws {
        #expect(try !isInterposed(destination, source, bundle: Self.podmanBundle))
        #expect(try isInterposed(destination, source, bundle: "/srv/bundle"))
    }

    @Test(arguments: [
        ("/etc/hosts", "/srv/hosts"),
        ("/data", "/run/containers/storage/overlay-containers/\(base)/userdata/hosts"),
        ("/dev/shm", "/srv/overlay-containers/\(base)/userdata/shm"),
        ("/dev/shm", "/run/containers/storage/overlay-containers/\(base)/userdata/../../../../../../srv"),
        ("/etc/hosts", "/srv/vfs-containers/\(id)/userdata/hosts"),
        ("/run/podman-init", "/srv/init"),
        ("/etc/hosts", "/run/containers/storage/overlay-containers/\(base)/userdata/../../../../../../srv/hosts"),
        ("/a", "/srv/x/../overlay-containers/\(id)/userdata/x"),
    ])
    func isNotDeceivedByUsersOfPodman(destination: String, source: String) throws {
        #expect(try isInterposed(destination, source, bundle: Self.podmanBundle))
    }

    /// podman runs any folder as a container's root file system.
    @Test func believesNoRecordBesideAFolderOfAUsersOfPodman() async throws {
        try await withScratchFolder { scratch in
            let docker = DockerFolder(scratch)
            try docker.write(#"{"ID":"\#(Self.id)"}"#.utf8, to: "containers/\(Self.id)/config.v2.json")
            let record = try find([("/a", "/srv", "bind")], bundle: Self.podmanBundle, root: "\(docker.root)/rootfs")
            #expect(record.engine == .podman)
            #expect(record.destinations == ["/a"])
        }
    }

    @Test(arguments: [
        ("/etc/hosts", "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/s1/hosts", false),
        ("/dev/shm", "/run/containerd/io.containerd.grpc.v1.cri/sandboxes/s1/shm", false),
        ("/cache", "/var/lib/containerd/io.containerd.grpc.v1.cri/containers/\(id)/volumes/v", false),
        ("/data", "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/s1/hosts", true),
        ("/etc/hosts", "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/s2/hosts", true),
        ("/cache", "/var/lib/containerd/io.containerd.grpc.v1.cri/containers/\(base)/volumes/v", true),
        ("/etc/hosts", "/var/lib/kubelet/pods/p/etc-hosts", true), ("/dev/shm", "/srv/sandboxes/s1/shm", true),
        ("/x", "/var/lib/containerd/io.containerd.grpc.v1.cri", true),
    ])
    func tellsKubernetesMountsFromContainerds(destination: String, source: String, expected: Bool) throws {
        let bundle = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/\(Self.id)"
        #expect(
            try isInterposed(
                destination, source, bundle: bundle, annotations: #""io.kubernetes.cri.sandbox-id":"s1""#,
                runtimeRoot: "/run/containerd/runc/k8s.io") == expected)
    }

    /// Anybody may give a container annotations: `docker run --annotation`.
    @Test func believesNoAnnotationOfKubernetesElsewhere() async throws {
        let annotations = #""io.kubernetes.cri.sandbox-id":"s1""#
        let source = "/tmp/io.containerd.a.cri/sandboxes/s1"
        #expect(try isInterposed("/run/secrets", source, bundle: "/srv/bundle", annotations: annotations))
        #expect(throws: EngineFilesError.self, "Docker's record is wanted all the same") {
            try find(
                [("/run/secrets", source, "bind")], bundle: "/b", annotations: annotations, runtimeRoot: "/run/docker/runtime-runc/moby")
        }
    }
}
