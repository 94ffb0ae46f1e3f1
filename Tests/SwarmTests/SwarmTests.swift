// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import TestSupport
import Testing

/// Beside the one of MachineTests, two more machines are too much for one computer.
private let isWanted = ProcessInfo.processInfo.environment["DOCKER_NFSD_TEST_SWARM"] == "1"

/// Two real nodes. `DOCKER_NFSD_TEST_ROUNDS` repeats each case of failure.
@Suite(.serialized, .needs(.machine), .enabled(if: isWanted, "runs two machines for a quarter of an hour: make test-swarm"), .swarm)
struct SwarmTests {
    static let rounds = 1...max(1, Int(ProcessInfo.processInfo.environment["DOCKER_NFSD_TEST_ROUNDS"] ?? "") ?? 1)

    private var swarm: Swarm { get throws { try #require(Swarm.current) } }

    @Test("The page works word for word")
    func page() async throws {
        try await Page.read().follow({ $0 != "Prepare" }, in: try swarm)
        // The volumes with a server of their own are each node's.
        try await swarm.expect(on: .worker, "docker volume rm shop_orders cache-1 cache-2 > /dev/null 2>&1 || true")
        try await swarm.clear()
    }

    @Test("Of two nodes that create a volume at once with different options, exactly one wins")
    func createAtOnce() async throws {
        let swarm = try swarm
        for round in 1...5 {
            let name = "race\(round)"
            async let first = swarm.run(on: .manager, "docker volume create -d nfsd --opt mode=0700 \(name)")
            async let second = swarm.run(on: .worker, "docker volume create -d nfsd --opt mode=0711 \(name)")
            let results = try await [first, second]
            #expect(results.filter { $0.status == 0 }.count == 1, "\(results)")
            let loser = try #require(results.first { $0.status != 0 })
            #expect(loser.output.contains("exists on the share nas.example:/srv/swarm with other options: mode="), "\(loser)")
            try await swarm.expect(on: results[0].status == 0 ? .manager : .worker, "docker volume rm \(name)")
        }
    }

    /// `make test-swarm` has them all.
    private static let lockOptions = [
        ("nfsvers=4.2", true), ("nfsvers=3", true), ("o=vers=3,nolock", false), ("nfsvers=4.1", true), ("o=local_lock=all,vers=3", false),
    ].prefix(ProcessInfo.processInfo.environment["DOCKER_NFSD_TEST_LONG"] == "1" ? 5 : 3)

    @Test(
        "Locks that a container takes on one node are seen in the other's, unless the volume keeps them to itself",
        arguments: lockOptions)
    func locks(option: String, areShared: Bool) async throws {
        let swarm = try swarm
        // Version 3 has a program of its own for locks, on the server and on each node.
        for node in Swarm.Node.allCases { try await swarm.expect(on: node, "systemctl start rpc-statd") }
        // The image is busybox; the machine's own perl has fcntl(2).
        let tools = """
            run="docker run --rm -v locks:/m -v /usr:/usr:ro -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro"
            fcntl='use Fcntl; open(F, "+>>", "/m/fcntl") or die $!; $l = pack("s s x![q] q q i x4", F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $l) or exit 3; print "held\\n"; '

            """
        try await swarm.expect(
            on: .manager,
            tools + """
                docker volume create -d nfsd --opt \(option) locks > /dev/null
                $run -d --name holder alpine flock /m/flock perl -e "\\$|=1; $fcntl; sleep 1000" > /dev/null
                until_true 60 '[ "$(docker logs holder)" = held ]'
                """)
        let attempt =
            tools
            + #"docker volume create -d nfsd locks > /dev/null; $run alpine sh -c "flock -n /m/flock echo free || echo taken; perl -e '$fcntl' || echo taken""#
        #expect(try await swarm.expect(on: .worker, attempt) == (areShared ? "taken\ntaken\n" : "free\nheld\n"))
        try await swarm.expect(on: .manager, "docker rm -f holder > /dev/null")
        #expect(try await swarm.expect(on: .worker, attempt) == "free\nheld\n")
        try await swarm.expect(on: .worker, "docker volume rm locks; rm -rf /srv/swarm/locks")
        try await swarm.expect(on: .manager, "rm -rf /srv/swarm/locks; until_true 90 '! docker volume ls -q | grep -qx locks'")
    }

    @Test("A volume whose data another node uses is not deleted")
    func removalElsewhere() async throws {
        let swarm = try swarm
        try await swarm.expect(
            on: .worker,
            "docker volume create -d nfsd --opt onremove=delete used; docker run -d --name user -v used:/m alpine sh -c 'echo here > /m/f; sleep 1000' > /dev/null"
        )
        let refused = try await swarm.run(on: .manager, "until_true 30 'docker volume ls -q | grep -qx used'; docker volume rm used")
        #expect(refused.status != 0 && refused.output.contains("has it mounted"), "\(refused)")
        try await swarm.expect(on: .worker, "docker rm -f user > /dev/null")
        try await swarm.expect(
            on: .manager, "[ -e /srv/swarm/used/f ]; until_true 30 'docker volume rm used 2> /dev/null'; [ ! -e /srv/swarm/used ]")
        try await swarm.expect(on: .worker, "until_true 90 '! docker volume ls -q | grep -qx used'")
    }

    // MARK: Nodes and servers that go and come back

    @Test("A drained node's task finds its data on the other", arguments: rounds)
    func drain(round: Int) async throws {
        let swarm = try swarm
        try await swarm.clear()
        try await swarm.expect(
            on: .manager,
            """
            rm -rf /srv/swarm/moved; only_on worker; service moved --replicas 1; grows moved/worker
            only_on manager; grows moved/manager
            whole moved/worker
            """)
        try await swarm.expect(on: .worker, "until_true 60 '[ \"$(mounts)\" = 0 ]'; docker volume ls -q | grep -qx moved")
        try await swarm.clear()
    }

    @Test("The NFS server restarts under running services", arguments: rounds)
    func serverRestarts(round: Int) async throws {
        let swarm = try swarm
        try await swarm.clear()
        try await swarm.expect(
            on: .manager,
            """
            rm -rf /srv/swarm/kept; service kept --mode global; grows kept/manager; grows kept/worker
            systemctl restart nfs-server
            grows kept/manager; grows kept/worker
            whole kept/manager; whole kept/worker
            """, limit: 400)
        try await swarm.clear()
    }

    @Test("docker-nfsd is upgraded node by node, then the service, with containers running", arguments: rounds)
    func upgrade(round: Int) async throws {
        let swarm = try swarm
        try await swarm.clear()
        try await swarm.expect(on: .manager, "rm -rf /srv/swarm/up; service up --mode global; grows up/manager; grows up/worker")
        for node in Swarm.Node.allCases {
            try await swarm.expect(
                on: node,
                """
                tar -C /payload -c . | tar -C / -x --no-overwrite-dir --keep-directory-symlink; systemctl daemon-reload
                systemctl restart docker-nfsd
                docker volume inspect --format '{{.Status.state}} {{.Status.references}}' up | grep -x 'mounted 1'
                """)
            try await swarm.expect(on: .manager, "grows up/manager; grows up/worker")
        }
        try await swarm.expect(
            on: .manager,
            """
            whole up/manager; whole up/worker
            docker service update --quiet --force --detach --update-delay 1s up > /dev/null
            until_true 180 '[ "$(docker service inspect --format "{{.UpdateStatus.State}}" up)" = completed ]'
            grows up/manager; grows up/worker
            """, limit: 400)
        try await swarm.clear()
    }

    @Test("A node that is cut off from the network: its task runs elsewhere, and all is well when it is back", arguments: rounds)
    func networkCut(round: Int) async throws {
        let swarm = try swarm
        try await swarm.clear()
        try await swarm.expect(
            on: .manager,
            """
            rm -rf /srv/swarm/lone /srv/swarm/pair; only_on worker; service lone --replicas 1; grows lone/worker; all_active
            service pair --mode global; grows pair/manager; grows pair/worker
            """, limit: 400)
        try await swarm.expect(on: .worker, "iptables -I INPUT -i eth0 -j DROP; iptables -I OUTPUT -o eth0 -j DROP")
        try await swarm.expect(on: .manager, "grows lone/manager; grows pair/manager")
        // Answers come from memory, and what needs the share is an error in seconds.
        let alone = try await swarm.expect(
            on: .worker,
            """
            began=$SECONDS; docker volume ls -q | grep -x -e lone -e pair; echo "listed $((SECONDS - began < 10))"
            began=$SECONDS; ! docker volume create -d nfsd new 2>&1; echo "refused $((SECONDS - began < 60))"
            iptables -D INPUT 1; iptables -D OUTPUT 1
            """)
        #expect(alone.contains("lone\npair\nlisted 1\n") && alone.contains("refused 1\n"), "\(alone)")
        try await swarm.expect(
            on: .manager,
            """
            grows pair/worker 200; grows lone/manager
            until_true 120 '[ "$(docker service ps -q --filter desired-state=running lone | wc -l)" = 1 ]'
            whole lone/manager
            """, limit: 400)
        try await swarm.clear()
    }

    @Test("A node's power is cut: its task runs elsewhere with the data, and the node takes part again after its boot", arguments: rounds)
    func powerCut(round: Int) async throws {
        let swarm = try swarm
        try await swarm.clear()
        let before = try await swarm.expect(
            on: .manager,
            """
            rm -rf /srv/swarm/lone /srv/swarm/pair; only_on worker; service lone --replicas 1; grows lone/worker; all_active
            service pair --mode global; grows pair/manager; grows pair/worker; lines pair/worker
            """, limit: 400)
        let count = try #require(Int(before.trimmingCharacters(in: .whitespacesAndNewlines)))
        async let booted: Void = swarm.reset(.worker)
        async let moved = swarm.expect(on: .manager, "grows lone/manager 200; grows pair/manager", limit: 400)
        _ = try await (booted, moved)
        try await swarm.expect(
            on: .manager,
            """
            grows pair/worker 200
            # What was written before the cut is there, and the node's new task has begun anew behind it.
            whole pair/worker; [ $(lines pair/worker) -gt \(count) ]; tail -n +$((\(count) + 1)) /srv/swarm/pair/worker | grep -qx 1
            """, limit: 400)
        try await swarm.clear()
    }
}
