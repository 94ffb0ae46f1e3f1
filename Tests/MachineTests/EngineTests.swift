// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import TestSupport
import Testing

/// Its machine has packages that the others do not need, and is made for each Debian release.
private let isWanted = ProcessInfo.processInfo.environment["DOCKER_NFSD_TEST_ENGINES"] == "1"

extension MachineTests {
    /// mountpoint-runc below other engines than Docker, above other runtimes than runc, and with Docker's less usual settings, in the
    /// versions that a Debian release has.
    @Suite(
        .machine("engines", packages: ["buildah", "criu", "crun", "podman", "runsc"]),
        .enabled(if: isWanted, "has a machine with more packages: make test-engines"))
    struct Engines {
        private static let setup = """
            \(RecordingPlugin.setup(""))
            podman image exists localhost/busybox || podman import /usr/local/share/busybox.tar localhost/busybox >/dev/null 2>&1
            runtime=/usr/local/sbin/mountpoint-runc; run="run --rm --network none -v /srv/data:/m"; echo data > /srv/data/file
            below() { echo "{ \\"mount-point-plugins\\": [\\"recorder\\"]${1:+, \\"runtime-path\\": \\"$1\\"} }" > /etc/docker/mountpoint-runc.json; }
            # What a run printed and how it ended, and what the plugin was asked meanwhile.
            show() { echo "$1: $2 $(calls)"; rm -f /root/calls; }
            """

        @Test("podman above, and crun below, of this release")
        func podmanAndCrun() async throws {
            let output = try await Guest.expect(
                #"""
                \#(Self.setup)
                show podman "$(podman --runtime $runtime $run localhost/busybox sh -c 'cat /m/file; exit 7' || echo $?)"
                below /usr/bin/crun
                show podman-crun "$(podman --runtime $runtime $run localhost/busybox cat /m/file)"
                show docker-crun "$(docker $run --runtime mountpoint alpine cat /m/file)"
                find /run/mountpoint-runc/containers -type f
                """#, limit: 300)
            #expect(
                output == "podman: data\n7 Attach Detach\npodman-crun: data Attach Detach\ndocker-crun: data Attach Detach\n", "\(output)")
        }

        @Test("buildah, and podman build")
        func builds() async throws {
            let output = try await Guest.expect(
                #"""
                \#(Self.setup)
                mkdir -p context; printf 'FROM localhost/busybox\nRUN echo the $(cat /m/file) was read\n' > context/Containerfile
                build="build --isolation oci --runtime $runtime --network none --no-cache -v /srv/data:/m context"
                show buildah "$(buildah $build 2>&1 | grep '^the data')"
                show podman "$(podman --runtime $runtime ${build/--runtime $runtime/} 2>&1 | grep '^the data')"
                find /run/mountpoint-runc/containers -type f
                """#, limit: 300)
            #expect(output == "buildah: the data was read Attach Detach\npodman: the data was read Attach Detach\n", "\(output)")
        }

        @Test("a checkpoint is an end for the plugins, and a restore a beginning")
        func checkpoint() async throws {
            let output = try await Guest.expect(
                #"""
                \#(Self.setup)
                podman --runtime $runtime run -d --name counter --network none -v /srv/data:/m localhost/busybox \
                  sh -c 'i=0; while :; do i=$((i+1)); echo $i > /m/new; mv /m/new /m/count; sleep 0.2; done' >/dev/null
                until [ -e /srv/data/count ]; do sleep 0.2; done
                # CRIU gives up after 10 s, in which a slow machine may not get far.
                for try in 1 2 3 4 5; do podman --runtime $runtime container checkpoint counter >/dev/null 2>&1 && break; done
                show checkpoint "$(podman ps -a --format '{{.Status}}' | grep -c Exited)"; before=$(cat /srv/data/count)
                podman --runtime $runtime container restore counter >/dev/null
                for i in $(seq 100); do [ "$(cat /srv/data/count)" -gt "$before" ] && break; sleep 0.2; done
                show restore "$([ "$(cat /srv/data/count)" -gt "$before" ] && echo counts on)"
                podman rm -f -t 0 counter >/dev/null; show rm ""; find /run/mountpoint-runc/containers -type f
                """#, limit: 400)
            #expect(output == "checkpoint: 1 Attach Detach\nrestore: counts on Attach\nrm:  Detach\n", "\(output)")
        }

        @Test("gVisor's runsc below: what it shows of a mount is what the plugins were asked about")
        func gvisor() async throws {
            let output = try await Guest.expect(
                #"""
                \#(Self.setup)
                # Of its networks, only this one is for a container without a network. Not all control groups are known to it.
                printf '#!/bin/sh\nexec /usr/bin/runsc --network=none --ignore-cgroups "$@"\n' > /usr/local/bin/runsc-none
                chmod 755 /usr/local/bin/runsc-none; below /usr/local/bin/runsc-none
                # On an emulated processor it ends with status 2 by itself at times.
                for try in 1 2 3 4 5; do
                  rm -f /root/calls; podman --runtime $runtime $run localhost/busybox \
                    sh -c 'cat /m/file; echo more > /m/made; dmesg | grep -c gVisor' > shown && break; [ $? = 2 ] || break
                done
                show runsc "$(cat shown)"
                cat /srv/data/made; find /run/mountpoint-runc/containers -type f
                """#, limit: 400)
            #expect(output == "runsc: data\n1 Attach Detach\nmore\n", "\(output)")
        }

        @Test("with remapped users and Docker's data elsewhere, plugins are told what Docker knows of a volume")
        func remapped() async throws {
            let output = try await Guest.expect(
                #"""
                \#(Self.setup)
                echo dockremap:100000:65536 | tee -a /etc/subuid >> /etc/subgid; grep -q dockremap /etc/passwd ||
                  { echo dockremap:x:990:990::/:/usr/sbin/nologin >> /etc/passwd; echo dockremap:x:990: >> /etc/group; }
                cat > /etc/docker/daemon.json <<'END'
                { "userns-remap": "default", "data-root": "/srv/docker", "runtimes": { "mountpoint": { "path": "/usr/local/sbin/mountpoint-runc" } } }
                END
                systemctl restart docker; docker import /usr/local/share/busybox.tar alpine >/dev/null
                docker volume create --label kept=yes named >/dev/null
                show docker "$(docker run --rm --network none --runtime mountpoint -v named:/m alpine sh -c 'echo data > /m/file; stat -c %u /m/file')"
                stat -c %u /srv/docker/*/volumes/named/_data/file
                python3 -c 'import json; mount = json.load(open("/root/mounts"))[0]; print(mount["Volume"]["Name"], mount["Volume"]["Labels"])'
                find /run/mountpoint-runc/containers -type f
                """#, limit: 300)
            #expect(output == "docker: 0 Attach Detach\n100000\nnamed {'kept': 'yes'}\n", "\(output)")
        }
    }
}
