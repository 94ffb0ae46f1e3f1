// swift-tools-version: 6.2
// SPDX-License-Identifier: AGPL-3.0-or-later

import PackageDescription

// A package of its own without dependencies: it builds in seconds, and a slow dependency of the daemon's is never measured
// with a client that has it too.
let package = Package(
    name: "benchmarks",
    products: [
        .executable(name: "bench", targets: ["bench"]),
        .executable(name: "runtime", targets: ["runtime"]),
        .executable(name: "plugins", targets: ["plugins"]),
    ],
    targets: [
        // What all programs need: processes, isolation, statistics and the table.
        .target(name: "Measuring"),
        .executableTarget(name: "bench", dependencies: ["Measuring"]),
        .executableTarget(name: "runtime", dependencies: ["Measuring"]),
        .executableTarget(name: "plugins", dependencies: ["Measuring"]),
    ],
    swiftLanguageModes: [.v6]
)

for target in package.targets {
    target.swiftSettings = [
        .treatAllWarnings(as: .error),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ]
}
