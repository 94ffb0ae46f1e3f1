// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import OCIRuntime
import Testing

@testable import ContainerMounts
@testable import DockerFiles

/// What each engine mounts for itself, and what only looks like it.
@Suite struct EngineMountsTests {
    private static let id = "5a985f83a9406120fc2e93e1deb23d84b8b5d39336cd5527eefa01fc80cb8fcf"
    private static let podmanBundle = "/var/lib/containers/storage/overlay-containers/\(id)/userdata"

    private func configuration(_ mounts: String, annotations: String = "") throws -> OCIConfiguration {
        try OCIConfiguration(parsing: Array(#"{"annotations":{\#(annotations)},"mounts":[\#(mounts)]}"#.utf8))
    }

    private func bind(_ destination: String, _ source: String) -> String {
        #"{"destination":"\#(destination)","type":"bind","source":"\#(source)","options":["rbind"]}"#
    }

    private func find(
        _ mounts: String..., annotations: String = "", bundle: String, root: String = "/run/runc", id: String = id
    ) throws -> EngineView {
        try EngineView.find(
            container: try ContainerID(id), configuration: try configuration(mounts.joined(separator: ","), annotations: annotations),
            bundle: bundle, runtimeRoot: root, dataRoots: ["/nonexistent"])
    }

    // MARK: Overlays and other types

    private let overlay = #"""
        {"destination":"/m","type":"overlay","source":"x/merge","options":["lowerdir=/srv/data","upperdir=\#(podmanBundle)/overlay/7/upper","workdir=\#(podmanBundle)/overlay/7/work","private"]}
        """#

    @Test func showsTheFolderBelowAnOverlayOfPodmans() throws {
        let record = try find(overlay, bundle: Self.podmanBundle)
        #expect(record.mounts.count == 1, "what podman keeps the changes in is its own")
        #expect(record.mounts.first?.layer == 0 && record.mounts.first?.configurationIndex == 0)
        #expect(
            record["/m"]
                == MountPoint(
                    type: .bind, source: "/srv/data", destination: "/m", readOnly: true, propagation: .init(rawValue: "private"),
                    consistency: .default))
    }

    @Test func showsEveryFolderOfAnOverlayOfAnybodyElses() throws {
        let record = try find(
            #"{"destination":"/m","type":"overlay","source":"overlay","options":["lowerdir=/a:/b","upperdir=/u","workdir=/w"]}"#,
            bundle: "/srv/bundle")
        #expect(record.mounts.map(\.mountPoint.source) == ["/a", "/b", "/u", "/w"])
        #expect(record.mounts.map(\.mountPoint.readOnly) == [true, true, false, false])
    }

    @Test func knowsAVolumeBelowAnOverlay() throws {
        let volume = #"{"destination":"/v","type":"overlay","options":["lowerdir=/var/lib/containers/storage/volumes/vol/_data"]}"#
        #expect(try find(volume, bundle: Self.podmanBundle)["/v"]?.volume.name == "vol")
    }

    @Test(arguments: [
        (#"{"destination":"/m","type":"ext4","source":"/dev/sdb1"}"#, #"is of the type "ext4""#),
        (#"{"destination":"/m","type":"nfs","source":"server:/export","options":["ro"]}"#, #"is of the type "nfs""#),
        (#"{"destination":"/m","type":"9p","source":"/srv"}"#, #"is of the type "9p""#),
        (#"{"destination":"/m","type":"fuse.bindfs","source":"/srv"}"#, #"is of the type "fuse.bindfs""#),
        (#"{"destination":"/m","type":"none","options":["remount","rw"]}"#, "changes a mount that is there (remount)"),
        (#"{"destination":"/m","type":"none","options":["remount","bind","rw"]}"#, "changes a mount that is there (remount)"),
        (#"{"destination":"/m","type":"overlay","options":["lowerdir+=/srv"]}"#, "of which it cannot be told which folders it names"),
        (#"{"destination":"/m","type":"overlay"}"#, "an overlay without lowerdir"),
        (#"{"destination":"/m","type":"bind","source":"a/../../b"}"#, "which runtimes look for in different folders"),
        (#"{"destination":"/m","type":"bind"}"#, "a bind mount without a source"),
        (#"{"destination":"/m","options":["bind"],"source":""}"#, "a bind mount without a source"),
    ])
    func refusesWhatItCannotTell(mount: String, words: String) throws {
        for (bundle, root) in [("/srv/bundle", "/run/runc"), (Self.podmanBundle, "/run/runc"), ("/b", "/run/docker/runtime-runc/moby")] {
            let error = #expect(throws: EngineFilesError.self) { try find(mount, bundle: bundle, root: root) }
            #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        }
    }

    // MARK: podman

    @Test func takesOnlyPodmansInitForPodmansInit() throws {
        func isInit(_ source: String, init: String = "TRUE", leadsTo resolved: String? = nil) throws -> Bool {
            let configuration = try configuration(
                bind("/run/podman-init", source), annotations: #""io.podman.annotations.init":"\#(`init`)""#)
            let sources = try HostSource.all(in: configuration, bundle: Self.podmanBundle)
            let mounts = try #require(
                PodmanMounts(try ContainerID(Self.id), configuration, sources, bundle: Self.podmanBundle) { resolved ?? $0 })
            return mounts.isOwn(sources[0])
        }
        #expect(try isInit("/usr/libexec/podman/catatonit"))
        #expect(try isInit("/usr/libexec/podman/catatonit", leadsTo: "/usr/bin/catatonit"))
        #expect(try !isInit("/usr/libexec/podman/catatonit", init: "FALSE"))
        #expect(try !isInit("/usr/libexec/podman/catatonit", leadsTo: "/srv/secret"))
        #expect(try !isInit("/usr/libexec/podman/catatonit", leadsTo: "/usr/bin/something"))
        // podman run --init-path, and what a link of a user's leads to
        for source in ["/usr/bin/busybox", "/usr/local/secret", "/usr/../srv/private", "/usr/libexec/podman/../podman/catatonit"] {
            #expect(try !isInit(source, leadsTo: "/usr/bin/catatonit"))
        }
    }

    @Test func knowsVolumesOnlyInPodmansStorage() throws {
        let record = try find(
            bind("/real", "/var/lib/containers/storage/volumes/v/_data"), bind("/fake", "/srv/volumes/v/_data"), bundle: Self.podmanBundle)
        #expect(record["/real"]?.type == .volume && record["/fake"]?.type == .bind)
    }

    @Test func takesAnnotationsForLabels() throws {
        let annotations = #""io.container.manager":"libpod","a":"b","odd":7"#
        let record = try find(bind("/a", "/srv"), annotations: annotations, bundle: Self.podmanBundle)
        #expect(record["/a"]?.container.labels == ["io.container.manager": "libpod", "a": "b"])
        #expect(try find(bind("/a", "/srv"), annotations: #""a":"b""#, bundle: "/b")["/a"]?.container.labels == ["a": "b"])
    }

    // MARK: buildah

    @Test func knowsBuildahsOwn() throws {
        let bundle = "/var/tmp/buildah3119103206"
        let record = try find(
            bind("/etc/hosts", "\(bundle)/hosts"), bind("/etc/hostname", "\(bundle)/hostname"),
            bind("/etc/resolv.conf", "\(bundle)/resolv.conf"), bind("/run/.containerenv", "\(bundle)/run/.containerenv"),
            bind("/m", "\(bundle)/mnt/buildah-bind-target-1"), bind("/h", "\(bundle)/hosts"), bind("/etc/passwd", "/etc/passwd"),
            bundle: bundle, id: "buildah-buildah3119103206")
        #expect(record.engine == .buildah)
        #expect(record.destinations == ["/m", "/h", "/etc/passwd"])
    }

    @Test(arguments: [("/var/tmp/buildah31", "buildah-buildah32"), ("/srv/bundle", "buildah-bundle"), ("/srv/buildah", "buildah-buildah")])
    func believesNoOtherBundle(bundle: String, id: String) throws {
        #expect(try find(bind("/etc/hosts", "\(bundle)/hosts"), bundle: bundle, id: id).destinations == ["/etc/hosts"])
    }

    // MARK: nerdctl

    @Test func knowsNerdctlsOwn() throws {
        for data in ["/var/lib/nerdctl/1935db59", "/home/u/.local/share/nerdctl/1935db59"] {
            let record = try find(
                bind("/etc/hosts", "\(data)/etchosts/default/\(Self.id)/hosts"),
                bind("/etc/resolv.conf", "\(data)/containers/default/\(Self.id)/resolv.conf"),
                bind("/etc/hostname", "\(data)/containers/default/\(Self.id)/hostname"), bind("/v", "\(data)/volumes/default/vol/_data"),
                bind("/x", "/srv"), bundle: "/run/containerd/io.containerd.runtime.v2.task/default/\(Self.id)",
                root: "/run/containerd/runc/default")
            #expect(record.engine == .nerdctl)
            #expect(record.destinations == ["/v", "/x"])
            #expect(record["/v"]?.type == .volume)
            #expect(record["/v"]?.volume == .init(name: "vol", driver: "local", scope: .local))
        }
    }

    @Test(arguments: [
        ("/etc/hosts", "/var/lib/nerdctl/1935db59/etchosts/default/other/hosts"),
        ("/etc/hosts", "/var/lib/nerdctl/1935db59/etchosts/else/\(id)/hosts"),
        ("/srv/hosts", "/var/lib/nerdctl/1935db59/etchosts/default/\(id)/hosts"),
        ("/etc/hosts", "/srv/nerdctl/1935db59/etchosts/default/\(id)/hosts"),
        ("/etc/hosts", "/var/lib/nerdctl/1935DB59/etchosts/default/\(id)/hosts"),
        ("/etc/hosts", "/var/lib/nerdctl/1935db59/etchosts/default/\(id)/hosts/../../../../../../../../srv"),
        ("/etc/resolv.conf", "/var/lib/nerdctl/1935db59/containers/default/\(id)/hostname"),
        ("/v", "/srv/volumes/default/vol/_data"),
    ])
    func isNotDeceivedByUsersOfNerdctl(destination: String, source: String) throws {
        let record = try find(bind(destination, source), bundle: "/b", root: "/run/containerd/runc/default")
        #expect(record[destination]?.type == .bind)
    }

    // MARK: Kubernetes

    private static let pods = "/var/lib/kubelet/pods/0b1f6a52-uid"

    @Test(arguments: [
        (podmanBundle, "/run/runc", #""io.container.manager":"cri-o","io.kubernetes.pod.uid":"0b1f6a52-uid""#),
        (
            "/run/containerd/io.containerd.runtime.v2.task/k8s.io/\(id)", "/run/containerd/runc/k8s.io",
            #""io.kubernetes.cri.sandbox-id":"s1","io.kubernetes.cri.sandbox-uid":"0b1f6a52-uid","io.kubernetes.cri.sandbox-namespace":"prod""#
        ),
    ])
    func knowsWhatKubeletMounts(bundle: String, root: String, annotations: String) throws {
        let token = "/var/run/secrets/kubernetes.io/serviceaccount"
        let record = try find(
            bind("/etc/hosts", "\(Self.pods)/etc-hosts"), bind("/dev/termination-log", "\(Self.pods)/containers/web/1a2b3c4d"),
            bind(token, "\(Self.pods)/volumes/kubernetes.io~projected/kube-api-access-x7"),
            bind("/data", "\(Self.pods)/volumes/kubernetes.io~csi/pvc-1/mount"), bind("/sub", "\(Self.pods)/volume-subpaths/cfg/web/0"),
            bind("/host", "/srv"), bind("/hosts2", "\(Self.pods)/etc-hosts"), bind("/other", "/var/lib/kubelet/pods/else/etc-hosts"),
            annotations: annotations, bundle: bundle, root: root)
        #expect(record.destinations == [token, "/data", "/sub", "/host", "/hosts2", "/other"])
        #expect(record[token]?.type == .volume)
        #expect(record[token]?.volume == .init(name: "kube-api-access-x7", driver: "kubernetes.io/projected", scope: .local))
        #expect(record["/data"]?.volume.name == "pvc-1" && record["/sub"]?.volume.name == "cfg")
        #expect(record["/host"]?.type == .bind)
        #expect(record["/host"]?.container.labels.isEmpty == false)
    }

    /// `podman run --annotation`: only CRI-O's own annotation says that it is CRI-O.
    @Test func believesNoPodOfAUserOfPodman() throws {
        let record = try find(
            bind("/etc/hosts", "\(Self.pods)/etc-hosts"),
            annotations: #""io.container.manager":"libpod","io.kubernetes.pod.uid":"0b1f6a52-uid""#,
            bundle: Self.podmanBundle)
        #expect(record.destinations == ["/etc/hosts"])
    }

    // MARK: Bytes

    /// `é` as one character or as two are two folders.
    @Test func tellsStoragesApartByTheirBytes() throws {
        let base = String(repeating: "0", count: 64)
        let own = "/srv/\u{E9}/overlay-containers/\(Self.id)/userdata"
        func other(_ folder: String) -> String { "/srv/\(folder)/overlay-containers/\(base)/userdata/hosts" }
        #expect(try find(bind("/etc/hosts", other("\u{E9}")), bundle: own).destinations.isEmpty)
        #expect(try find(bind("/etc/hosts", other("e\u{301}")), bundle: own).destinations == ["/etc/hosts"])
        #expect(try find(bind("/v", "/srv/e\u{301}/volumes/v/_data"), bundle: own)["/v"]?.type == .bind)
    }
}
