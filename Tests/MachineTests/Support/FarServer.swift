// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Testing

/// A second NFS server, in namespaces of the machine, with a network that can fail.
enum FarServer {
    /// What scripts begin with. Makes the server at 10.77.0.2 and fd99::2 once, and mends its network.
    ///
    /// `far COMMAND…` runs a command on the server, `on` gives it threads. The volumes: `far` is on it, `hard` too and waits for ever, and
    /// `good` is on the machine's own server. `m VOLUME [ID]` and `u VOLUME [ID]` mount and unmount, `took WORD COMMAND…` prints a command's
    /// milliseconds, `alone` those of mounting `good`, and `until_true SECONDS COMMAND…` waits.
    static let words = #"""
        far() { nsenter -n -m -u -t "$(cat /root/far.pid)" "$@"; }
        on() { far rpc.nfsd -V 3 -V 4 4; }
        m() { driver Mount "{\"Name\":\"$1\",\"ID\":\"${2:-1}\"}"; }
        u() { driver Unmount "{\"Name\":\"$1\",\"ID\":\"${2:-1}\"}"; }
        took() { local began=$(date +%s%N) word=$1; shift; "$@"; echo "$word $((($(date +%s%N) - began) / 1000000))"; }
        until_true() { local end=$(($(date +%s) + $1)); shift; until "$@" > /dev/null 2>&1; do [ $(date +%s) -lt $end ] || { echo "never: $*"; return 1; }; sleep 0.1; done; }
        mounts_now() { m "$@" | grep '"Err":""'; }
        # The milliseconds of three mounts, all together.
        three() { local began=$(date +%s%N) i; for i in 1 2 3; do mounts_now good > /dev/null; u good > /dev/null; done; echo "$1 $((($(date +%s%N) - began) / 1000000))"; }
        mend() { far iptables -F; tc qdisc del dev near root 2> /dev/null || true; }
        at=/var/lib/docker-volumes-nfsd
        if [ ! -s /root/far.pid ]; then
          ip netns add far; ip link add near type veth peer name far netns far
          ip addr add 10.77.0.1/24 dev near; ip addr add fd99::1/64 dev near nodad; ip link set near up
          ip -n far addr add 10.77.0.2/24 dev far; ip -n far addr add 10.77.0.3/24 dev far; ip -n far addr add fd99::2/64 dev far nodad
          ip -n far link set far up; ip -n far link set lo up
          mkdir -p -m 777 /exports/far /exports/small; mkdir -p /etc/exports.d
          options='(rw,no_root_squash,no_subtree_check,insecure)'
          echo "/exports/far 10.0.0.0/8$options fd00::/8$options" > /etc/exports.d/far.exports; exportfs -ra
          # A host name of its own, for the client takes two servers of one name for one. An rpcbind of its own, for version 3.
          ip netns exec far setsid unshare -m -u bash -c 'hostname far; mount -t nfsd nfsd /proc/fs/nfsd
            mount -t tmpfs run /run; mkdir -p /run/rpcbind; rpcbind; echo $$ > /root/far.pid; exec sleep infinity' > /dev/null 2>&1 &
          until_true 20 test -s /root/far.pid
          far bash -ec 'echo 10 > /proc/fs/nfsd/nfsv4leasetime; echo 10 > /proc/fs/nfsd/nfsv4gracetime; rpc.mountd -p 20048'; on
          export path=/exports/far server=10.77.0.2
          volume far; volume --opt o=hard hard; path=/exports/data server=127.0.0.1 volume good; unset path server
          # The first contact loads modules, and waits for the end of the grace period.
          mounts_now far; u far; mounts_now good; u good
        fi > /dev/null
        mend

        """#

    /// The long form of the tests with it, for a night.
    static let isLong = ProcessInfo.processInfo.environment["DOCKER_NFSD_TEST_LONG"] != nil

    /// Mounts of a healthy server's volume, beside one that fails, take at most this times what they take alone, or a time that shows that
    /// nothing was waited for.
    ///
    /// - Parameter output: has the lines `alone MILLISECONDS` and `beside MILLISECONDS`.
    static func expectHealthy(_ output: String, times limit: Int, at location: SourceLocation = #_sourceLocation) {
        let (alone, beside) = (Guest.number("alone", in: output), Guest.number("beside", in: output))
        print("three mounts from a healthy server: \(alone) ms alone, \(beside) ms beside a dead one")
        #expect(alone > 0 && beside >= 0 && beside <= max(alone * limit, 10_000), "\(output)", sourceLocation: location)
    }
}
