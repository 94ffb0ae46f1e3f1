// SPDX-License-Identifier: AGPL-3.0-or-later

import Testing
import TestSupport

extension MachineTests {
    /// Real exports, mounted in every way that the options offer, and used from containers.
    @Suite(.machine("mounting")) struct Mounting {
        @Test("versions 3, 4.0, 4.1, 4.2 and auto, IPv4 and IPv6, read-only and read-write: all at once in one container")
        func versionsAndAddresses() async throws {
            try await Guest.expect(
                """
                for v in 3 4.0 4.1 4.2 auto; do volume --opt nfsvers=$v v$v; done
                server=::1 volume six; server=[::1] volume --opt nfsvers=3 six3; server=localhost volume --opt o=ro readonly
                docker volume create -d nfsd --opt type=nfs --opt device=:/exports/data --opt o=addr=127.0.0.1,hard,timeo=100 local
                docker run -d --rm --name all -v v3:/v3 -v v4.0:/v4.0 -v v4.1:/v4.1 -v v4.2:/v4.2 -v vauto:/vauto -v six:/six -v six3:/six3 \\
                  -v readonly:/readonly:nocopy -v local:/local alpine sleep 1000
                """)
            for (volume, version) in [
                ("v3", "3"), ("v4.0", "4.0"), ("v4.1", "4.1"), ("v4.2", "4.2"), ("vauto", "4.2"), ("six", "4.1"), ("six3", "3"),
                ("local", "4.2"),
            ] {
                let inspected = try await Guest.expect("docker volume inspect -f '{{json .Status}}' \(volume)")
                #expect(inspected.contains("\"nfsvers\":\"\(version)\""), "\(volume): \(inspected)")
                #expect(inspected.contains("\"state\":\"mounted\""), "\(volume): \(inspected)")
            }
            let three = try await Guest.expect("docker volume inspect -f '{{json .Status}}' six3")
            #expect(three.contains("\"address\":\"::1\"") && three.contains("mountproto=tcp6"), "\(three)")
            let local = try await Guest.expect("docker volume inspect -f '{{json .Status}}' local")
            #expect(local.contains("hard") && local.contains("timeo=100"), "\(local)")

            let shared = try await Guest.expect(
                "docker exec all sh -c 'echo one text > /v3/shared; for d in /v3 /v4.0 /v4.1 /v4.2 /vauto /six /six3 /readonly /local; do cat $d/shared; done'"
            )
            #expect(shared.split(separator: "\n").filter { $0 == "one text" }.count == 9, "\(shared)")
            let refused = try await Guest.run("docker exec all sh -c 'echo x > /readonly/shared'")
            #expect(refused.status != 0 && refused.output.contains("Read-only file system"), "\(refused)")
            try await Guest.expect("docker exec all sh -c 'echo y > /v4.1/shared'")

            let status = try await Guest.expect("docker-nfsd status")
            #expect(status.contains("held by    container all"), "\(status)")
            let listed = try await Guest.expect("docker volume ls 2>&1")
            #expect(listed.split(separator: "\n").count == 10 && !listed.lowercased().contains("warn"), "\(listed)")
            let after = try await Guest.expect(
                "docker rm -f all >/dev/null; mounts || true; folders; for v in v3 v4.0 v4.1 v4.2 vauto six six3 readonly local; do docker volume rm $v >/dev/null; done; docker volume ls -q"
            )
            #expect(after == "0\n", "mounts, folders or volumes are left: \(after)")
        }

        @Test(
            "a subdirectory is made with mode and owner, never outside the export, and archived, deleted or kept at removal",
            arguments: ["fsopen", "mount"])
        func subdirectories(method: String) async throws {
            try await Guest.expect(
                """
                mkdir -p /etc/docker; echo '{"mount-method": "\(method)"}' > /etc/docker/docker-nfsd.json; systemctl restart docker-nfsd
                rm -rf /exports/data/*; ln -s /etc /exports/data/outside
                for policy in retain archive delete; do
                  volume --opt subdir=deep/$policy --opt create=true --opt mode=02750 --opt uid=1000 --opt gid=1001 --opt onremove=$policy s$policy
                  driver Mount "{\\"Name\\":\\"s$policy\\",\\"ID\\":\\"1\\"}"
                done
                """)
            let made = try await Guest.expect(
                "stat -c '%n %a %u %g' /exports/data/deep/*; grep -c ':/exports/data/deep/delete' /proc/self/mountinfo")
            #expect(
                made == ["archive", "delete", "retain"].map { "/exports/data/deep/\($0) 2750 1000 1001\n" }.joined() + "1\n", "\(made)")
            let removed = try await Guest.expect(
                """
                for policy in retain archive delete; do
                  mkdir /exports/data/deep/$policy/below; echo kept > /exports/data/deep/$policy/below/file; ln -s /etc/passwd /exports/data/deep/$policy/link
                  driver Unmount "{\\"Name\\":\\"s$policy\\",\\"ID\\":\\"1\\"}" >/dev/null; docker volume rm s$policy >/dev/null
                done
                cd /exports/data/deep; ls | sed 's/2[0-9TZ]*$/TIME/'; cat retain/below/file archived-archive-*/below/file; test -s /etc/passwd
                mounts || true; ls -A /run/docker-nfsd/staging
                """)
            #expect(removed == "archived-archive-TIME\nretain\nkept\nkept\n0\n", "\(removed)")
            for (subdirectory, words) in [
                ("outside", "symbolic links are not followed"), ("outside/new", "symbolic links are not followed"),
                ("deep/missing", "does not exist in the export"),
            ] {
                let create = subdirectory == "outside/new" ? "--opt create=true" : ""
                let answer = try await Guest.run(
                    "volume --opt subdir=\(subdirectory) \(create) bad >/dev/null; driver Mount '{\"Name\":\"bad\",\"ID\":\"1\"}'; docker volume rm bad >/dev/null; mounts; ls -d /etc/new"
                )
                #expect(answer.output.contains(words) && answer.output.contains("\n0\n"), "\(subdirectory): \(answer)")
                #expect(answer.output.contains("cannot access '/etc/new'"), "\(answer)")
            }
        }

        @Test("a volume of the local driver moves over by the commands that import prints")
        func imported() async throws {
            let output = try await Guest.expect(
                """
                docker volume create --label team=x -o type=nfs -o o=addr=127.0.0.1,nfsvers=4.2,timeo=300 -o device=:/exports/data old >/dev/null
                mount_of() { docker run --rm -v old:/m alpine sh -c 'cat /m/old; grep " /m nfs" /proc/mounts' | tr , '\\n' |
                  grep -x -e hard -e 'timeo=.*' -e relatime -e 'vers=.*' -e kept | sort | tr '\\n' ' '; }
                docker run --rm -v old:/m alpine sh -c 'echo kept > /m/old'; echo "local: $(mount_of)"
                docker-nfsd import old > commands; bash -e commands >/dev/null; echo "nfsd: $(mount_of)"
                docker volume inspect -f '{{.Driver}} {{.Labels}}' old; docker-nfsd import old 2>&1 || true
                docker volume rm old >/dev/null; rm /exports/data/old
                """)
            let lines = output.split(separator: "\n").map(String.init)
            try #require(lines.count == 4, "\(output)")
            #expect(lines[0] == "local: hard kept relatime timeo=300 vers=4.2 ", "\(output)")
            #expect(lines[1] == "nfsd: " + lines[0].dropFirst("local: ".count), "\(output)")
            #expect(lines[2] == "nfsd map[team:x]" && lines[3].contains("old is a volume of docker-nfsd already"), "\(output)")
        }

        @Test("both ways to mount give the same mount", arguments: ["3", "4.1"])
        func methods(version: String) async throws {
            var seen: [String] = []
            for method in ["fsopen", "mount"] {
                seen.append(
                    try await Guest.expect(
                        """
                        mkdir -p /etc/docker; echo '{"mount-method": "\(method)"}' > /etc/docker/docker-nfsd.json; systemctl restart docker-nfsd
                        volume --opt nfsvers=\(version) --opt o=ro,nosuid,nodev,timeo=300,retrans=4,actimeo=7 same >/dev/null
                        driver Mount '{"Name":"same","ID":"1"}' >/dev/null
                        grep ' /var/lib/docker-volumes-nfsd/same ' /proc/self/mountinfo | cut -d' ' -f4-6,8- | sed 's/mountport=[0-9]*/mountport=N/'
                        driver Unmount '{"Name":"same","ID":"1"}' >/dev/null; docker volume rm same >/dev/null; rm /etc/docker/docker-nfsd.json
                        """))
            }
            #expect(seen[0] == seen[1])
            #expect(
                seen[0].contains("ro,nosuid,nodev,noatime") && seen[0].contains("timeo=300,retrans=4") && seen[0].contains("soft"),
                "\(seen[0])")
        }

        @Test("many volumes mount at the same time, and two requests for one make one mount")
        func manyAtOnce() async throws {
            let output = try await Guest.expect(
                """
                for i in $(seq 16); do mkdir -p /exports/data/m$i; path=/exports/data/m$i volume m$i >/dev/null; done
                for i in $(seq 16); do driver Mount "{\\"Name\\":\\"m$i\\",\\"ID\\":\\"1\\"}" & driver Mount "{\\"Name\\":\\"m$i\\",\\"ID\\":\\"2\\"}" & done > /tmp/answers; wait
                grep -o '"Err":""' /tmp/answers | wc -l; mounts
                for i in $(seq 16); do driver Unmount "{\\"Name\\":\\"m$i\\",\\"ID\\":\\"1\\"}"; done >/dev/null; mounts
                for i in $(seq 16); do driver Unmount "{\\"Name\\":\\"m$i\\",\\"ID\\":\\"2\\"}" & done >/dev/null; wait; mounts || true
                for i in $(seq 16); do docker volume rm m$i; done >/dev/null
                """)
            #expect(output == "32\n16\n16\n0\n", "\(output)")
        }
    }
}
