// swift-tools-version: 6.2
// SPDX-License-Identifier: AGPL-3.0-or-later

import PackageDescription

// A package of its own without dependencies: it builds in seconds, and a slow dependency of the daemon's is never measured
// with a client that has it too.
let package = Package(
    name: "benchmarks",
    products: [.executable(name: "bench", targets: ["bench"])],
    targets: [
        .executableTarget(
            name: "bench",
            swiftSettings: [
                .treatAllWarnings(as: .error),
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
            ]
        )
    ],
    swiftLanguageModes: [.v6]
)
