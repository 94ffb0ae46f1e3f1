// SPDX-License-Identifier: AGPL-3.0-or-later

import Testing
import TestSupport

extension MachineTests {
    /// Servers that go away, come back, move and forget, while volumes of theirs are mounted or wanted. 127.0.0.1 and 127.0.0.2 are the two
    /// servers: rules of iptables take one of them off the network.
    @Suite(.machine("faults")) struct ServerFaults {
        /// The number behind a word in what a script has printed.
        private func number(_ word: String, in output: String) -> Int {
            output.split(separator: "\n").first { $0.hasPrefix(word + " ") }.flatMap { Int($0.dropFirst(word.count + 1)) } ?? -1
        }

        private static let words = #"""
            away() { iptables -I INPUT -d 127.0.0.1 -p tcp --dport 2049 -j DROP; }
            back() { iptables -D INPUT -d 127.0.0.1 -p tcp --dport 2049 -j DROP; }
            m() { driver Mount "{\"Name\":\"$1\",\"ID\":\"${2:-1}\"}"; }
            u() { driver Unmount "{\"Name\":\"$1\",\"ID\":\"${2:-1}\"}"; }
            took() { local began=$(date +%s%N) word=$1; shift; "$@"; echo "$word $((($(date +%s%N) - began) / 1000000))"; }
            rm -rf /exports/data/*

            """#

        @Test("a server that is away is asked once, holds up nobody else, and is used again when it is back")
        func oneServerAway() async throws {
            let output = try await Guest.expect(
                Self.words + #"""
                    volume dead1 >/dev/null; volume dead2 >/dev/null; server=127.0.0.2 volume good >/dev/null
                    away; (m dead1 > /tmp/dead1) & first=$!
                    until ss -tn state syn-sent | grep -q :2049; do sleep 0.1; done
                    took healthy m good; took list docker volume ls -q; took inspect docker volume inspect good >/dev/null
                    wait $first; cat /tmp/dead1; took second m dead2
                    back; for i in $(seq 200); do m dead2 | grep -q '"Err":""' && break; sleep 0.3; done
                    echo "used again $(mounts)"; u good >/dev/null; u dead2 >/dev/null; docker volume rm dead1 dead2 good >/dev/null; mounts || true
                    """#)
            #expect(output.contains("no answer to the connection within 5 s"), "\(output)")
            #expect(output.contains("127.0.0.1 has not answered since"), "\(output)")
            #expect(output.contains("used again 2\n") && output.hasSuffix("\n0\n"), "\(output)")
            for word in ["healthy", "list", "inspect", "second"] {
                #expect((0..<4500).contains(number(word, in: output)), "\(word) waited for the dead server: \(output)")
            }
        }

        @Test("an unmount ends in time while the server is away, breaks no other volume of it, loses no data, and names who is busy")
        func unmountWithoutServer() async throws {
            let output = try await Guest.expect(
                Self.words + #"""
                    place=/var/lib/docker-volumes-nfsd; since=$(date '+%F %T')
                    for v in one two; do volume --opt o=hard $v >/dev/null; m $v >/dev/null; done
                    stat -c '%d' $place/one $place/two | uniq | wc -l
                    cat > /tmp/user <<'END'
                    exec 3> /var/lib/docker-volumes-nfsd/one/late; echo ready; until [ -e /tmp/away ]; do sleep 0.1; done; echo text >&3; exec sleep 1000
                    END
                    rm -f /tmp/away; coproc bash /tmp/user; read -r -u ${COPROC[0]}; user=$COPROC_PID
                    away; touch /tmp/away; until [ "$(cat /proc/$user/comm)" = sleep ]; do sleep 0.1; done
                    (dd if=/dev/zero of=$place/two/kept bs=64k count=4 conv=fsync 2>/dev/null; echo "writer $?") > /tmp/writer & writer=$!
                    took unmount u one
                    echo "mounted $(mounts)"; kill -9 $user; back; wait $writer; cat /tmp/writer; stat -c 'size %s' /exports/data/kept
                    for i in $(seq 300); do [ -s /exports/data/late ] && break; sleep 0.2; done; cat /exports/data/late
                    journalctl -u docker-nfsd --since "$since" -o cat | grep -c "volume one is still used on this host by process $user (sleep)"
                    u two >/dev/null; docker volume rm one two >/dev/null; mounts || true
                    """#)
            #expect(output.hasPrefix("1\n"), "the two do not share a superblock: \(output)")
            #expect((0..<20_000).contains(number("unmount", in: output)), "\(output)")
            #expect(output.contains("\"Err\":\"\"") && output.contains("mounted 1\n"), "\(output)")
            #expect(output.contains("writer 0\nsize 262144\ntext\n1\n0\n"), "\(output)")
        }

        @Test("a directory that was replaced on the server is mounted afresh for the next container, and the old one is shown")
        func staleDirectory() async throws {
            let output = try await Guest.expect(
                Self.words + #"""
                    volume --opt subdir=sub --opt create=true stale >/dev/null
                    docker run -d --name old --stop-timeout 1 -v stale:/m:nocopy alpine sleep 1000 >/dev/null
                    rm -rf /exports/data/sub; mkdir /exports/data/sub; echo new > /exports/data/sub/file
                    docker exec old cat /m/file 2>&1 | grep -c Stale || true
                    docker run --rm -v stale:/m:nocopy alpine cat /m/file; mounts
                    docker-nfsd status | grep 'held by'; docker volume inspect -f '{{json .Status.heldBy}}' stale
                    docker restart old >/dev/null; docker exec old cat /m/file; docker-nfsd status | grep 'held by'
                    docker rm -f old >/dev/null; docker volume rm stale >/dev/null; mounts || true
                    """#)
            #expect(output.contains("new\n1\n  held by    container old, which has a stale mount: restart it\n"), "\(output)")
            #expect(output.contains("\"outdated\":true"), "\(output)")
            #expect(output.hasSuffix("new\n  held by    container old\n0\n"), "\(output)")
        }

        @Test("an export that is withdrawn and comes back is mounted again, and nothing is written to this host meanwhile")
        func withdrawnExport() async throws {
            let output = try await Guest.expect(
                Self.words + #"""
                    mkdir -p /exports/loan; exportfs -o rw,no_root_squash,fsid=77 '*:/exports/loan'
                    path=/exports/loan volume loan >/dev/null; m loan 1 >/dev/null; exportfs -u '*:/exports/loan'; exportfs -f
                    took withdrawn m loan 2
                    place=/var/lib/docker-volumes-nfsd/loan
                    if touch $place/local 2>/dev/null && [ ! -e /exports/loan/local ]; then echo "written to this host"; fi
                    exportfs -o rw,no_root_squash,fsid=77 '*:/exports/loan'
                    for i in $(seq 50); do m loan 2 | grep -q '"Err":""' && break; sleep 0.3; done
                    touch $place/there; ls /exports/loan | grep there; u loan 1 >/dev/null; u loan 2 >/dev/null; u loan 2 >/dev/null
                    docker volume rm loan >/dev/null; exportfs -u '*:/exports/loan'; mounts || true
                    """#)
            #expect((0..<45_000).contains(number("withdrawn", in: output)), "\(output)")
            #expect(!output.contains("written to this host") && output.hasSuffix("there\n0\n"), "\(output)")
        }

        @Test("a container that starts before its server has its volume when the server is there")
        func serverComesLater() async throws {
            let output = try await Guest.expect(
                Self.words + #"""
                    mv /etc/systemd/system/docker-nfsd.service.d/test.conf /tmp/test.conf; systemctl daemon-reload
                    echo '{"retry": 60}' > /etc/docker/docker-nfsd.json; systemctl restart docker-nfsd; since=$(date '+%F %T')
                    volume late >/dev/null; echo here > /exports/data/file; away
                    (docker run --rm -v late:/m:nocopy alpine cat /m/file > /tmp/late 2>&1; echo "status $?" >> /tmp/late) & run=$!
                    until journalctl -u docker-nfsd --since "$since" -o cat | grep -q 'mounting volume late: waiting for up to'; do sleep 0.3; done
                    back; wait $run; cat /tmp/late
                    docker volume rm late >/dev/null; rm /etc/docker/docker-nfsd.json
                    mv /tmp/test.conf /etc/systemd/system/docker-nfsd.service.d/; systemctl daemon-reload; systemctl restart docker-nfsd; mounts || true
                    """#)
            #expect(output.hasSuffix("here\nstatus 0\n0\n"), "\(output)")
        }

        @Test("a name with a dead address, one that moves between mounts, and one of IPv6 only")
        func names() async throws {
            let output = try await Guest.expect(
                Self.words + #"""
                    cp /etc/hosts /tmp/hosts; ip route add unreachable 10.98.0.0/24
                    printf '10.98.0.1 half-dead\n127.0.0.2 half-dead\n127.0.0.2 moving\n::1 only-six\n' >> /etc/hosts
                    address() { docker volume inspect -f '{{.Status.address}}' $1; }
                    # One after the other: the client of version 4 uses one connection for all addresses of a server.
                    once() { m $1 >/dev/null; address $1; u $1 >/dev/null; }
                    for v in half-dead moving only-six; do server=$v volume $v >/dev/null; once $v; done
                    sed -i 's/127.0.0.2 moving/127.0.0.1 moving/' /etc/hosts; once moving
                    docker volume rm half-dead moving only-six >/dev/null
                    cp /tmp/hosts /etc/hosts; ip route del unreachable 10.98.0.0/24; mounts || true
                    """#)
            #expect(output == "127.0.0.2\n127.0.0.2\n::1\n127.0.0.1\n0\n", "\(output)")
        }
    }
}
