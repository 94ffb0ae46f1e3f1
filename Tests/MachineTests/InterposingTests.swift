// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import TestSupport
import Testing

extension MachineTests {
    /// mountpoint-runc below a Docker Engine 26 with systemd's control groups of version 2.
    @Suite(.machine("interposing")) struct Interposing {
        @Test("the README's first use, followed by hand, does what it says")
        func firstUse() async throws {
            let readme = try ExamplePage("README.md")
            let guardian = try Data(contentsOf: URL(fileURLWithPath: Repository.root + "/Examples/guard.py")).base64EncodedString()
            try await Guest.expect(
                """
                mkdir -p /etc/docker /root/sources/Examples; cd /root/sources
                base64 -d > Examples/guard.py <<< \(guardian); chmod 755 Examples/guard.py
                base64 -d > /etc/docker/daemon.json <<< \(try readme.block("/etc/docker/daemon.json"))
                """)
            try await follow(readme, ["first use"])
            let left = try await Guest.expect(
                """
                find /run/mountpoint-runc/containers -type f; pkill -f guard.py; rm /run/docker/plugins/guard.sock /etc/guard.json
                """)
            #expect(left == "", "\(left)")
        }

        @Test("the first plugin of Docs/writing-a-plugin.md, followed by hand, does what it says")
        func firstPlugin() async throws {
            let page = try ExamplePage("Docs/writing-a-plugin.md")
            try await Guest.expect(
                """
                mkdir -p /etc/docker /root/sources; cd /root/sources
                base64 -d > /etc/docker/daemon.json <<< \(try ExamplePage("README.md").block("/etc/docker/daemon.json"))
                base64 -d > first.py <<< \(try page.block("first.py"))
                """)
            try await follow(page, ["start", "run"])
            let left = try await Guest.expect(
                """
                rm /srv/data/done; find /run/mountpoint-runc/containers -type f; pkill -f first.py; rm /run/docker/plugins/first.sock
                """)
            #expect(left == "", "\(left)")
        }

        /// Runs blocks of a page one after another, and looks for what the page says that they print, in its order.
        private func follow(_ page: ExamplePage, _ steps: [String]) async throws {
            for step in steps {
                let output = try await Guest.run(
                    "cd /root/sources; base64 -d > step.sh <<< \(try page.block(step)); . ./step.sh 2>&1; disown -a"
                ).output
                let expectations = page.expectations(of: step)
                #expect(!expectations.isEmpty)
                var rest = output[...]
                for expected in expectations {
                    let found = rest.range(of: expected)
                    #expect(found != nil, "\(step): no \(expected) in its place in: \(output)")
                    if let found { rest = rest[found.upperBound...] }
                }
                #expect(!output.contains("[failed]"), "\(output)")
            }
        }

        @Test("with live-restore, a container outlives Docker, and its plugin is told once when it ends")
        func liveRestore() async throws {
            let output = try await Guest.expect(
                """
                \(RecordingPlugin.setup(#""live-restore": true, "default-runtime": "mountpoint","#))
                docker run -d --name alive -v /srv/data:/mnt --stop-timeout 1 alpine sleep 1000 >/dev/null; echo "calls $(calls)"
                systemctl kill -s KILL docker; until docker info >/dev/null 2>&1; do sleep 0.5; systemctl reset-failed docker 2>/dev/null || true; systemctl start docker || true; done
                docker exec alive ls -d /mnt; echo "calls $(calls)"
                systemctl restart docker; docker exec alive ls -d /mnt; echo "calls $(calls)"
                docker stop alive >/dev/null; echo "calls $(calls)"; docker inspect -f '{{.State.ExitCode}}' alive; docker rm alive >/dev/null
                find /run/mountpoint-runc/containers -type f; pgrep -x mountpoint-runc || echo none
                """, limit: 300)
            #expect(output == "calls Attach\n/mnt\ncalls Attach\n/mnt\ncalls Attach\ncalls Attach Detach\n137\nnone\n", "\(output)")
        }

        @Test("while Docker is away a container ends, and its plugin is told")
        func endsAlone() async throws {
            let output = try await Guest.expect(
                """
                \(RecordingPlugin.setup(#""live-restore": true, "default-runtime": "mountpoint","#))
                docker run -d --name alone -v /srv/data:/mnt alpine sh -c 'until [ -e /mnt/go ]; do sleep 0.2; done; exit 5' >/dev/null
                systemctl stop docker.socket docker; touch /srv/data/go
                for i in $(seq 150); do [ "$(calls)" = "Attach Detach" ] && break; sleep 0.2; done; echo "calls $(calls)"
                systemctl start docker; docker wait alone; docker rm alone >/dev/null; rm /srv/data/go; echo "calls $(calls)"
                find /run/mountpoint-runc/containers -type f
                """, limit: 300)
            #expect(output == "calls Attach Detach\n5\ncalls Attach Detach\n", "\(output)")
        }

        @Test("a Swarm service of one replica goes through the default runtime, and a failed task is replaced")
        func swarm() async throws {
            let output = try await Guest.expect(
                """
                \(RecordingPlugin.setup(#""default-runtime": "mountpoint","#))
                docker swarm init --advertise-addr 127.0.0.1 >/dev/null
                docker service create --quiet --detach --no-resolve-image --name one --replicas 1 --stop-grace-period 1s \\
                  --mount type=bind,source=/srv/data,target=/mnt alpine sleep 1000 >/dev/null
                until [ -n "$(docker ps -q)" ]; do sleep 0.5; done; echo "calls $(calls)"
                docker kill $(docker ps -q) >/dev/null
                for i in $(seq 300); do [ "$(calls)" = "Attach Detach Attach" ] && break; sleep 0.2; done; echo "calls $(calls)"
                docker service rm one >/dev/null
                for i in $(seq 300); do [ "$(calls)" = "Attach Detach Attach Detach" ] && break; sleep 0.2; done; echo "calls $(calls)"
                until [ -z "$(docker ps -aq)" ]; do sleep 0.5; done
                docker swarm leave --force >/dev/null; find /run/mountpoint-runc/containers -type f
                """, limit: 400)
            #expect(output == "calls Attach\ncalls Attach Detach Attach\ncalls Attach Detach Attach Detach\n", "\(output)")
        }

        @Test("with containerd as the store of images, a plugin is told an image's labels", .needs(.recentMachine))
        func containerdStore() async throws {
            let output = try await Guest.expect(
                """
                docker save -o /root/alpine.tar alpine
                \(RecordingPlugin.setup(#""features": { "containerd-snapshotter": true },"#))
                docker info --format '{{.DriverStatus}}' | grep -o 'io.containerd.snapshotter.v1'
                docker load --quiet --input /root/alpine.tar >/dev/null
                docker create --name made alpine true >/dev/null; docker commit --change 'LABEL made=here' made labelled >/dev/null; docker rm made >/dev/null
                docker run --rm --runtime mountpoint -v /srv/data:/mnt labelled touch /mnt/seen; ls /srv/data/seen; echo "calls $(calls)"
                python3 -c 'import json; image = json.load(open("/root/mounts"))[0]["Image"]; print(image["Labels"], image["Name"], image["ID"][:7])'
                docker rmi --force labelled alpine >/dev/null; rm /srv/data/seen /root/alpine.tar; find /run/mountpoint-runc/containers -type f
                """, limit: 300)
            #expect(
                output == "io.containerd.snapshotter.v1\n/srv/data/seen\ncalls Attach Detach\n{'made': 'here'} labelled sha256:\n",
                "\(output)")
        }

        @Test("memory, process ids and network are those of the container, with version 2 of control groups")
        func controlGroups() async throws {
            let output = try await Guest.expect(
                """
                \(RecordingPlugin.setup(""))
                run="docker run --runtime mountpoint -v /srv/data:/mnt"
                $run -d --name counted --memory 64m alpine sleep 1000 >/dev/null
                docker stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' counted | grep -v '^0B' | sed 's/^[0-9.]*[KM]iB/N/'
                docker top counted -o pid,comm | tail -n +2 | awk '{ print $2 }'
                nsenter -t $(docker inspect -f '{{.State.Pid}}' counted) -n ip -o link show eth0 | grep -c eth0
                docker rm -f counted >/dev/null; echo "calls $(calls)"
                """, limit: 300)
            #expect(output == "N / 64MiB 1\nsleep\n1\ncalls Attach Detach\n", "\(output)")
        }

        @Test("a container that the kernel ends for its memory is told as with plain runc")
        func outOfMemory() async throws {
            let output = try await Guest.expect(
                """
                \(RecordingPlugin.setup(""))
                for runtime in runc mountpoint runc mountpoint; do
                  docker run --name full --runtime $runtime -v /srv/data:/mnt --memory 16m --memory-swap 16m alpine tail /dev/zero 2>/dev/null || true
                  docker inspect -f "$runtime {{.State.OOMKilled}} {{.State.ExitCode}}" full; docker rm full >/dev/null
                done
                """, limit: 600)
            let lines = output.split(separator: "\n").map(String.init)
            try #require(lines.count == 4, "\(output)")
            let ended = { (runtime: String, word: String) in lines.contains("\(runtime) \(word) 137") }
            #expect(lines.allSatisfy { $0.hasSuffix(" 137") }, "\(output)")
            // Docker hears of it from a watch on a group that may be gone before it has looked, so plain runc may miss it, too.
            #expect(ended("mountpoint", "true") || !ended("runc", "true"), "\(output)")
        }
    }
}

/// The blocks of a document that are marked `<!-- example: NAME -->`.
private struct ExamplePage {
    private let path: String
    private let lines: [Substring]

    init(_ path: String) throws {
        self.path = path
        lines = try String(contentsOfFile: Repository.root + "/" + path, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
    }

    /// A block's content, in base64 so that no shell changes it.
    func block(_ name: String) throws -> String {
        let mark = try #require(lines.firstIndex(of: "<!-- example: \(name) -->"), "\(path) has no example \(name)")
        let content = lines[(mark + 2)...].prefix { !$0.hasPrefix("```") }
        return Data((content.joined(separator: "\n") + "\n").utf8).base64EncodedString()
    }

    /// The `<!-- expect: TEXT -->` lines after a block.
    func expectations(of name: String) -> [String] {
        guard let mark = lines.firstIndex(of: "<!-- example: \(name) -->") else { return [] }
        return lines[(mark + 1)...].prefix { !$0.hasPrefix("<!-- example:") }.compactMap { line in
            guard line.hasPrefix("<!-- expect: "), line.hasSuffix(" -->") else { return nil }
            return String(line.dropFirst(13).dropLast(4))
        }
    }
}
