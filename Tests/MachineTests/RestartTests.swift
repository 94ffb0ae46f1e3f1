// SPDX-License-Identifier: AGPL-3.0-or-later

import Testing
import TestSupport

extension MachineTests {
    /// Restarts of the daemon, of Docker and of the machine, with a container running.
    @Suite(.machine("restarts")) struct Restarts {
        @Test(
            "after a restart the volume is listed once, a new container finds its data, and removal leaves nothing",
            arguments: [
                "systemctl restart docker-nfsd",
                "systemctl kill -s KILL docker-nfsd; sleep 2; systemctl is-active docker-nfsd || systemctl start docker-nfsd",
                "systemctl restart docker", "systemctl restart docker-nfsd; systemctl restart docker",
                "systemctl restart docker; systemctl restart docker-nfsd",
                "systemctl kill -s KILL docker; until docker info >/dev/null 2>&1; do sleep 0.5; systemctl start docker; done",
            ])
        func restarts(commands: String) async throws {
            let output = try await Guest.run(
                """
                rm -rf /exports/data/*
                volume kept; docker run -d --stop-timeout 1 --name holder -v kept:/m alpine sh -c 'echo data > /m/file; sleep 1000' > /dev/null
                until [ -s /exports/data/file ]; do sleep 0.2; done
                \(commands)
                until docker info > /dev/null 2>&1; do sleep 0.5; done
                echo "listed $(docker volume ls -q 2>&1 | grep -c .)"
                docker run --rm -v kept:/m:ro alpine cat /m/file
                docker rm -f holder > /dev/null; docker volume rm kept
                echo "left $(mounts) $(ls -A /var/lib/docker-volumes-nfsd /run/docker-nfsd/references | grep -v : | grep -c .)"
                """, limit: 300)
            #expect(output.output.contains("listed 1\ndata\nkept\nleft 0 0\n"), "\(output)")
        }

        @Test("stopping the daemon unmounts nothing; its sockets go with their unit, and a dead one is never left")
        func stopping() async throws {
            let output = try await Guest.expect(
                """
                volume stay > /dev/null; driver Mount '{"Name":"stay","ID":"1"}' > /dev/null
                systemctl stop docker-nfsd.socket docker-nfsd.service; ls /run/docker/plugins; mounts
                systemctl start docker-nfsd; ls /run/docker/plugins; docker volume inspect -f '{{.Status.state}} {{.Status.references}}' stay
                driver Unmount '{"Name":"stay","ID":"1"}' > /dev/null; docker volume rm stay > /dev/null; mounts || true
                """)
            #expect(output == "1\ndocker-nfsd.sock\nnfsd.sock\nmounted 1\n0\n", "\(output)")
        }

        @Test("the unit leaves the daemon in the host's mount namespace, and doctor finds nothing wrong")
        func unit() async throws {
            let output = try await Guest.expect(
                """
                [ "$(readlink /proc/1/ns/mnt)" = "$(readlink /proc/$(systemctl show -p MainPID --value docker-nfsd)/ns/mnt)" ] && echo same
                docker-nfsd doctor 127.0.0.1:/exports/data
                systemd-analyze verify /etc/systemd/system/docker-nfsd.service /etc/systemd/system/docker-nfsd.socket 2>&1 | grep docker-nfsd || true
                """)
            #expect(output.hasPrefix("same\n") && !output.contains("[failed]") && output.contains("[ok] trial mount"), "\(output)")
        }

        /// Each is refused by one line of the unit: the filter of system calls twice, the capabilities twice, and the others.
        private static let tries = #"""
            cat > /root/try.py <<'END'
            import ctypes, errno, mmap, os, socket, stat
            libc = ctypes.CDLL(None, use_errno=True)
            def call(name, *words):
                if getattr(libc, name)(*words) != 0: raise OSError(ctypes.get_errno(), name)
            tries = [
                ("mount", lambda: call("mount", b"tmpfs", b"/mnt", b"tmpfs", 0, None)), ("umount", lambda: call("umount2", b"/mnt", 0)),
                ("swapoff", lambda: call("swapoff", b"/none")), ("delete_module", lambda: call("syscall", 176, b"none", 0)),
                ("mknod", lambda: os.mknod(f"/tmp/node-{os.getpid()}", stat.S_IFCHR | 0o600, os.makedev(1, 3))),
                ("unshare", lambda: call("unshare", 0x20000)),
                ("socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)), ("mmap", lambda: mmap.mmap(-1, 4096, prot=7)),
                ("setuid", lambda: os.setuid(1)),
            ]
            for name, work in tries:
                try: result = work() and "ok" or "ok"
                except OSError as error: result = errno.errorcode[error.errno]
                print(name, result, end="; ")
            print()
            END
            lines=$(systemctl cat docker-nfsd | grep -E '^(NoNew|Capab|SystemCall|Restrict(Addr|Names|Real)|LockP|MemoryD)')
            words=(); while IFS= read -r line; do words+=(-p "$line"); done <<< "$lines"
            python3 /root/try.py
            systemd-run --quiet --wait --pipe "${words[@]}" python3 /root/try.py
            rm -f /tmp/node-*
            """#

        @Test("what the unit confines is refused, and mounting is not")
        func confined() async throws {
            let output = try await Guest.expect(Self.tries)
            let free = "swapoff ENOENT; delete_module ENOENT; mknod ok; unshare ok; socket ok; mmap ok; setuid ok; \n"
            let refused =
                "swapoff EPERM; delete_module EPERM; mknod EPERM; unshare EPERM; socket EAFNOSUPPORT; mmap EACCES; setuid EPERM; \n"
            #expect(output == "mount ok; umount ok; \(free)mount ok; umount ok; \(refused)", "\(output)")
        }

        @Test("after a power cut the volume is there, and a container that restarts by itself has its data")
        func powerCut() async throws {
            try await Guest.expect(
                """
                volume boot; docker run -d --restart always --name back -v boot:/m alpine sh -c 'cat /m/file 2>&1; sleep 1000' > /dev/null
                docker run --rm -v boot:/m alpine sh -c 'echo survived > /m/file; sync'; sync
                """)
            try await Guest.machine?.reset()
            let output = try await Guest.expect(
                """
                for i in $(seq 100); do [ "$(docker inspect -f '{{.State.Running}}' back)" = true ] && break; sleep 0.5; done
                docker volume ls -q; docker exec back cat /m/file; mounts; docker rm -f back > /dev/null; docker volume rm boot > /dev/null; mounts || true
                """)
            #expect(output == "boot\nsurvived\n1\n0\n", "\(output)")
        }
    }
}
