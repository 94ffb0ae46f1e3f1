// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import HistoryChecker
import TestSupport
import Testing

extension MachineTests {
    /// Two nodes in namespaces of one machine, with its NFS server between them, while daemons, server and network fail.
    @Suite(.machine("nodes", tools: [Guest.client]), .timeLimit(.minutes(900))) struct Histories {
        private static let isLong = ProcessInfo.processInfo.environment["DOCKER_NFSD_TEST_LONG"] != nil

        /// Makes the nodes a and b once. Each has a network, mounts and a host name of its own, and a daemon that `start NODE` starts again.
        private static let words = #"""
            inside() { local node=$1; shift; nsenter -t "$(cat /n/$node/holder)" -m -n -u -- "$@"; }
            running() { [ -d "/proc/$(cat /n/$1/pid)" ]; }
            # By systemd, so that nothing of the caller's stays open: somebody waits for its end.
            start() { systemd-run -q --collect --expand-environment=no -E DOCKER_NFSD_STATE_DIRECTORY=/n/$1/state -E DOCKER_NFSD_RUNTIME_DIRECTORY=/n/$1/run \
              -E DOCKER_NFSD_MOUNT_DIRECTORY=/n/$1/mounts -E DOCKER_NFSD_SOCKET_DIRECTORY=/n/$1 -E DOCKER_NFSD_ENGINE_SOCKET=none \
              -E DOCKER_NFSD_SHARE=10.78.0.1:/exports/data -E DOCKER_NFSD_SHARE_REFRESH=2 -E DOCKER_NFSD_RETRY=off \
              nsenter -t "$(cat /n/$1/holder)" -m -n -u -- bash -c 'echo $$ > /n/'$1'/pid; exec docker-nfsd serve >> /n/'$1'/log 2>&1'
              listening $1; }
            listening() { until socat -u OPEN:/dev/null UNIX-CONNECT:/n/$1/nfsd.sock 2> /dev/null; do sleep 0.1; done; }
            end() { kill -9 "$(cat /n/$1/pid)"; while running $1; do sleep 0.05; done; }
            # Clients may take up what they had for a while; what is new waits until that is over.
            restarted() { systemctl restart nfs-server; until grep -q Y /proc/fs/nfsd/v4_end_grace; do sleep 0.2; done; }
            seconds() { sleep "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))"; }
            """#

        private static let nodes =
            words + #"""

                if ! [ -d /n ]; then
                  systemctl stop docker docker.socket docker-nfsd.socket docker-nfsd.service
                  modprobe sch_netem; ip link add br0 type bridge; ip addr add 10.78.0.1/24 dev br0; ip link set br0 up
                  for node in a b; do
                    mkdir -p /n/$node; ip netns add $node; ip link add to-$node type veth peer name eth0 netns $node
                    ip link set to-$node master br0 up; ip -n $node link set eth0 up; ip -n $node link set lo up
                    ip -n $node addr add 10.78.0.1$([ $node = a ] && echo 1 || echo 2)/24 dev eth0
                    setsid unshare -m -u nsenter --net=/run/netns/$node bash -c "hostname $node; printf %032x $(printf %d \'$node) > /n/$node/id
                      mount --bind /n/$node/id /etc/machine-id; echo \$\$ > /n/$node/holder; exec sleep infinity" > /dev/null 2>&1 < /dev/null &
                    until [ -s /n/$node/holder ]; do sleep 0.05; done
                    until inside $node mountpoint -q /etc/machine-id; do sleep 0.05; done
                    start $node
                  done
                fi
                for node in a b; do running $node || start $node; done
                client() { LD_LIBRARY_PATH=/payload/test /payload/test/guest-client "$@"; }

                """#

        /// - Parameter cases: of a `case` over the fault's number.
        private static func nemesis(_ count: Int, _ cases: String) -> String {
            "cat > /root/nemesis <<'END'\n#!/bin/bash\nlength=$2 node=$3\n\(words)\ncase $(($1 % \(count))) in\n\(cases)\nesac\nEND\nchmod +x /root/nemesis\n"
        }

        private func check(_ history: History, _ name: String, _ checker: HistoryChecker) throws {
            print("\(name): \(history.summary)")
            for (text, faults) in Dictionary(grouping: history.disturbances, by: \.text).sorted(by: { $0.key < $1.key }) {
                print("    \(faults.count) times \(text)")
            }
            let wrong = checker.faults(in: history)
            if wrong.isEmpty { return }
            let file = NSTemporaryDirectory() + "docker-nfsd-history-\(name).jsonl".replacing(" ", with: "-")
            try history.text.write(toFile: file, atomically: true, encoding: .utf8)
            Issue.record(
                "\(name): \(wrong.count) faults; make recheck HISTORY=\(file) tells them again: \(wrong.prefix(5).map(\.description).joined(separator: "\n"))"
            )
        }

        private static let seeds = {
            let first = ProcessInfo.processInfo.environment["DOCKER_NFSD_TEST_SEED"].flatMap { Int($0) } ?? 1
            return Array(first..<first + (isLong ? 50 : 1))
        }()

        @Test("what eight clients of two nodes are told is correct", arguments: seeds) func volumes(seed: Int) async throws {
            let (operations, faults, seconds) = Self.isLong ? (2000, 60, 600) : (160, 6, 30)
            let cases = #"""
                0) end $node; start $node; echo "a daemon is killed" ;;
                1) iptables -I INPUT -i br0 -s 10.78.0.1$([ $node = a ] && echo 1 || echo 2) -j DROP; seconds $length; iptables -F INPUT
                  echo "requests of a node are lost" ;;
                2) kill -STOP $(cat /n/$node/pid); seconds $length; kill -CONT $(cat /n/$node/pid); echo "a daemon is stopped" ;;
                3) restarted; echo "the server restarts" ;;
                4) iptables -I OUTPUT -d 10.78.0.1$([ $node = a ] && echo 1 || echo 2) -j DROP; seconds $length; iptables -F OUTPUT
                  echo "answers to a node are lost" ;;
                5) tc qdisc add dev to-$node root netem loss 20%; seconds $((length * 2)); tc qdisc del dev to-$node root
                  echo "a fifth of a node's packets is lost" ;;
                """#
            let script =
                Self.nodes + Self.nemesis(6, cases)
                + "client volumes /root/nemesis \(seed) \(operations) \(faults) \(seconds) a=/n/a/nfsd.sock b=/n/b/nfsd.sock"
            let history = try History(parsing: try await Guest.expect(script, limit: operations * 3 + 300))
            // An emulated machine is slow, and TCP takes its time after packets were lost.
            let limits = HistoryChecker.promised.merging([.list: 5_000_000]) { $1 }.mapValues { Int(Double($0) * testTimeFactor) }
            try check(history, "history \(seed) of two nodes on NFS", HistoryChecker(staleness: 16_000_000, limits: limits))
        }

        @Test("no acknowledged line is lost, and no two hold a lock, while the server restarts and daemons are killed")
        func locks() async throws {
            let faults = Self.isLong ? 200 : 4
            let cases = #"""
                0) restarted; echo "the server restarts" ;;
                1) end $node; start $node; echo "a daemon is killed" ;;
                """#
            let places = ["4.1", "4.2"].flatMap { version in
                ["a", "b"].map { "\($0):\(version)=/proc/$(cat /n/\($0)/holder)/root/n/\($0)/mounts/log\(version)/lines" }
            }
            let script =
                Self.nodes + Self.nemesis(2, cases) + #"""
                    ask() { printf 'POST /VolumeDriver.%s HTTP/1.1\r\nHost: n\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' "$2" "${#3}" "$3" |
                      socat -t 120 STDIO,ignoreeof UNIX-CONNECT:/n/$1/nfsd.sock | sed '1,/^\r$/d'; }
                    for version in 4.1 4.2; do
                      ask a Create '{"Name":"log'$version'","Opts":{"nfsvers":"'$version'","o":"hard"}}' > /dev/null
                      for node in a b; do
                        until ask $node Mount '{"Name":"log'$version'","ID":"1"}' | grep -q '"Err":""'; do sleep 0.5; done
                        inside $node grep -q " /n/$node/mounts/log$version nfs4 .*vers=$version" /proc/self/mounts
                      done
                    done

                    """# + "client locks /root/nemesis 1 2 \(faults) \(places.joined(separator: " ")) > /tmp/locks\n" + #"""
                    for version in 4.1 4.2; do for node in a b; do ask $node Unmount '{"Name":"log'$version'","ID":"1"}' > /dev/null; done; done
                    cat /tmp/locks
                    """#
            let history = try History(parsing: try await Guest.expect(script, limit: faults * 30 + 200))
            try check(history, "locks", HistoryChecker())
            #expect(history.operations.filter { $0.kind == .append && $0.outcome == .ok }.count > faults * 5)
            #expect(history.disturbances.count == faults)
        }
    }
}
