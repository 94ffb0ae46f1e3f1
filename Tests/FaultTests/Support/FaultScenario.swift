// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Testing

/// A request that is made while something goes wrong.
struct FaultScenario: Sendable, CustomTestStringConvertible {
    let name: String
    /// Makes what the request needs.
    var setup: [PluginRequest] = []
    let request: PluginRequest
    let before: World
    let after: World
    /// Folders of the export that are made with a file in each.
    var data: [String] = []
    /// Of the share's catalogue; such a volume names no server.
    var isShared = false

    var testDescription: String { name }

    private static let own = ["server": "nas", "path": "/export"]
    private static func own(_ removal: String) -> [String: String] {
        own.merging(["subdir": "data/v", "create": "true", "onremove": removal]) { $1 }
    }

    /// A volume with a server, and nothing else.
    static let plain = [
        FaultScenario(name: "create", request: .create("v", own), before: [:], after: ["v": [:]]),
        FaultScenario(name: "mount", setup: [.create("v", own)], request: .mount("v", "1"), before: ["v": [:]], after: ["v": ["1": 1]]),
        FaultScenario(
            name: "unmount", setup: [.create("v", own), .mount("v", "1")], request: .unmount("v", "1"), before: ["v": ["1": 1]],
            after: ["v": [:]]),
        FaultScenario(name: "remove", setup: [.create("v", own)], request: .remove("v"), before: ["v": [:]], after: [:]),
    ]

    static let others = [
        FaultScenario(
            name: "mount for a second container", setup: [.create("v", own), .mount("v", "1")], request: .mount("v", "2"),
            before: ["v": ["1": 1]], after: ["v": ["1": 1, "2": 1]]),
        FaultScenario(
            name: "unmount of one of two containers", setup: [.create("v", own), .mount("v", "1"), .mount("v", "2")],
            request: .unmount("v", "1"), before: ["v": ["1": 1, "2": 1]], after: ["v": ["2": 1]]),
        FaultScenario(
            name: "mount of a directory to be made", setup: [.create("v", own("retain"))], request: .mount("v", "1"), before: ["v": [:]],
            after: ["v": ["1": 1]]),
        FaultScenario(
            name: "archiving removal", setup: [.create("v", own("archive"))], request: .remove("v"), before: ["v": [:]], after: [:],
            data: ["data/v", "data/w"]),
        FaultScenario(
            name: "deleting removal", setup: [.create("v", own("delete"))], request: .remove("v"), before: ["v": [:]], after: [:],
            data: ["data/v", "data/w"]),
    ]

    static let shared = [
        FaultScenario(name: "shared create", request: .create("v"), before: [:], after: ["v": [:]], isShared: true),
        FaultScenario(name: "shared remove", setup: [.create("v")], request: .remove("v"), before: ["v": [:]], after: [:], isShared: true),
        FaultScenario(
            name: "shared mount with a mark", setup: [.create("v", ["onremove": "delete"])], request: .mount("v", "1"),
            before: ["v": [:]], after: ["v": ["1": 1]], isShared: true),
        FaultScenario(
            name: "shared unmount with a mark", setup: [.create("v", ["onremove": "delete"]), .mount("v", "1")],
            request: .unmount("v", "1"), before: ["v": ["1": 1]], after: ["v": [:]], isShared: true),
        FaultScenario(
            name: "shared deleting removal", setup: [.create("v", ["onremove": "delete"])], request: .remove("v"), before: ["v": [:]],
            after: [:], data: ["v", "w"], isShared: true),
    ]

    static let all = plain + others + shared

}
