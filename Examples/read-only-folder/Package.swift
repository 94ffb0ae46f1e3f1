// swift-tools-version: 6.2
// SPDX-License-Identifier: AGPL-3.0-or-later

import PackageDescription

// Elsewhere, the first dependency is `.package(url:from:)` with the address of docker-nfsd's repository.
let package = Package(
    name: "read-only-folder",
    dependencies: [
        .package(name: "docker-nfsd", path: "../.."),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    ],
    targets: [
        .executableTarget(
            name: "read-only-folder",
            dependencies: [
                .product(name: "DockerPluginAPI", package: "docker-nfsd"), .product(name: "PluginServer", package: "docker-nfsd"),
                .product(name: "Logging", package: "swift-log"), .product(name: "SystemPackage", package: "swift-system"),
            ])
    ]
)
