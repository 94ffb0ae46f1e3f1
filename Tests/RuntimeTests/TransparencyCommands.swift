// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import JSON
import TestSupport

extension TransparencyCase {
    static let commands: [TransparencyCase] = [
        TransparencyCase("stop, that it hears") { subject in
            try await subject.start()
            return [
                try await subject.fact("stop"), try await subject.fact("wait"), try await subject.state(), try await subject.fact("stop"),
            ]
        },
        TransparencyCase("exec, also with a terminal, as another user and in the background") { subject in
            try await subject.start()
            var facts: [String] = []
            facts.append(try await subject.fact("exec", then: ["sh", "-c", "cat /a/who; ps -o comm; exit 5"]))
            facts.append(
                try await subject.fact(
                    "exec", "--user", "1000", "--env", "A=b", then: ["sh", "-c", "id -u; echo $A; cat /proc/self/cgroup | wc -l"]))
            facts.append(try await subject.fact("exec", "--detach", then: ["touch", "/a/by-exec"]))
            facts.append(try await subject.fact("exec", "--tty", then: ["tty"]))
            facts.append(try await subject.fact("exec", then: ["/none"]))
            return facts + [try await subject.state()]
        },
        TransparencyCase("pause and unpause") { subject in
            try await subject.start()
            var facts = [try await subject.fact("pause"), try await subject.state()]
            facts.append(try await subject.fact("exec", then: ["true"]))
            facts += [
                try await subject.fact("unpause"), try await subject.state(), try await subject.fact("exec", then: ["echo", "awake"]),
            ]
            return facts + [try await subject.fact("stop"), try await subject.state()]
        },
        TransparencyCase("kill with signals") { subject in
            try await subject.start()
            var facts: [String] = []
            for (signal, word) in [("USR1", "usr1"), ("HUP", "hup"), ("INT", "int")] {
                facts.append(try await subject.fact("kill", "--signal", signal))
                try await eventually(word) { try await subject.docker("logs", subject.name).contains(word) }
            }
            facts += [try await subject.fact("logs"), try await subject.fact("kill"), try await subject.fact("wait")]
            return facts + [try await subject.state(), try await subject.fact("kill")]
        },
        TransparencyCase("stop, that it does not hear") { subject in
            _ = try await subject.run("--detach", script: "trap '' TERM; while :; do sleep 1000; done")
            return [try await subject.fact("stop", "--time", "1"), try await subject.state()]
        },
        TransparencyCase("stop by another signal") { subject in
            try await subject.start("--stop-signal", "USR1")
            return [try await subject.fact("stop", "--time", "1"), try await subject.fact("logs"), try await subject.state()]
        },
        TransparencyCase("restart, and start again") { subject in
            try await subject.start()
            var facts = [try await subject.fact("restart"), try await subject.state(), try await subject.fact("stop")]
            facts += [try await subject.fact("start"), try await subject.state(), try await subject.fact("exec", then: ["cat", "/a/who"])]
            return facts
        },
        TransparencyCase("top") { subject in
            try await subject.start()
            return [try await subject.fact("top", then: ["-eo", "comm"])]
        },
        TransparencyCase("attach") { subject in
            _ = try await subject.runDocker(
                subject.words(["--detach", "--interactive"], ["sh", "-c", "read line; sleep 0.5; echo got $line; sleep 0.5; exit 6"]))
            let result = try await command(
                subject.dockerd.client + ["attach", subject.name], input: "word\n", environment: ["DOCKER_CONFIG": subject.host.scratch],
                limit: 60)
            return [result.description, try await subject.state()]
        },
        TransparencyCase("stats") { subject in
            try await subject.start()
            let line = try await subject.docker(
                "stats", "--no-stream", "--format", "{{.PIDs}} {{.MemUsage}} {{.MemPerc}}", subject.name)
            let words = line.split(separator: " ")
            // Two shells and nothing else need less than 2 MiB; a supervisor counted with them would need more.
            let memory = words.count > 1 ? String(words[1]) : ""
            let isSmall = memory.hasSuffix("KiB") || (memory.hasSuffix("MiB") && (Double(memory.dropLast(3)) ?? 99) < 2)
            return ["processes \(words.first ?? "?")", "small \(isSmall ? "yes" : line)", "not zero \(!memory.hasPrefix("0"))"]
        },
        TransparencyCase("update of limits") { subject in
            try await subject.start("--memory", "64m", "--memory-swap", "64m")
            let show = ["sh", "-c", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null"]
            return [
                try await subject.fact("exec", then: show), try await subject.fact("update", "--memory", "32m", "--memory-swap", "32m"),
                try await subject.fact("exec", then: show),
            ]
        },
        TransparencyCase("health checks") { subject in
            try await subject.start(
                "--health-cmd", "test -e /a/who && ! test -e /sick", "--health-interval", "100ms", "--health-retries", "1")
            func isReached(_ status: JSONValue) async throws {
                try await eventually("\(status)") { try await subject.inspect()["State"]?["Health"]?["Status"] == status }
            }
            try await isReached("healthy")
            try await subject.docker("exec", subject.name, "touch", "/sick")
            try await isReached("unhealthy")
            return [try await subject.state()]
        },
        TransparencyCase("files in and out, and a new name") { subject in
            try await subject.start()
            let file = subject.host.scratch + "/copied-\(subject.name)"
            var facts: [String] = []
            for words in [["cp", "\(subject.name):/a/who", file], ["cp", file, "\(subject.name):/copied"]] {
                facts.append(subject.clean(try await subject.runDocker(words).description))
            }
            facts.append(try await subject.fact("exec", then: ["cat", "/copied"]))
            try await subject.docker("rename", subject.name, subject.name + "-2")
            try await subject.docker("stop", subject.name + "-2")
            try await subject.docker("rename", subject.name + "-2", subject.name)
            return facts + [try await subject.state()]
        },
        TransparencyCase("the process that Docker knows") { subject in
            try await subject.start()
            let process = try await subject.process()
            var facts: [String] = []
            for kind in ["net", "mnt", "ipc", "uts", "cgroup"] {
                let inside = try await subject.docker("exec", subject.name, "readlink", "/proc/self/ns/\(kind)")
                let shown = try await subject.host.run(["readlink", "/proc/\(process)/ns/\(kind)"]).output.dropLast()
                facts.append("its \(kind) namespace is the container's: \(inside == shown)")
            }
            facts.append(subject.clean(try await subject.host.run(["cat", "/proc/\(process)/root/a/who"]).description))
            return facts + [try await subject.fact("stop"), try await subject.state()]
        },
        TransparencyCase("the process ids, memory and network of another container") { subject in
            let owner = subject.name + "-owner"
            let bind = ["--volume", "\(try subject.scenario.folder(subject.name)):/a"]
            try await subject.docker(
                ["run", "--detach", "--name", owner, "--network", "none", "--ipc", "shareable", "--runtime", subject.runtime]
                    + bind + ["busybox", "sleep", "1000"])
            var facts: [String] = []
            for (kind, name) in [("pid", "pid"), ("ipc", "ipc"), ("network", "net")] {
                let there = try await subject.docker("exec", owner, "readlink", "/proc/self/ns/\(name)")
                let here = try await subject.docker(
                    ["run", "--rm", "--\(kind)", "container:\(owner)", "--runtime", subject.runtime] + (kind == "pid" ? bind : [])
                        + ["busybox", "readlink", "/proc/self/ns/\(name)"])
                facts.append("\(kind): \(here == there)")
            }
            try await subject.docker("rm", "--force", owner)
            return facts
        },
    ]

    static let networks: [TransparencyCase] = [
        TransparencyCase("of the host") { subject in
            let result = try await subject.run("--network=host", script: "ip -o link | cut -d: -f2 | cut -d@ -f1 | sort")
            return [result.description, "\(try await subject.host.run(["readlink", "/proc/self/ns/net"]).status)"]
        },
        TransparencyCase("none") { subject in
            [
                try await subject.run("--network=none", script: "ip -o addr; cat /etc/resolv.conf | wc -l; cat /etc/hosts | wc -l")
                    .description
            ]
        },
        TransparencyCase("another container's") { subject in
            let owner = subject.name + "-owner"
            try await subject.docker(
                "run", "--detach", "--name", owner, "--network", "none", "--runtime", subject.runtime, "busybox", "sleep", "1000")
            let network = try await subject.docker("exec", owner, "readlink", "/proc/self/ns/net")
            let result = try await subject.run("--network=container:\(owner)", script: "readlink /proc/self/ns/net")
            try await subject.docker("rm", "--force", owner)
            return ["\(result.status) \(result.output == network + "\n")"]
        },
        TransparencyCase("a bridge, with a published port") { subject in
            _ = try await subject.run(
                "--network=bridge", "--detach", "--publish", "127.0.0.1::80",
                script: "mkdir /www; echo page > /www/index.html; httpd -f -p 80 -h /www")
            let port = try await subject.docker("port", subject.name, "80/tcp")
            var page = ""
            try await eventually("the page is served") {
                let result = try await subject.host.run(["curl", "--silent", "--max-time", "2", "http://\(port)/"])
                page = result.output
                return result.status == 0
            }
            let addresses = try await subject.docker(
                "exec", subject.name, "sh", "-c",
                "ip -o -4 addr show eth0 | grep -c 172; ip route | wc -l; ping -c 1 -W 2 172.17.0.1 > /dev/null; echo $?")
            return [
                page, addresses, try await subject.fact("stop", "--time", "0"), try await subject.state(),
            ]
        },
    ]
}
