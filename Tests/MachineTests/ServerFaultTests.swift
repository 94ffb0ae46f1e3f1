// SPDX-License-Identifier: AGPL-3.0-or-later

import TestSupport
import Testing

extension MachineTests {
    /// A second NFS server, in a network namespace of the machine, whose network fails while it is needed.
    @Suite(.machine("faults")) struct ServerFaults {
        /// Makes the server at 10.77.0.2 and fd99::2 once, with a volume `far` on it; `good` is on the machine's own server.
        private static let words = #"""
            far() { ip netns exec far "$@"; }
            m() { driver Mount "{\"Name\":\"$1\",\"ID\":\"1\"}"; }
            u() { driver Unmount "{\"Name\":\"$1\",\"ID\":\"1\"}"; }
            took() { local began=$(date +%s%N) word=$1; shift; "$@"; echo "$word $((($(date +%s%N) - began) / 1000000))"; }
            if ! ip netns list | grep -q far; then
              ip netns add far; ip link add near type veth peer name far netns far
              ip addr add 10.77.0.1/24 dev near; ip addr add fd99::1/64 dev near nodad; ip link set near up
              ip -n far addr add 10.77.0.2/24 dev far; ip -n far addr add 10.77.0.3/24 dev far; ip -n far addr add fd99::2/64 dev far nodad
              ip -n far link set far up; ip -n far link set lo up
              mkdir -p -m 777 /exports/far; mkdir -p /etc/exports.d
              options='(rw,no_root_squash,no_subtree_check,insecure)'
              echo "/exports/far 10.0.0.0/8$options fd00::/8$options" > /etc/exports.d/far.exports; exportfs -ra
              # A host name of its own, for the client takes two servers of one name for one.
              far unshare -m -u bash -ec 'hostname far; mount -t nfsd nfsd /proc/fs/nfsd; echo 10 > /proc/fs/nfsd/nfsv4leasetime
                echo 10 > /proc/fs/nfsd/nfsv4gracetime; rpc.mountd -N 3; rpc.nfsd -N 3 4'
              server=10.77.0.2 path=/exports/far volume far >/dev/null; volume good >/dev/null
            fi

            """#

        private func number(_ word: String, in output: String) -> Int {
            output.split(separator: "\n").first { $0.hasPrefix(word + " ") }.flatMap { Int($0.dropFirst(word.count + 1)) } ?? -1
        }

        @Test("a server whose packets are lost in the middle of a mount holds up nobody else, and is used again when they are not")
        func cutInTheMiddle() async throws {
            let output = try await Guest.expect(
                Self.words + #"""
                    echo '{"mount-deadline": 20}' > /etc/docker/docker-nfsd.json; systemctl restart docker-nfsd
                    far iptables -I INPUT -p tcp --dport 2049 -m connbytes --connbytes 8: --connbytes-dir both --connbytes-mode packets -j DROP
                    (m far > /tmp/far) & first=$!
                    until pgrep -x nfsd-mount > /dev/null; do sleep 0.1; done
                    took healthy m good; took list docker volume ls -q > /dev/null; u good
                    wait $first; cat /tmp/far; far iptables -F
                    for i in $(seq 200); do m far | grep -q '"Err":""' && break; sleep 0.3; done
                    echo "used again $(mounts)"; u far; rm /etc/docker/docker-nfsd.json; systemctl restart docker-nfsd; mounts || true
                    """#)
            #expect(output.contains("did not complete the mount within"), "\(output)")
            #expect(output.contains("used again 1\n") && output.hasSuffix("\n0\n"), "\(output)")
            #expect((0..<15_000).contains(number("healthy", in: output)), "the dead server's deadline is 20 s: \(output)")
        }

        @Test("an unmount whose packets are lost ends in time; with a fifth of them lost, mounting works")
        func unmountAndLoss() async throws {
            let output = try await Guest.expect(
                Self.words + #"""
                    m far; far iptables -I INPUT -j DROP; took unmount u far; echo "left $(mounts)"
                    took healthy m good; u good; far iptables -F
                    tc qdisc add dev near root netem loss 20% delay 50ms
                    for i in $(seq 200); do m far | grep -q '"Err":""' && break; sleep 0.3; done
                    echo "used again $(mounts)"; u far; tc qdisc del dev near root; mounts || true
                    """#)
            #expect(output.contains("left 0\n") && output.contains("used again 1\n") && output.hasSuffix("\n0\n"), "\(output)")
            #expect(output.matches(of: /"Err":""/).count == 5, "a call has failed: \(output)")
            #expect((0..<45_000).contains(number("unmount", in: output)), "\(output)")
            #expect((0..<20_000).contains(number("healthy", in: output)), "\(output)")
        }

        @Test("a name with dead addresses, one that moves between mounts, and one of IPv6 only")
        func names() async throws {
            let output = try await Guest.expect(
                Self.words + #"""
                    ip route add unreachable 10.98.0.0/24
                    server=many path=/exports/far volume many > /dev/null
                    address() { m many > /dev/null; docker volume inspect -f '{{.Status.address}}' many; u many > /dev/null; sed -i '/ many$/d' /etc/hosts; }
                    printf '10.98.0.1 many\n10.77.0.9 many\n10.77.0.2 many\n' >> /etc/hosts; address
                    echo '10.77.0.3 many' >> /etc/hosts; address
                    echo 'fd99::2 many' >> /etc/hosts; address
                    docker volume rm many > /dev/null; ip route del unreachable 10.98.0.0/24; mounts || true
                    """#)
            #expect(output == "10.77.0.2\n10.77.0.3\nfd99::2\n0\n", "\(output)")
        }
    }
}
