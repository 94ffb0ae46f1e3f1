// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import Testing

@testable import DockerVolumes

struct EngineContainerTests {
    /// What Docker 20.10 says of a container whose volume could not be mounted, shortened.
    private static let text = """
        {"Id": "0f3c", "Created": "2024-01-01T00:00:00Z", "Path": "sleep", "State": {"Status": "exited", "Running": false, "Paused": false,
        "Restarting": false, "OOMKilled": false, "Dead": false, "Pid": 0, "ExitCode": 137, "Error": "error while mounting volume '/x': no",
        "StartedAt": "2024-01-01T00:00:01Z", "FinishedAt": "2024-01-01T00:00:02Z"}, "Name": "/web", "RestartCount": 2,
        "HostConfig": {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 5}},
        "Mounts": [{"Type": "bind", "Source": "/etc", "Destination": "/e"},
        {"Type": "volume", "Name": "v", "Source": "", "Destination": "/d", "Driver": "nfsd", "Mode": "z", "RW": true, "Propagation": ""}],
        "Config": {"Hostname": "h", "Labels": {"a": "b"}}}
        """

    @Test func readsWhatDockerSays() throws {
        let container = try EngineContainer(parsing: Array(Self.text.utf8))
        #expect(
            container
                == EngineContainer(
                    id: "0f3c", name: "web", state: "exited", hasFailedToStart: true, restartPolicy: "on-failure", restartLimit: 5,
                    restartCount: 2, isOfSwarm: false, volumes: [.init(name: "v", driver: "nfsd")]))
        #expect(container.waitsForItsStart)
    }

    @Test(arguments: [
        ("\"Status\": \"exited\"", "\"Status\": 1"), ("\"Id\": \"0f3c\"", "\"Id\": \"\""),
        ("\"RestartCount\": 2", "\"RestartCount\": 1e99"),
        ("\"MaximumRetryCount\": 5", "\"MaximumRetryCount\": 99999999999999999999"), ("[{\"Type\"", "[7, {\"Type\""),
    ])
    func whatMakesNoSenseIsAnError(part: String, other: String) {
        #expect(throws: JSONShapeError.self) { try EngineContainer(parsing: Array(Self.text.replacing(part, with: other).utf8)) }
    }

    @Test func whatIsMissingStartsNothing() throws {
        #expect(try !EngineContainer(parsing: Array(#"{"Id": "1"}"#.utf8)).waitsForItsStart)
    }

    @Test func aFilterIsEncodedByItsBytes() {
        #expect(EngineAPI.percentEncoded(Array("{\"a-b\":[\"é/\u{1}\"]}".utf8)) == "%7B%22a-b%22%3A%5B%22%C3%A9%2F%01%22%5D%7D")
    }
}
