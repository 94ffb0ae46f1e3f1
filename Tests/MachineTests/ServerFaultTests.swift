// SPDX-License-Identifier: AGPL-3.0-or-later

import TestSupport
import Testing

extension MachineTests {
    /// A second NFS server, in a network namespace of the machine, whose network fails while it is needed.
    @Suite(.machine("faults")) struct ServerFaults {
        @Test("a server whose packets are lost in the middle of a mount holds up nobody else, and is used again when they are not")
        func cutInTheMiddle() async throws {
            let output = try await Guest.expect(
                FarServer.words + #"""
                    echo '{"mount-deadline": 15}' > /etc/docker/docker-nfsd.json; systemctl restart docker-nfsd
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
            #expect((0..<11_000).contains(Guest.number("healthy", in: output)), "the dead server's deadline is 15 s: \(output)")
        }

        @Test("an unmount whose packets are lost ends in time; with a fifth of them lost, mounting works")
        func unmountAndLoss() async throws {
            let output = try await Guest.expect(
                FarServer.words + #"""
                    m far; far iptables -I INPUT -j DROP; took unmount u far; echo "left $(mounts)"
                    took healthy m good; u good; far iptables -F
                    tc qdisc add dev near root netem loss 20% delay 50ms
                    for i in $(seq 200); do m far | grep -q '"Err":""' && break; sleep 0.3; done
                    echo "used again $(mounts)"; u far; tc qdisc del dev near root; mounts || true
                    """#)
            #expect(output.contains("left 0\n") && output.contains("used again 1\n") && output.hasSuffix("\n0\n"), "\(output)")
            #expect(output.matches(of: /"Err":""/).count == 5, "a call has failed: \(output)")
            #expect((0..<45_000).contains(Guest.number("unmount", in: output)), "\(output)")
            #expect((0..<20_000).contains(Guest.number("healthy", in: output)), "\(output)")
        }

        @Test("a name with dead addresses, one that moves between mounts, and one of IPv6 only")
        func names() async throws {
            let output = try await Guest.expect(
                FarServer.words + #"""
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
