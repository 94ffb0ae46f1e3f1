// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Glibc
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    /// Each case is run under runc alone, with a plugin that attaches, and with a plugin that has nothing to do; what it gives
    /// must be the same.
    @Suite("As if it were not there")
    struct Transparency {
        @Test("What a container's process finds", arguments: TransparencyCase.surroundings)
        func surroundings(_ transparency: TransparencyCase) async throws { try await transparency.compare() }

        @Test("How containers are started, and how they end", arguments: TransparencyCase.lives)
        func lives(_ transparency: TransparencyCase) async throws { try await transparency.compare() }

        @Test("What is done to a container that runs", arguments: TransparencyCase.commands)
        func commands(_ transparency: TransparencyCase) async throws { try await transparency.compare() }

        @Test("Networks", arguments: TransparencyCase.networks)
        func networks(_ transparency: TransparencyCase) async throws { try await transparency.compare() }

        @Test("Above crun", arguments: TransparencyCase.lives.prefix(4) + TransparencyCase.commands.prefix(4))
        func crun(_ transparency: TransparencyCase) async throws {
            try await transparency.compare(below: "crun", above: "mountpoint-crun")
        }
    }
}

extension TransparencyCase {
    static let surroundings: [TransparencyCase] = [
        TransparencyCase("descriptors, environment, limits, identity") { subject in
            let script = """
                ls /proc/$$/fd; for n in 0 1 2; do readlink /proc/$$/fd/$n | sed 's/[0-9]//g'; done; env | sort; cat /proc/self/limits; id; umask
                cat /proc/self/oom_score_adj; grep -E 'Cap|NoNew|Seccomp|Sig[BIC]' /proc/self/status; ps -o comm; pwd; cat /a/who
                """
            return [subject.clean(try await subject.run("--env", "A=b", "--user", "1000:1000", script: script).description)]
        },
        TransparencyCase("mounts") { subject in
            let script = "cut -d' ' -f4- /proc/self/mountinfo | sed -E 's/(master|shared):[0-9]+//; s/lowerdir=.*//' | sort"
            return [
                subject.clean(
                    try await subject.run("--mount", "type=bind,src=/srv,dst=/b,readonly", "--tmpfs", "/t", script: script).description)
            ]
        },
        TransparencyCase("control groups of the host") { subject in
            [subject.clean(try await subject.run("--cgroupns", "host", script: "cat /proc/self/cgroup").description)]
        },
        TransparencyCase("control groups of its own") { subject in
            [subject.clean(try await subject.run("--cgroupns", "private", script: "cat /proc/self/cgroup").description)]
        },
        TransparencyCase("processes of the host") { subject in
            [
                subject.clean(
                    try await subject.run(
                        "--pid", "host", script: "cat /proc/1/comm; (sleep \(subject.mark) &); readlink /proc/self/ns/pid"
                    )
                    .description),
                "left: \(subject.host.processes().filter { $0.commandLine.contains(String(subject.mark)) }.count)",
            ]
        },
        TransparencyCase("read-only") { subject in
            [try await subject.run("--read-only", script: "touch /x 2>&1; touch /a/written; ls /a").description]
        },
        TransparencyCase("other capabilities and limits") { subject in
            let script =
                "grep -E 'Cap|NoNew|Seccomp' /proc/self/status; ls /dev; ulimit -n; cat /proc/self/oom_score_adj; cat /sys/fs/cgroup/*/*limit_in_bytes | sort -u"
            return [
                try await subject.run(
                    "--cap-drop", "ALL", "--cap-add", "NET_RAW", "--security-opt", "no-new-privileges", "--ulimit", "nofile=77:99",
                    "--oom-score-adj", "500", "--memory", "64m", "--pids-limit", "40", "--device", "/dev/fuse", script: script
                ).description
            ]
        },
        TransparencyCase("namespaces of the host") { subject in
            let script = "for n in uts ipc; do readlink /proc/self/ns/$n; done; hostname"
            return [try await subject.run("--uts", "host", "--ipc", "host", script: script).description]
        },
    ]

    static let lives: [TransparencyCase] = [
        TransparencyCase("a terminal") { subject in
            let words = try subject.words(
                ["--interactive", "--tty"],
                ["sh", "-c", "tty; while [ -z \"$(stty size 2>/dev/null)\" ]; do sleep 0.1; done; stty size; cat /a/who; exit 4"])
            let line = (subject.dockerd.client + words).map { "'\($0.replacing("'", with: #"'\''"#))'" }.joined(separator: " ")
            let result = try await command(
                ["script", "--quiet", "--return", "--command", "stty rows 33 cols 77; \(line)", "/dev/null"],
                environment: ["DOCKER_CONFIG": subject.host.scratch], limit: 60)
            return [subject.clean(result.description)]
        },
        TransparencyCase("standard input and two outputs") { subject in
            let words = try subject.words(["--interactive"], ["sh", "-c", "cat; sleep 0.2; echo err >&2; exit 5"])
            let result = try await command(
                subject.dockerd.client + words, input: "given\n", environment: ["DOCKER_CONFIG": subject.host.scratch], limit: 60)
            return [result.description]
        },
        TransparencyCase("in the background, with its log") { subject in
            _ = try await subject.run("--detach", script: "echo out; sleep 0.2; echo err >&2; exit 6")
            let waited = try await subject.fact("wait")
            return [waited, try await subject.fact("logs"), try await subject.state()]
        },
        TransparencyCase("--rm") { subject in
            let result = try await subject.run("--rm", script: "exit 7")
            return [result.description, try await subject.docker("ps", "--all", "--quiet", "--filter", "name=\(subject.name)")]
        },
        TransparencyCase("much output at once") { subject in
            let result = try await subject.run(script: "seq 1 200000")
            return ["\(result.status) \(result.output.utf8.count) \(result.output.hasSuffix("200000\n"))"]
        },
        TransparencyCase("--init") { subject in
            let result = try await subject.run("--init", script: "cat /proc/1/comm; ps -o comm; (sleep 1000 &); exit 8")
            return [result.description]
        },
        TransparencyCase("statuses and signals of its own") { subject in
            var facts: [String] = []
            for script in [
                "exit 0", "exit 1", "exit 255", "kill -SEGV $$", "kill -KILL $$", "ulimit -c 0; kill -ABRT $$", "exec /a/who", "exec /none",
            ] {
                facts.append(subject.clean(try await subject.run(script: script).description))
                facts.append(try await subject.state())
                try await subject.remove()
            }
            let words = try subject.words([], ["/no/such/program"])
            facts.append(subject.clean(try await subject.runDocker(words).description))
            return facts
        },
        TransparencyCase("started again when it fails") { subject in
            _ = try await subject.run("--detach", "--restart", "on-failure:2", script: "echo once; exit 9")
            try await eventually("it has ended three times") {
                let container = try await subject.inspect()
                return container["RestartCount"] == 2 && container["State"]?["Status"] == "exited"
            }
            return [try await subject.fact("logs"), try await subject.state()]
        },
        TransparencyCase("out of memory") { subject in
            let result = try await subject.run("--memory", "16m", "--memory-swap", "16m", script: "exec tail /dev/zero")
            return ["\(result.status)", try await subject.state()]
        },
        TransparencyCase("out of memory, a child of it") { subject in
            let result = try await subject.run("--memory", "16m", "--memory-swap", "16m", script: "tail /dev/zero; echo $?; exit 0")
            return ["\(result.status)", try await subject.state()]
        },
        TransparencyCase("the client's signals reach it") { subject in
            let script =
                "trap 'echo usr1' USR1; trap 'echo hup' HUP; trap 'echo int' INT; trap 'exit 3' TERM; while :; do echo tick; sleep 0.1; done"
            _ = try await subject.run("--detach", script: script)
            let log = subject.host.scratch + "/client-\(subject.name).log"
            let client = try SpawnedProcess(
                subject.dockerd.client + ["attach", subject.name], environment: ["DOCKER_CONFIG": subject.host.scratch], log: log)
            try await eventually("the client is attached") { subject.host.log("client-\(subject.name).log").contains("tick") }
            for (signal, word) in [(SIGHUP, "hup"), (SIGUSR1, "usr1"), (SIGINT, "int")] {
                client.signal(signal)
                try await eventually("\(word) arrives") { try await subject.docker("logs", subject.name).contains(word) }
            }
            client.signal(SIGTERM)
            let status = try await client.end(within: .seconds(20))
            return ["\(status)", try await subject.state()]
        },
    ]
}
