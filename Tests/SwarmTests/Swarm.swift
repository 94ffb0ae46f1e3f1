// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Synchronization
import TestSupport
import Testing

/// Two machines that are one Swarm: a manager, which serves NFS too, and a worker. Docs/swarm.md says how it is made.
final class Swarm: Sendable {
    enum Node: CaseIterable {
        case manager, worker
    }

    @TaskLocal static var current: Swarm?

    let machines: [Node: VirtualMachine]
    private let token = Mutex("")

    init() {
        let link = NSTemporaryDirectory() + "swarm-\(UUID().uuidString.prefix(8))"
        machines = [
            .manager: VirtualMachine(name: "manager", link: .init(path: link, number: 1)),
            .worker: VirtualMachine(name: "worker", link: .init(path: link, number: 2)),
        ]
    }

    /// The machines of whoever has this name in the page.
    static func nodes(called name: String) throws -> [Node] {
        switch name {
        case "manager", "nas": [.manager]
        case "worker": [.worker]
        case "every": [.manager, .worker]
        default: throw Trouble("Docs/swarm.md: nobody is called \(name)")
        }
    }

    /// Starts both, and prepares them as the page says.
    func start() async throws {
        for node in Node.allCases {
            try await machines[node]?.start()
            try await expect(on: node, "echo '192.168.77.1 nas.example' >> /etc/hosts")
        }
        try await Page.read().follow({ $0 == "Prepare" }, in: self)
        // So that a power cut finds what an operator's machine has written long ago.
        for node in Node.allCases { try await expect(on: node, "sync") }
    }

    func keep(token text: String) { token.withLock { $0 = text } }

    /// Short words for what the tests do all the time.
    private var prelude: String {
        """
        cd /root; TOKEN='\(token.withLock { $0 })'
        # until_true SECONDS COMMAND: runs it each second until it succeeds.
        until_true() { local end=$((SECONDS + $1)); until eval "$2"; do
          [ $SECONDS -lt $end ] || { echo "not within $1 s: $2"; docker node ls; docker service ps $(docker service ls -q) --no-trunc; return 1; } 2>&1; sleep 1; done; }
        mounts() { grep -c ' /var/lib/docker-volumes-nfsd/' /proc/self/mountinfo; }
        # service NAME OPTIONS: each task writes 1, 2, 3, … into the file NODE of the volume NAME of the share.
        service() { local name=$1; shift; docker service create --quiet --name $name --detach --no-resolve-image --stop-grace-period 1s \\
          --restart-delay 1s --env 'NODE={{.Node.Hostname}}' --mount type=volume,source=$name,target=/data,volume-driver=nfsd "$@" \\
          alpine sh -c 'n=0; while true; do n=$((n + 1)); echo $n >> /data/$NODE; sleep 1; done' > /dev/null; }
        # lines FILE: how many it has by now.
        lines() { if [ -e /srv/swarm/$1 ]; then wc -l < /srv/swarm/$1; else echo 0; fi; }
        # whole FILE: not a line of what was written is lost; a task that Swarm has started anew begins with 1 behind them.
        whole() { awk '$1 != last + 1 && $1 != 1 { print FILENAME ": " $1 " after " last; exit 1 } { last = $1 }' /srv/swarm/$1; }
        # grows FILE: waits until it has got more lines.
        grows() { local now=$(lines $1); until_true ${2:-120} "[ \\$(lines $1) -gt $((now + 1)) ]"; }
        # only_on NODE: lets tasks run there alone, for new ones.
        only_on() { for node in manager worker; do
          docker node update --availability $([ $node = $1 ] && echo active || echo drain) $node > /dev/null; done; }
        all_active() { for node in manager worker; do docker node update --availability active $node > /dev/null; done; }

        """
    }

    func run(on node: Node, _ script: String, limit: Int = 180) async throws -> CommandResult {
        guard let machine = machines[node] else { throw Trouble("there is no \(node)") }
        return try await machine.run(prelude + script, limit: limit)
    }

    /// Runs a script that must succeed, command by command.
    @discardableResult
    func expect(on node: Node, _ script: String, limit: Int = 240) async throws -> String {
        let result = try await run(on: node, "set -e\n" + script, limit: limit)
        if result.status != 0 { throw Trouble("on the \(node): \(script)\n\(result)\(await evidence())") }
        return result.output
    }

    /// Cuts the power and boots again.
    func reset(_ node: Node) async throws { try await machines[node]?.reset() }

    /// Removes all services and volumes, and waits until neither node has one, or anything mounted, any more.
    func clear() async throws {
        // A case that failed may have left its node cut off.
        try await expect(
            on: .worker, "while iptables -D INPUT -i eth0 -j DROP || iptables -D OUTPUT -o eth0 -j DROP; do :; done 2> /dev/null")
        for node in Node.allCases { try await expect(on: node, "docker rm -f holder user > /dev/null 2>&1 || true") }
        try await expect(on: .manager, "all_active; docker service ls -q | xargs -r docker service rm > /dev/null")
        for node in Node.allCases { try await expect(on: node, "until_true 90 '[ \"$(mounts)\" = 0 ]'") }
        try await expect(
            on: .manager, "for v in $(docker volume ls -q -f driver=nfsd); do until_true 60 \"docker volume rm $v > /dev/null\"; done")
        for node in Node.allCases { try await expect(on: node, "until_true 90 '[ -z \"$(docker volume ls -q -f driver=nfsd)\" ]'") }
    }

    private func evidence() async -> String {
        var text = ""
        for node in Node.allCases {
            let result = try? await run(on: node, "journalctl --no-pager --output=cat --unit=docker-nfsd --lines=25", limit: 30)
            text += "\n-- docker-nfsd on the \(node):\n\(result?.output ?? "it does not answer")"
        }
        return text
    }
}

/// Gives a suite its Swarm.
struct SwarmTrait: SuiteTrait, TestScoping {
    func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void) async throws {
        let swarm = Swarm()
        try await VirtualMachine.stopping(Array(swarm.machines.values)) {
            try await swarm.start()
            try await Swarm.$current.withValue(swarm) { try await function() }
        }
    }
}

extension Trait where Self == SwarmTrait {
    static var swarm: Self { SwarmTrait() }
}
