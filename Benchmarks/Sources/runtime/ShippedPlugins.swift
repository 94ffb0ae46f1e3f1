// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

/// The plugins that ship, each with settings by which nothing of these containers is its business.
struct ShippedPlugins {
    /// The chain, in the order of Docs/plugins/README.md.
    let names: [String]
    private let processes: [Process]

    private static let settings = [
        "policy": #"{"nested-mounts": "allow", "rules": [{"action": "deny", "source": ["/srv/secret"]}]}"#,
        "translate": #"{"paths": [{"prefix": "/no-such", "to": "/srv"}]}"#,
    ]
    private static let order = ["translate", "policy", "ownership", "copy-on-write", "noswap"]
    private static let count = 5

    /// Starts them and returns when they listen.
    ///
    /// - Parameter program: mountpoint-plugin.
    init(_ program: String, in folder: String) throws {
        let listed = try run(program, ["list"]).split(separator: "\n").compactMap { $0.split(separator: " ").first.map(String.init) }
        var instances = Self.order.filter(listed.contains).map { (kind: $0, name: $0) }
        // Until there are as many kinds.
        while instances.count < Self.count { instances.append(("noswap", "noswap-\(instances.count)")) }
        try run("mkdir", ["-p", "/etc/docker/mountpoint-plugin"])
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(null) }
        names = instances.map(\.name)
        processes = try instances.map { kind, name in
            try writeFile("/etc/docker/mountpoint-plugin/\(name).json", Self.settings[kind] ?? "{}")
            return try Process(
                program, [kind, "--instance", name], environment: ["MOUNTPOINT_PLUGIN_STATE_DIRECTORY": folder + "/plugins"], output: null,
                errors: null)
        }
        for name in names {
            for _ in 0..<5000 where access("/run/docker/plugins/\(name).sock", F_OK) != 0 { usleep(1000) }
        }
    }

    func stop() throws { for process in processes { try process.stop() } }
}
