// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import JSON

extension RuntimeHost {
    /// The same where users of containers are others than on the host: root is 300000 there.
    static func withRemappedUsers(_ body: (RuntimeHost) async throws -> Void) async throws {
        let prepare: @Sendable (PrivateHost) async throws -> Void = { host in
            let script = """
                echo 'mapped:x:4711:4711::/:/bin/false' >> /etc/passwd; echo 'mapped:x:4711:' >> /etc/group
                echo 'mapped:300000:65536' >> /etc/subuid; echo 'mapped:300000:65536' >> /etc/subgid
                """
            _ = try await host.run(["sh", "-ec", script])
        }
        try await with(extraSettings: ["userns-remap": "mapped"], prepare: prepare, body)
    }
}
