// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON

/// What an engine says of a container, as far as it decides whether the container is to be started again.
struct EngineContainer: Sendable, Equatable {
    var id: String
    /// Without the slash that Docker puts before it.
    var name: String
    /// `created` for one that has never run, `exited` for one that has and does not now, or another.
    var state: String
    /// Docker keeps why the last start failed until the next one succeeds. Of one that ended by itself, or was stopped, there is nothing.
    var hasFailedToStart: Bool
    var restartPolicy: String
    /// How often a container that fails may be started again; 0 for any number of times.
    var restartLimit: Int
    var restartCount: Int
    /// Swarm replaces its tasks by itself.
    var isOfSwarm: Bool
    /// Name and driver of each.
    var volumes: [Volume]

    struct Volume: Sendable, Equatable {
        var name: String
        var driver: String
    }

    /// Whether its last start failed, and its restart policy says that it is to run.
    ///
    /// Docker makes the same decision when it starts. One that was stopped by somebody is started by Docker then if its policy is
    /// `always`; if that has failed, it is no more one that was stopped.
    var waitsForItsStart: Bool {
        guard state == "exited", hasFailedToStart, !isOfSwarm else { return false }
        switch restartPolicy {
        case "always", "unless-stopped": return true
        case "on-failure": return restartLimit == 0 || restartCount < restartLimit
        default: return false
        }
    }
}

extension EngineContainer {
    private static let swarmLabels = ["com.docker.swarm.task", "com.docker.swarm.task.id", "com.docker.swarm.service.id"]

    /// Reads the answer of `GET /containers/ID/json`.
    init(parsing bytes: [UInt8]) throws(JSONShapeError) {
        let object = try JSONObjectReader(parsing: bytes)
        id = try object.requiredText("Id")
        let name = try object.text("Name")
        self.name = name.utf8.first == UInt8(ascii: "/") ? String(name.dropFirst()) : name
        restartCount = try object.number("RestartCount")
        let state = try object.object("State")
        self.state = try state.text("Status")
        hasFailedToStart = try !state.text("Error").isEmpty
        let policy = try object.object("HostConfig").object("RestartPolicy")
        restartPolicy = try policy.text("Name")
        restartLimit = try policy.number("MaximumRetryCount")
        let labels = try object.object("Config").object("Labels")
        isOfSwarm = Self.swarmLabels.contains(where: labels.has)
        volumes = try object.list("Mounts") { mount throws(JSONShapeError) in
            try mount.text("Type") == "volume" ? Volume(name: mount.text("Name"), driver: mount.text("Driver")) : nil
        }.compactMap(\.self)
    }
}
