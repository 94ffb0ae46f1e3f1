// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import HistoryChecker
import TestSupport
import Testing
import VolumeWorkload

extension FaultTests {
    /// The power is cut between any two writes to a disk that has the daemon's state and the share with its catalogue.
    ///
    /// A virtual machine notes the writes: its kernel has the device mapper's log-writes, and NFS between the daemon and the catalogue. What
    /// the disk was at each moment is then looked at on this machine.
    @Suite(.serialized, .needs(.machine), .timeLimit(.minutes(600))) struct PowerLossTests {
        private static let settings = DaemonHost.Settings(share: "127.0.0.1:/disk", refresh: 2)

        @Test func whatWasAcknowledgedIsThereAndNothingIsDamaged() async throws {
            try await withScratchFolder { scratch in
                let folder = String(describing: scratch)
                let image = folder + "/base.img"
                try await makeImage(image)
                let disk = Array(try Data(contentsOf: URL(fileURLWithPath: image)))
                let began = ContinuousClock.now
                let seed = FaultTests.number("DOCKER_NFSD_TEST_SEED", else: 1)
                let (history, log) = try await record(image, in: folder, operations: FaultTests.isLong ? 1000 : 36, seed: seed)
                #expect(history.operations.allSatisfy { $0.outcome == .ok })
                print(
                    "power loss, seed \(seed): \(history.summary)\n    \(log.entries.filter(\.changesSomething).count) writes, noted in \(ContinuousClock.now - began)"
                )
                var settings = Self.settings
                settings.image = image
                settings.stateIsOnExport = true
                try await DaemonHost.with(1, settings) { hosts in
                    let cuts = PowerCuts(log, on: disk, SeededNumbers(seed: seed))
                    let step = FaultTests.isLong ? 1 : max(1, log.entries.count / 80)
                    try await check(cuts, each: step, history, on: hosts[0])
                }
            }
        }

        private func makeImage(_ path: String) async throws {
            let words = [
                "mkfs.ext4", "-q", "-F", "-b", "1024", "-J", "size=2", "-m", "0", "-E", "lazy_itable_init=0,nodiscard", path, "16M",
            ]
            let result = try await command(words)
            guard result.status == 0 else { throw Trouble("\(result)") }
        }

        // MARK: In the machine

        /// What the writes are noted of.
        private func script(operations: Int, seed: Int) -> String {
            #"""
            set -e
            systemctl stop docker-nfsd.socket docker-nfsd.service
            modprobe -a dm_log_writes loop
            printf '%032x\n' 1 > /etc/machine-id
            cp /payload/test/base.img /tmp/; truncate -s LENGTH /tmp/log.img
            data=$(losetup -f --show /tmp/base.img); log=$(losetup -f --show /tmp/log.img)
            dmsetup create power --table "0 $(blockdev --getsz "$data") log-writes $data $log"; dmsetup mknodes
            mkdir -p /disk /run/power /etc/exports.d; mount /dev/mapper/power /disk
            echo '/disk 127.0.0.1(rw,sync,no_root_squash,no_subtree_check,insecure)' > /etc/exports.d/disk.exports; exportfs -ra
            export DOCKER_NFSD_STATE_DIRECTORY=/disk/state DOCKER_NFSD_RUNTIME_DIRECTORY=/run/power/run DOCKER_NFSD_RETRY=off \
              DOCKER_NFSD_MOUNT_DIRECTORY=/run/power/mounts DOCKER_NFSD_SOCKET_DIRECTORY=/run/power DOCKER_NFSD_ENGINE_SOCKET=none \
              DOCKER_NFSD_SHARE=127.0.0.1:/disk DOCKER_NFSD_SHARE_REFRESH=2
            docker-nfsd serve > /tmp/daemon.log 2>&1 & daemon=$!
            until [ -S /run/power/nfsd.sock ]; do sleep 0.1; done
            LD_LIBRARY_PATH=/payload/test /payload/test/guest-client record /run/power/nfsd.sock SEED OPERATIONS power > /tmp/history || \
              { tail /tmp/daemon.log; exit 1; }
            kill $daemon; wait $daemon || true
            grep ' nfs4\? ' /proc/self/mounts | cut -d ' ' -f 2 | xargs -r umount
            systemctl stop nfs-server; umount /disk; dmsetup remove power; losetup -d "$data" "$log"
            """#.replacing("SEED", with: String(seed)).replacing("OPERATIONS", with: String(operations))
                .replacing("LENGTH", with: FaultTests.isLong ? "900M" : "64M")
        }

        private func record(_ image: String, in folder: String, operations: Int, seed: Int) async throws -> (History, WriteLog) {
            let machine = VirtualMachine(name: "power", tools: [Programs.folder + "/guest-client", image])
            var history = History()
            try await VirtualMachine.stopping([machine]) {
                try await machine.start()
                let limit = 300 + operations * 2
                let recorded = try await machine.run(script(operations: operations, seed: seed), limit: limit)
                guard recorded.status == 0 else { throw Trouble("recording failed: \(recorded)") }
                history = try History(parsing: try await output(of: "cat /tmp/history", machine))
                try (try await output(of: "tar -C /tmp -czS log.img | base64 -w 0", machine)).write(
                    toFile: folder + "/log.base64", atomically: false, encoding: .utf8)
            }
            let unpacked = try await command(["bash", "-c", "base64 -d < \(folder)/log.base64 | tar -C \(folder) -xz"])
            guard unpacked.status == 0 else { throw Trouble("the log of writes cannot be unpacked: \(unpacked)") }
            return (
                history,
                try WriteLog(parsing: Array(try Data(contentsOf: URL(fileURLWithPath: folder + "/log.img"), options: .mappedIfSafe)))
            )
        }

        private func output(of script: String, _ machine: VirtualMachine) async throws -> String {
            let result = try await machine.run(script, limit: 300)
            guard result.status == 0 else { throw Trouble("\(script): \(result)") }
            return result.output
        }

        // MARK: On this machine

        /// - Parameter step: of so many moments one is looked at.
        private func check(_ cuts: PowerCuts, each step: Int, _ history: History, on host: DaemonHost) async throws {
            var cuts = cuts
            var (moments, states, failures) = (0, 0, 0)
            let began = ContinuousClock.now
            while failures < 5, let moment = try cuts.advance(skipping: step - 1) {
                moments += 1
                let expected = ExpectedVolumes(history, marks: moment.marks)
                for disk in moment.disks {
                    states += 1
                    let wrong = await faults(of: disk, expected, on: host)
                    if wrong.isEmpty { continue }
                    failures += 1
                    Issue.record(
                        "power cut \(moments), after \(moment.marks.last ?? "no mark"): \(wrong.joined(separator: "; "))\n\(host.log.suffix(1500))"
                    )
                }
            }
            print("    \(states) states at \(moments) moments in \(ContinuousClock.now - began), \(failures) faults")
        }

        private func faults(of disk: [UInt8], _ expected: ExpectedVolumes, on host: DaemonHost) async -> [String] {
            do {
                try await host.startAgain(with: disk)
                let wrong = await host.lastingFaults { try await host.powerCutFaults(expected) }
                if wrong.isEmpty { try await useOnce(host) }
                return wrong
            } catch {
                return ["\(error)"]
            }
        }

        /// It is of use still.
        private func useOnce(_ host: DaemonHost) async throws {
            try await host.succeed(.create("probe", ["server": "nas", "path": "/export"]))
            try await host.succeed(.remove("probe"))
        }
    }
}
