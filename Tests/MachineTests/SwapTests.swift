// SPDX-License-Identifier: AGPL-3.0-or-later

import TestSupport
import Testing

extension MachineTests {
    /// What a swap device gets to see of a container's tmpfs.
    @Suite(.machine("swap")) struct Swap {
        /// Writes 16 MiB that no process has in its memory as such (so that only a tmpfs can bring it to the device), has the kernel push
        /// the container's memory out, another tmpfs among it, and counts the lines on the device.
        private static let trial = #"""
            trial() {
              truncate -s 0 /root/swap; fallocate -l 128M /root/swap; device=$(losetup --find --show /root/swap)
              mkswap "$device" >/dev/null; swapon "$device"
              docker run -d --name keys --runtime mountpoint --memory 256m --memory-swap 512m --tmpfs /keys:size=32m --tmpfs /fill:size=64m \
                "$@" alpine sleep 1000 >/dev/null
              docker exec keys sh -c 'yes canary | tr acnry bdopz | head -c 16777216 >/keys/canary; dd if=/dev/urandom of=/fill/x bs=64k count=800 2>/dev/null'
              group=/sys/fs/cgroup/system.slice/docker-$(docker inspect -f '{{.Id}}' keys).scope
              # As much as can be had; noswap keeps it from having all.
              timeout 60 sh -c "echo 60M >$group/memory.reclaim" 2>/dev/null || true
              swapped=$(($(cat $group/memory.swap.current) >> 20))
              sync; echo 1 >/proc/sys/vm/drop_caches
              echo "found $(tr bdopz acnry <"$device" | grep -a -c canary)" "swapped $swapped"
              docker exec keys sh -c 'head -c 700 /keys/canary | tail -n 1 | tr bdopz acnry; stat -c %s /keys/canary'
              docker rm -f keys >/dev/null; swapoff "$device"; losetup -d "$device"; rm /root/swap
            }
            """#

        @Test(
            "Under memory pressure, what is in a plain tmpfs is found on the swap device, and with noswap it is not", .needs(.recentMachine)
        )
        func canary() async throws {
            let output = try await Guest.expect(
                """
                echo '{ "mount-point-plugins": ["noswap"] }' > /etc/docker/mountpoint-runc.json
                echo '{ "runtimes": { "mountpoint": { "path": "/usr/local/sbin/mountpoint-runc" } } }' > /etc/docker/daemon.json
                systemctl enable --now mountpoint-plugin@noswap.socket 2>/dev/null
                systemctl reset-failed docker docker.socket 2>/dev/null || true; systemctl restart docker; modprobe loop
                \(Self.trial)
                trial; trial --label mountpoint.noswap=/keys
                mountpoint-plugin doctor noswap; ls -A /var/lib/mountpoint-plugin/noswap; grep -c mountpoint-plugin /proc/self/mountinfo || true
                """, limit: 400)
            let lines = output.split(separator: "\n").map(String.init)
            let counts = lines.compactMap { $0.firstMatch(of: /^found ([0-9]+) swapped ([0-9]+)$/) }
                .map { (found: Int($0.output.1) ?? -1, swapped: Int($0.output.2) ?? -1) }
            try #require(counts.count == 2, "\(output)")
            // Some 2.4 million lines were written.
            #expect(counts[0].found > 100_000 && counts[1].found == 0, "\(output)")
            #expect(counts.allSatisfy { $0.swapped >= 30 }, "\(output)")
            #expect(lines.filter { $0 == "canary" }.count == 2 && lines.filter { $0 == "16777216" }.count == 2, "\(output)")
            #expect(lines.contains("[ok] noswap: this kernel keeps a tmpfs out of swap") && lines.last == "0", "\(output)")
        }
    }
}
