// SPDX-License-Identifier: AGPL-3.0-or-later

import TestSupport
import Testing

extension MachineTests {
    /// The plugins that ship, as their units serve them, below an engine that is newer than this machine's.
    @Suite(.machine("plugins")) struct ShippedPlugins {
        private static let setup = """
            mkdir -p /etc/docker/mountpoint-plugin
            echo '{ "mount-point-plugins": ["translate", "policy", "ownership", "copy-on-write", "noswap"] }' > /etc/docker/mountpoint-runc.json
            echo '{ "runtimes": { "mountpoint": { "path": "/usr/local/sbin/mountpoint-runc" } } }' > /etc/docker/daemon.json
            cat > /etc/docker/mountpoint-plugin/policy.json <<'END'
            {"rules": [{"action": "deny", "source": ["/var/lib/docker/volumes/web/_data/private", "/srv/secret"], "reason": "it is secret"}]}
            END
            for kind in translate policy ownership copy-on-write noswap; do systemctl enable --now mountpoint-plugin@$kind.socket 2>/dev/null; done
            systemctl reset-failed docker docker.socket 2>/dev/null || true; systemctl restart docker
            run="docker run --rm --runtime mountpoint"
            """

        @Test("doctor finds a right order, every plugin of the chain served, and what each needs of this kernel", .needs(.recentMachine))
        func doctor() async throws {
            let output = try await Guest.expect("\(Self.setup)\nmountpoint-plugin doctor")
            #expect(
                output.contains(
                    "[ok] /etc/docker/mountpoint-runc.json: translate, policy, ownership, copy-on-write, noswap is a right order\n"),
                "\(output)")
            for kind in ["translate", "policy", "ownership", "copy-on-write", "noswap"] {
                #expect(output.contains("[ok] \(kind): it is in the chain, and has its socket\n"), "\(output)")
            }
            #expect(!output.contains("[failed]") && !output.contains("[warning]"), "\(output)")
        }

        @Test("A denied place in a volume is not reached by the volume's subpath, nor by a link in it", .needs(.recentMachine))
        func subpath() async throws {
            let output = try await Guest.run(
                """
                \(Self.setup)
                docker volume create web >/dev/null; data=/var/lib/docker/volumes/web/_data
                mkdir -p $data/private/in $data/public /srv/secret; ln -s private $data/public/link
                echo private > $data/private/who; echo inner > $data/private/in/who; echo public > $data/public/who
                try() { $run --mount type=volume,source=web,target=/m,volume-nocopy,volume-subpath=$1 alpine cat /m/who 2>&1 | grep -v "docker: 'docker run"; }
                echo "one: $(try private)"; echo "two: $(try private/in)"; echo "three: $(try public)"; echo "four: $(try public/../private)"
                echo "five: $(try public/link)"; echo "whole: $($run -v web:/m alpine cat /m/private/who 2>&1)"
                docker volume rm web >/dev/null; ls -A /run/mountpoint-runc/containers/* /var/lib/mountpoint-plugin/*/*.json 2>/dev/null
                """
            ).output
            for name in ["one", "two", "four", "whole"] {
                let line = output.split(separator: "\n").first { $0.hasPrefix("\(name): ") } ?? ""
                #expect(line.contains("it is secret (rule 1)") || (name == "four" && line.contains("rror")), "\(name): \(output)")
            }
            #expect(output.contains("three: public\n"), "\(output)")
            #expect(!output.contains(": private\n") && !output.contains(": inner\n"), "\(output)")
        }

        @Test(
            "A volume on NFS cannot be id-mapped, which is said; it is given to the container's user and back, and changed through a layer")
        func volumeOnNFS() async throws {
            let output = try await Guest.run(
                """
                \(Self.setup)
                rm -rf /exports/data/owned; mkdir -p /exports/data/owned; path=/exports/data/owned volume owned >/dev/null
                echo text > /exports/data/owned/file; chown -R 1000:1000 /exports/data/owned; chmod 755 /exports/data/owned
                own() { $run --user 33 --label mountpoint.ownership=/m:match-user$1 -v owned:/m alpine sh -c "$2" 2>&1; }
                owners() { stat -c '%n %u:%g' /exports/data/owned /exports/data/owned/* | sed 's,/exports/data/,,' | tr '\\n' ' '; }
                echo "map: $(own '' true)"
                echo "transfer: $(own ,mode=transfer 'stat -c %u /m/file; echo more >> /m/file; echo new > /m/made' | tr '\\n' ' ')"
                echo "after transfer: $(owners)"
                echo "auto: $(own ,mode=auto 'stat -c %u /m/made' | tr '\\n' ' ')"; echo "after auto: $(owners)"
                layer() { $run --label mountpoint.copy-on-write=/m:$1 -v owned:/m alpine sh -c "$2" 2>&1; }
                echo "discard: $(layer discard 'rm /m/made; cat /m/file' | tr '\\n' ' ')"
                echo "commit: $(layer commit 'mv /m/made /m/moved; echo layer >> /m/file'; echo $?)"; echo "after commit: $(owners)"
                cat /exports/data/owned/file; docker volume rm owned; mounts
                find /run/mountpoint-runc/containers -mindepth 2; find /var/lib/mountpoint-plugin -name '*.json'
                mountpoint-plugin copy-on-write list
                """
            ).output
            let lines = output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            func line(_ name: String) -> String { lines.first { $0.hasPrefix("\(name): ") } ?? "" }
            #expect(line("map").contains("is on the file system nfs4, which cannot be id-mapped; with mode=transfer"), "\(output)")
            #expect(line("transfer") == "transfer: 33 " && line("auto") == "auto: 33 ", "\(output)")
            for name in ["after transfer", "after auto"] {
                #expect(line(name) == "\(name): owned 1000:1000 owned/file 1000:1000 owned/made 1000:1000 ", "\(output)")
            }
            #expect(line("discard") == "discard: text more " && line("commit") == "commit: 0", "\(output)")
            #expect(line("after commit") == "after commit: owned 1000:1000 owned/file 1000:1000 owned/moved 1000:1000 ", "\(output)")
            #expect(output.hasSuffix("text\nmore\nlayer\nowned\n0\nthere are no changes\n"), "\(output)")
        }

        @Test("What a container writes is charged to the owner of the source by map, and to the container's user while a transfer lasts")
        func quotas() async throws {
            let output = try await Guest.expect(
                #"""
                \#(Self.setup)
                modprobe -a quota_v2 loop; truncate -s 64M /root/quota.img; mkfs.ext4 -q -O quota /root/quota.img
                mkdir -p /srv/quota; mount -o loop,usrquota /root/quota.img /srv/quota; device=$(findmnt -no SOURCE /srv/quota)
                # quotactl(2): quota USER prints the KiB that he has, quota USER KiB limits them.
                cat > quota.py <<'END'
                import ctypes, struct, sys
                device, user, limit = sys.argv[1].encode(), int(sys.argv[2]), sys.argv[3:]
                libc, block = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(72)
                call = 0x800008 if limit else 0x800007
                if limit: struct.pack_into("QQ48xI", block, 0, int(limit[0]), 0, 1)
                if libc.quotactl(call << 8, device, user, block) != 0: sys.exit("quotactl: errno %d" % ctypes.get_errno())
                if not limit: print(struct.unpack_from("Q", block, 16)[0] >> 10)
                END
                quota() { python3 quota.py "$device" "$@"; }
                mkdir -p /srv/quota/tree; chown 1000:1000 /srv/quota/tree; quota 1000 2048
                own="--user 33 -v /srv/quota/tree:/m --label"
                $run $own mountpoint.ownership=/m:match-user alpine sh -c \
                  'head -c 1048576 /dev/zero > /m/one; head -c 4194304 /dev/zero > /m/two; stat -c %u /m/one' 2>/dev/null
                sync; echo "map: $(quota 33) $([ $(quota 1000) -ge 1024 ] && [ $(quota 1000) -le 2048 ] && echo limited)"
                quota 1000 0; rm -f /srv/quota/tree/two
                docker run -d --name given --runtime mountpoint $own mountpoint.ownership=/m:match-user,mode=transfer alpine sleep 1000 >/dev/null
                sync; echo "transfer: $([ $(quota 33) -ge 1024 ] && echo given) $(quota 1000)"
                docker rm -f given >/dev/null; sync; echo "back: $(quota 33) $([ $(quota 1000) -ge 1024 ] && echo returned)"
                umount /srv/quota; rm /root/quota.img
                """#, limit: 300)
            #expect(
                output == """
                    33
                    map: 0 limited
                    transfer: given 0
                    back: 0 returned

                    """, "\(output)")
        }

        @Test(
            "docker compose in a container that has Docker's socket: its relative paths are what they are in that container",
            .needs(.compose))
        func compose() async throws {
            let output = try await Guest.expect(
                """
                \(Self.setup)
                mkdir -p /srv/work/project/data; cd /srv/work/project; echo of the project > data/file; echo settings > config.yml
                cat > compose.yaml <<'END'
                services:
                  app:
                    image: alpine
                    runtime: mountpoint
                    network_mode: none
                    command: sh -c 'cat /data/file /etc/app.yml; echo built > /data/made'
                    volumes:
                      - ./data:/data
                      - ./config.yml:/etc/app.yml:ro
                END
                echo '{"paths": [{"prefix": "/test-workspace", "to": "container:runner"}]}' > /etc/docker/mountpoint-plugin/translate.json
                systemctl stop mountpoint-plugin@translate.service 2>/dev/null
                docker run -d --name runner -v /var/run/docker.sock:/var/run/docker.sock -v /srv/work:/test-workspace -v /usr:/usr:ro \\
                  -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro -e HOME=/root -w /test-workspace/project alpine sleep 1000 >/dev/null
                compose() { docker exec runner /usr/bin/docker compose "$@"; }
                for round in one two; do
                  compose up --no-color --no-log-prefix 2>/dev/null | sed 's/\\x1b\\[[0-9;]*[A-Za-z]//g' | grep -v -e Attaching -e exited
                  cat data/made; rm data/made; compose down --volumes 2>/dev/null
                done
                ls -d /test-workspace 2>/dev/null || true; docker rm -f runner >/dev/null; rm -r /srv/work
                rm /etc/docker/mountpoint-plugin/translate.json; systemctl stop mountpoint-plugin@translate.service 2>/dev/null
                """, limit: 300)
            let lines = output.split(separator: "\n").filter { !$0.isEmpty }
            #expect(lines == ["of the project", "settings", "built", "of the project", "settings", "built"], "\(output)")
        }

        @Test(
            "after a power cut trees are given back, what was to be kept is kept, what was to be dropped is, and nothing else is left",
            .needs(.recentMachine))
        func powerCut() async throws {
            let before = try await Guest.expect(
                """
                \(Self.setup)
                systemctl enable mountpoint-runc-recover 2>/dev/null
                mkdir -p /srv/own /srv/tree; for file in own/file tree/file; do echo old > /srv/$file; done; chown -R 1000:1000 /srv/own
                run="docker run -d --runtime mountpoint"
                $run --name own --user 33 --label mountpoint.ownership=/m:match-user,mode=transfer -v /srv/own:/m alpine \\
                  sh -c 'echo made > /m/made; sleep 1000' >/dev/null
                for end in keep commit discard; do
                  $run --name $end --label mountpoint.copy-on-write=/m:$end -v /srv/tree:/m alpine \\
                    sh -c "echo $end > /m/file; echo > /m/made; sleep 1000" >/dev/null
                done
                $run --name memory --label mountpoint.noswap=/m:size=1m -v /srv/tree:/m alpine sh -c 'echo > /m/made; sleep 1000' >/dev/null
                for name in own keep commit discard memory; do until docker exec $name test -e /m/made; do sleep 0.2; done; done
                docker exec keep cat /m/file; stat -c '%u %n' /srv/own /srv/own/*; cat /srv/tree/*; sync
                """, limit: 300)
            #expect(before == "keep\n33 /srv/own\n33 /srv/own/file\n33 /srv/own/made\nold\n", "\(before)")
            try await Guest.machine?.reset()
            let after = try await Guest.expect(
                """
                until docker info >/dev/null 2>&1; do sleep 0.5; done
                for kind in ownership copy-on-write noswap; do systemctl start mountpoint-plugin@$kind.service; done
                for i in $(seq 100); do ls /var/lib/mountpoint-plugin/*/*.json >/dev/null 2>&1 || break; sleep 0.2; done
                stat -c '%u %n' /srv/own /srv/own/*; cat /srv/tree/*
                mountpoint-plugin copy-on-write list | awk '{ print $3 }' | sort; mountpoint-plugin copy-on-write diff keep
                mountpoint-plugin copy-on-write commit keep; mountpoint-plugin copy-on-write discard commit; cat /srv/tree/file
                docker rm -f own keep commit discard memory >/dev/null; mountpoint-runc status | grep owed || true
                find /var/lib/mountpoint-plugin -name '*.json'; grep -c /var/lib/mountpoint-plugin /proc/self/mountinfo || true
                rm -r /srv/own /srv/tree; systemctl disable mountpoint-runc-recover 2>/dev/null
                """, limit: 300)
            #expect(
                after == """
                    1000 /srv/own
                    1000 /srv/own/file
                    1000 /srv/own/made
                    old
                    commit
                    keep
                    M file
                    A made
                    keep
                    0

                    """, "\(after)")
        }
    }
}
