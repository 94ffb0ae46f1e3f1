// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import TestSupport
import Testing

/// mountpoint-runc under a real engine and above real runtimes, with plugins that the tests serve. All share one dockerd; each test
/// begins and ends without a container.
@Suite(.serialized, .needs(.runtime), .timeLimit(.minutes(3)), .runtimeHost(Dockerd.Settings(hasNetwork: true)))
enum SharedEngineTests {}

/// The same, where each test has a dockerd of its own. They mostly wait, so they run beside the others.
@Suite(.serialized, .needs(.runtime), .timeLimit(.minutes(3)))
enum OwnEngineTests {}
