// swift-tools-version: 6.2
// SPDX-License-Identifier: AGPL-3.0-or-later

import PackageDescription

// Targets stand in the order of ARCHITECTURE.md: a target imports only from targets above it.
// The build of `make debug` refuses an `import` that is not declared here, and Scripts/check-imports one against the layers.
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

// Set by `make test-address` and `make test-thread`: a sanitizer's runtime cannot be linked into a static program.
let isSanitized = Context.environment["DOCKER_NFSD_SANITIZED"] != nil

// Whose inputs are fuzzed.
let fuzzed: [Target.Dependency] = [
    "LinuxSystem", "KernelMount", "NFS", "JSON", "DockerPluginAPI", "OCIRuntime", "DockerFiles", "PluginClient", "MountPointChain",
    "Volumes",
    "SharedCatalogue", "ContainerMounts", systemPackage,
]

let package = Package(
    name: "docker-nfsd",
    products: [
        .executable(name: "docker-nfsd", targets: ["docker-nfsd"]),
        .executable(name: "mountpoint-runc", targets: ["mountpoint-runc"]),
        .executable(name: "mountpoint-plugin", targets: ["mountpoint-plugin"]),
        // For plugins that others write in Swift.
        .library(name: "DockerPluginAPI", targets: ["DockerPluginAPI", "JSON"]),
        .library(name: "PluginServer", targets: ["PluginServer"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ],
    targets: [
        // What the kernel offers.
        .target(name: "CLinux", path: "Sources/System/CLinux"),
        .target(
            name: "LinuxSystem",
            dependencies: ["CLinux", systemPackage],
            path: "Sources/System/LinuxSystem"
        ),
        .target(
            name: "KernelMount",
            dependencies: ["LinuxSystem", systemPackage],
            path: "Sources/System/KernelMount"
        ),

        // How a file system is mounted.
        .target(name: "NFS", dependencies: ["LinuxSystem", "KernelMount", systemPackage], path: "Sources/FileSystems/NFS"),
        .target(name: "StandIn", dependencies: ["LinuxSystem", "KernelMount", "NFS", systemPackage], path: "Sources/FileSystems/StandIn"),

        // What the parties say to one another.
        .target(name: "JSON", path: "Sources/Protocols/JSON"),
        .target(name: "LexicalPaths", path: "Sources/Protocols/LexicalPaths"),
        .target(name: "DockerPluginAPI", dependencies: ["JSON"], path: "Sources/Protocols/DockerPluginAPI"),
        .target(name: "OCIRuntime", dependencies: ["JSON", "LexicalPaths"], path: "Sources/Protocols/OCIRuntime"),
        .target(
            name: "PrometheusMetrics",
            dependencies: [.product(name: "CoreMetrics", package: "swift-metrics")],
            path: "Sources/Protocols/PrometheusMetrics"
        ),

        // What engines leave on disk.
        .target(
            name: "DockerFiles",
            dependencies: ["LinuxSystem", "JSON", "LexicalPaths", "DockerPluginAPI", systemPackage],
            path: "Sources/Engines/DockerFiles"
        ),

        // How plugins are served and called.
        .target(
            name: "PluginServer",
            dependencies: [
                "LinuxSystem", "JSON", "DockerPluginAPI",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                systemPackage,
            ],
            path: "Sources/PluginSystem/PluginServer"
        ),

        .target(
            name: "PluginClient",
            dependencies: ["LinuxSystem", "JSON", "DockerPluginAPI", systemPackage],
            path: "Sources/PluginSystem/PluginClient"
        ),
        .target(
            name: "MountPointChain",
            dependencies: ["JSON", "LexicalPaths", "DockerPluginAPI"],
            path: "Sources/PluginSystem/MountPointChain"
        ),

        // What each program does.
        .target(
            name: "Volumes",
            dependencies: ["LinuxSystem", "KernelMount", "JSON", .product(name: "Logging", package: "swift-log"), systemPackage],
            path: "Sources/Features/Volumes"
        ),
        .target(
            name: "SharedCatalogue",
            dependencies: [
                "LinuxSystem", "KernelMount", "JSON", "Volumes", .product(name: "Logging", package: "swift-log"), systemPackage,
            ],
            path: "Sources/Features/SharedCatalogue"
        ),
        .target(
            name: "DockerVolumes",
            dependencies: [
                "LinuxSystem", "KernelMount", "NFS", "JSON", "DockerPluginAPI", "PrometheusMetrics", "DockerFiles", "PluginClient",
                "Volumes", "SharedCatalogue",
                .product(name: "Logging", package: "swift-log"), .product(name: "CoreMetrics", package: "swift-metrics"),
                systemPackage,
            ],
            path: "Sources/Features/DockerVolumes"
        ),

        .target(
            name: "ContainerMounts",
            dependencies: [
                "LinuxSystem", "JSON", "LexicalPaths", "DockerPluginAPI", "OCIRuntime", "DockerFiles", "PluginClient", "MountPointChain",
                systemPackage,
            ],
            path: "Sources/Features/ContainerMounts"
        ),

        .target(
            name: "MountPointPlugins",
            dependencies: [
                "LinuxSystem", "KernelMount", "JSON", "LexicalPaths", "DockerPluginAPI", "DockerFiles",
                .product(name: "Logging", package: "swift-log"), systemPackage,
            ],
            path: "Sources/Features/MountPointPlugins"
        ),

        .target(
            name: "PluginVerification",
            dependencies: ["LinuxSystem", "JSON", "DockerPluginAPI", "PluginClient", "MountPointChain", systemPackage],
            path: "Sources/Features/PluginVerification"
        ),

        // The programs: parse, build, run.
        .executableTarget(
            name: "docker-nfsd",
            dependencies: [
                "LinuxSystem", "KernelMount", "NFS", "StandIn", "PluginServer", "Volumes", "DockerVolumes",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                systemPackage,
            ],
            path: "Sources/Programs/docker-nfsd"
        ),
        .executableTarget(name: "mountpoint-runc", dependencies: ["ContainerMounts"], path: "Sources/Programs/mountpoint-runc"),
        .executableTarget(
            name: "mountpoint-plugin",
            dependencies: [
                "LinuxSystem", "DockerPluginAPI", "PluginServer", "MountPointPlugins", "PluginVerification",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                systemPackage,
            ],
            path: "Sources/Programs/mountpoint-plugin"
        ),

        // Tests, by what they need: nothing, root and Docker on this machine, a virtual machine.
        .target(
            name: "TestSupport", dependencies: ["LinuxSystem", systemPackage, .product(name: "Logging", package: "swift-log")],
            path: "Tests/TestSupport"),
        .testTarget(name: "LinuxSystemTests", dependencies: ["LinuxSystem", "TestSupport", systemPackage], path: "Tests/LinuxSystemTests"),
        .testTarget(
            name: "KernelMountTests", dependencies: ["KernelMount", "NFS", "StandIn", "LinuxSystem", "TestSupport", systemPackage],
            path: "Tests/KernelMountTests"
        ),
        .testTarget(
            name: "NFSTests",
            dependencies: [
                "NFS", "KernelMount", "StandIn", "Volumes", "LinuxSystem", "TestSupport", systemPackage,
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/NFSTests"
        ),
        .testTarget(name: "JSONTests", dependencies: ["JSON"], path: "Tests/JSONTests"),
        .testTarget(name: "LexicalPathsTests", dependencies: ["LexicalPaths"], path: "Tests/LexicalPathsTests"),
        .testTarget(
            name: "DockerPluginAPITests", dependencies: ["DockerPluginAPI", "JSON", "TestSupport"], path: "Tests/DockerPluginAPITests"),
        .testTarget(name: "OCIRuntimeTests", dependencies: ["OCIRuntime", "JSON"], path: "Tests/OCIRuntimeTests"),
        .testTarget(
            name: "PrometheusMetricsTests",
            dependencies: ["PrometheusMetrics", "TestSupport", .product(name: "CoreMetrics", package: "swift-metrics")],
            path: "Tests/PrometheusMetricsTests"
        ),
        .testTarget(
            name: "PluginClientTests",
            dependencies: ["PluginClient", "DockerPluginAPI", "JSON", "LinuxSystem", "TestSupport", systemPackage],
            path: "Tests/PluginClientTests"
        ),
        .testTarget(
            name: "MountPointChainTests", dependencies: ["MountPointChain", "DockerPluginAPI", "JSON"], path: "Tests/MountPointChainTests"),
        .testTarget(
            name: "ContainerMountsTests",
            dependencies: [
                "ContainerMounts", "DockerFiles", "OCIRuntime", "PluginClient", "MountPointChain", "DockerPluginAPI", "JSON", "LinuxSystem",
                "TestSupport",
                "DockerSupport", "scratch-runtime", systemPackage,
            ],
            path: "Tests/ContainerMountsTests"
        ),
        .testTarget(
            name: "MountPointPluginsTests",
            dependencies: [
                "MountPointPlugins", "DockerPluginAPI", "JSON", "LinuxSystem", "TestSupport", systemPackage, "mountpoint-plugin",
                "fault-injector",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/MountPointPluginsTests"
        ),
        .testTarget(
            name: "PluginVerificationTests",
            dependencies: ["PluginVerification", "DockerPluginAPI", "JSON", "LinuxSystem", "TestSupport", systemPackage],
            path: "Tests/PluginVerificationTests", exclude: ["faulty-plugin.py"]
        ),
        .testTarget(
            name: "PluginServerTests",
            dependencies: [
                "PluginServer", "DockerPluginAPI", "JSON", "LinuxSystem", "TestSupport", systemPackage,
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/PluginServerTests"
        ),
        .testTarget(
            name: "VolumesTests",
            dependencies: [
                "Volumes", "KernelMount", "JSON", "LinuxSystem", "TestSupport", systemPackage,
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/VolumesTests"
        ),
        .testTarget(
            name: "DockerVolumesTests",
            dependencies: [
                "DockerVolumes", "SharedCatalogue", "Volumes", "KernelMount", "NFS", "StandIn", "DockerPluginAPI", "PrometheusMetrics",
                "JSON", "LinuxSystem", "TestSupport", "DockerSupport", systemPackage, .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/DockerVolumesTests"
        ),
        .testTarget(
            name: "DocumentTests",
            dependencies: [
                "LinuxSystem", "KernelMount", "NFS", "Volumes", "DockerVolumes", "ContainerMounts", "OCIRuntime", "PrometheusMetrics",
                "MountPointPlugins", "DockerPluginAPI", "TestSupport", "docker-nfsd", "mountpoint-runc", "mountpoint-plugin", systemPackage,
            ],
            path: "Tests/DocumentTests"
        ),
        .testTarget(
            name: "FuzzingTests", dependencies: fuzzed + ["TestSupport"], path: "Tests/FuzzingTests", exclude: ["Program", "Corpus"]),
        .target(name: "DockerSupport", dependencies: ["TestSupport", "DockerFiles", "JSON", "LinuxSystem"], path: "Tests/DockerSupport"),
        .testTarget(
            name: "DockerFilesTests", dependencies: ["DockerFiles", "DockerSupport", "JSON", "LinuxSystem", "TestSupport", systemPackage],
            path: "Tests/DockerFilesTests"
        ),
        .testTarget(name: "DockerTests", dependencies: ["DockerSupport", "TestSupport", "JSON"], path: "Tests/DockerTests"),
        .executableTarget(name: "scratch-runtime", dependencies: ["ContainerMounts"], path: "Tests/ScratchRuntime"),
        .executableTarget(name: "plugin-relay", path: "Tests/PluginRelay"),
        .executableTarget(
            name: "read-only-folder",
            dependencies: ["DockerPluginAPI", "PluginServer", .product(name: "Logging", package: "swift-log"), systemPackage],
            path: "Examples/read-only-folder/Sources/read-only-folder"
        ),
        .testTarget(
            name: "RuntimeTests",
            dependencies: ["DockerSupport", "TestSupport", "JSON", "plugin-relay", "read-only-folder", "mountpoint-plugin"],
            path: "Tests/RuntimeTests"
        ),
        // It runs in virtual machines, too, where no library of Swift's is.
        .executableTarget(
            name: "fault-injector", path: "Tests/FaultInjector",
            linkerSettings: isSanitized ? [] : [.unsafeFlags(["-static-executable"])]),
        .testTarget(
            name: "FaultTests",
            dependencies: [
                "DockerSupport", "TestSupport", "HistoryChecker", "VolumeWorkload", "JSON", "docker-nfsd", "mountpoint-plugin",
                "fault-injector",
                "guest-client",
            ],
            path: "Tests/FaultTests"
        ),
        .target(name: "HistoryChecker", dependencies: ["JSON"], path: "Tests/HistoryChecker"),
        .testTarget(name: "HistoryCheckerTests", dependencies: ["HistoryChecker"], path: "Tests/HistoryCheckerTests"),
        .executableTarget(name: "recheck", dependencies: ["HistoryChecker"], path: "Tests/Recheck"),
        // What clients ask of daemons, on this machine and in a virtual one.
        .target(
            name: "VolumeWorkload", dependencies: ["DockerSupport", "TestSupport", "HistoryChecker", "JSON"], path: "Tests/VolumeWorkload"),
        .executableTarget(
            name: "guest-client", dependencies: ["VolumeWorkload", "DockerSupport", "TestSupport", "HistoryChecker"],
            path: "Tests/GuestClient"),
        .testTarget(
            name: "MachineTests", dependencies: ["TestSupport", "JSON", "HistoryChecker", "fault-injector", "guest-client"],
            path: "Tests/MachineTests"),
        .testTarget(name: "SwarmTests", dependencies: ["TestSupport"], path: "Tests/SwarmTests"),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu11
)

for target in package.targets where target.name != "CLinux" {
    target.swiftSettings = [
        .treatAllWarnings(as: .error),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ]
}

// The path of libFuzzer's runtime. Only Scripts/fuzz sets it: everything is then instrumented, and so built in a folder of its own.
if let fuzzer = Context.environment["DOCKER_NFSD_FUZZER"] {
    for target in package.targets where target.name != "CLinux" {
        target.swiftSettings?.append(.unsafeFlags(["-sanitize=fuzzer", "-enable-testing"]))
    }
    // The program has the tests' sources.
    package.targets.removeAll { $0.type == .test }
    package.targets.append(
        .executableTarget(
            name: "fuzz", dependencies: fuzzed, path: "Tests/FuzzingTests", exclude: ["Corpus", "CorpusTests.swift"],
            sources: ["Inputs", "Program"],
            swiftSettings: [.unsafeFlags(["-sanitize=fuzzer"]), .enableUpcomingFeature("MemberImportVisibility")],
            linkerSettings: [.unsafeFlags(["-Xlinker", fuzzer, "-lstdc++"])]
        ))
}
