// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import TestSupport
import Testing

/// mountpoint-runc under real engines and above real runtimes, with plugins that the tests serve.
@Suite(.serialized, .needs(.runtime), .timeLimit(.minutes(3)))
enum RuntimeTests {
    /// All that share one dockerd. Each test begins and ends with no container.
    @Suite(.serialized, .runtimeHost(Dockerd.Settings(hasNetwork: true)))
    enum WithDocker {}
}
