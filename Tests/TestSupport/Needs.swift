// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
public import Testing

/// What a test needs besides itself. It is skipped, with this reason, where the machine does not have it; where
/// `DOCKER_NFSD_TEST_REQUIRE` names the need (as `make test` and CI do) the test runs in any case, and fails.
public enum Need: String, Sendable {
    /// Mounting is for root.
    case root
    /// A Docker Engine (dockerd, containerd, runc) and busybox, from Debian's packages; root.
    case docker
    /// The same, and other runtimes (crun, podman with conmon), and a release build of mountpoint-runc; root.
    case runtime
    /// An image made by Scripts/machine, and a release build.
    case machine
    /// Prometheus and promtool, from Debian's package.
    case prometheus
    /// Podman, from Debian's package; root.
    case podman
    /// Virtual machines with Compose 2, which bookworm does not have.
    case compose
    /// Virtual machines with Docker 26 and Linux 6.4 or later, which bookworm does not have.
    case recentMachine = "recent-machine"

    var isThere: Bool {
        let files = FileManager.default
        switch self {
        case .root: return geteuid() == 0
        case .docker: return geteuid() == 0 && files.isExecutableFile(atPath: "/usr/sbin/dockerd") && Repository.releaseBinary != nil
        case .runtime:
            let programs = ["/usr/sbin/dockerd", "/usr/sbin/runc", "/usr/bin/crun", "/usr/bin/podman"]
            return geteuid() == 0 && programs.allSatisfy(files.isExecutableFile) && Repository.runtimeBinary != nil
        case .prometheus: return ["/usr/bin/prometheus", "/usr/bin/promtool"].allSatisfy(files.isExecutableFile)
        case .podman: return geteuid() == 0 && files.isExecutableFile(atPath: "/usr/bin/podman")
        case .compose, .recentMachine: return Repository.machineSuite != "bookworm"
        case .machine: return geteuid() == 0 && Repository.releaseBinary != nil && files.fileExists(atPath: Repository.machineCache)
        }
    }

    var isRequired: Bool {
        let list = ProcessInfo.processInfo.environment["DOCKER_NFSD_TEST_REQUIRE"] ?? ""
        return list.split(separator: ",").contains { $0 == rawValue }
    }

    var reason: Comment {
        switch self {
        case .root: "needs root, for mounting"
        case .docker: "needs root, dockerd, containerd, runc and busybox-static (Scripts/test-needs), and a release build (make)"
        case .runtime:
            "needs root, dockerd, containerd, runc, crun, podman and busybox-static (Scripts/test-needs), and mountpoint-runc (make)"
        case .podman: "needs root and podman (Scripts/test-needs)"
        case .prometheus: "needs prometheus and promtool (Scripts/test-needs)"
        case .recentMachine: "needs virtual machines with Docker 26 and Linux 6.4 or later (DOCKER_NFSD_MACHINE_SUITE)"
        case .compose: "needs virtual machines of a suite that has Compose 2 (DOCKER_NFSD_MACHINE_SUITE)"
        case .machine: "needs root, a virtual machine's image (Scripts/machine build), and a release build (make)"
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// States what a test needs.
    public static func needs(_ need: Need) -> Self { .enabled(if: need.isThere || need.isRequired, need.reason) }
}

/// Places in this repository.
public enum Repository {
    /// Its root folder.
    public static let root: String = {
        var folder = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { folder.deleteLastPathComponent() }
        return folder.path
    }()

    /// The program under test: `DOCKER_NFSD_TEST_BINARY`, or the release build.
    public static var releaseBinary: String? {
        let path = ProcessInfo.processInfo.environment["DOCKER_NFSD_TEST_BINARY"] ?? "\(root)/.build/release/docker-nfsd"
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }

    /// The runtime under test: `DOCKER_NFSD_TEST_RUNTIME`, or the static release build.
    public static var runtimeBinary: String? {
        let path = ProcessInfo.processInfo.environment["DOCKER_NFSD_TEST_RUNTIME"] ?? "\(root)/.build/static/release/mountpoint-runc"
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }

    /// Of Debian, that virtual machines have.
    static var machineSuite: String { ProcessInfo.processInfo.environment["DOCKER_NFSD_MACHINE_SUITE"] ?? "trixie" }

    static var machineCache: String {
        ProcessInfo.processInfo.environment["DOCKER_NFSD_MACHINE_CACHE"] ?? "\(root)/.machine"
    }
}
