// SPDX-License-Identifier: AGPL-3.0-or-later

import Testing
import TestSupport

extension MachineTests {
    /// Everything that can be wrong with a server, and the line that a person at `docker run` reads then.
    @Suite(.machine("failures")) struct Failures {
        /// Starts a container on a volume with these options.
        ///
        /// - Returns: what Docker prints, and the seconds that it took.
        private func start(_ options: String, before: String = "true", after: String = "true") async throws -> (text: String, seconds: Int)
        {
            let result = try await Guest.run(
                """
                \(before)
                docker volume create -d nfsd \(options) wrong > /dev/null || exit
                docker create --name wrong -v wrong:/m:nocopy alpine true > /dev/null
                began=$(date +%s); docker start wrong; echo "seconds $(($(date +%s) - began))"
                docker rm -f wrong > /dev/null; docker volume rm wrong > /dev/null || echo "the volume stays"
                ls -A /var/lib/docker-volumes-nfsd; mounts; \(after)
                """)
            #expect(!result.output.contains("the volume stays") && result.output.contains("\n0\n"), "something is left: \(result)")
            let seconds = result.output.split(separator: "\n").first { $0.hasPrefix("seconds ") }.flatMap { Int($0.dropFirst(8)) }
            return (result.output, seconds ?? -1)
        }

        private static let server = "--opt server=127.0.0.1 --opt path=/exports/data"

        /// Listens at port 2051: answers the first call of a connection, which is the question whether it lives, and none after that.
        private static let halfMuteServer = #"""
            cat > /tmp/answer <<'END'
            #!/bin/bash
            id=$(dd bs=1 count=44 2>/dev/null | od -An -v -tx1 -j4 -N4 | tr -d ' \n')
            printf "\x80\x00\x00\x18\x${id:0:2}\x${id:2:2}\x${id:4:2}\x${id:6:2}\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
            exec sleep 1000
            END
            chmod +x /tmp/answer
            socat TCP-LISTEN:2051,bind=127.0.0.1,fork,reuseaddr EXEC:/tmp/answer >/dev/null 2>&1 & echo $! > /tmp/half
            until ss -ltn | grep -q 127.0.0.1:2051; do sleep 0.1; done
            """#

        @Test(
            "each failure says its cause and the next step",
            arguments: [
                (
                    "--opt server=no-such-host.invalid --opt path=/exports/data",
                    [
                        "cannot mount no-such-host.invalid:/exports/data", "the server name no-such-host.invalid does not resolve",
                        "check its spelling and this host's DNS",
                    ]
                ),
                (
                    "--opt server=127.0.0.5 --opt path=/exports/data --opt o=port=2055",
                    ["127.0.0.5: Connection refused (ECONNREFUSED)", "is the NFS server running there"]
                ),
                (
                    "--opt server=127.0.0.1 --opt path=/exports/nothing",
                    ["has no export /exports/nothing", "ENOENT", "look at exportfs -v on the server"]
                ),
                (
                    "\(server) --opt o=wsize=abc",
                    [
                        "option wsize=abc is refused", "the kernel says \"nfs4: Bad value for 'wsize'\"",
                        "correct it in the volume's options",
                    ]
                ),
                ("\(server) --opt o=frobnicate=7", ["option frobnicate=7 is refused", "Unknown parameter 'frobnicate'"]),
            ])
        func causes(options: String, words: [String]) async throws {
            let (text, seconds) = try await start(options)
            for word in words { #expect(text.contains(word), "\(word) is missing in: \(text)") }
            #expect((0...20).contains(seconds), "took \(seconds) s")
        }

        @Test("a server without a route, and one that is down, are errors in seconds")
        func serverIsDown() async throws {
            let noRoute = try await start(
                "--opt server=10.98.0.1 --opt path=/x", before: "ip route add unreachable 10.98.0.0/24",
                after: "ip route del unreachable 10.98.0.0/24")
            #expect(
                noRoute.text.contains("10.98.0.1: No route to host (EHOSTUNREACH)")
                    && noRoute.text.contains("check this host's network and routes"), "\(noRoute.text)")
            let down = try await start(
                "--opt server=10.99.0.1 --opt path=/x", before: "ip route add 10.99.0.0/24 dev lo; iptables -A OUTPUT -d 10.99.0.1 -j DROP",
                after: "iptables -D OUTPUT -d 10.99.0.1 -j DROP; ip route del 10.99.0.0/24 dev lo")
            #expect(
                down.text.contains("no answer to the connection within 5 s")
                    && down.text.contains("does a firewall let TCP port 2049 through?"), "\(down.text)")
            #expect((0...30).contains(noRoute.seconds) && (5...30).contains(down.seconds), "\(noRoute.seconds) s, \(down.seconds) s")
        }

        @Test("an export that is refused names this host's address and the line for the server", arguments: ["3", "auto"])
        func denied(version: String) async throws {
            let (text, _) = try await start(
                "--opt server=127.0.0.1 --opt path=/exports/private --opt nfsvers=\(version)",
                before:
                    "mkdir -p /exports/private /etc/exports.d; echo '/exports/private 192.0.2.1(rw)' > /etc/exports.d/private.exports; exportfs -ra",
                after: "rm /etc/exports.d/private.exports; exportfs -ra")
            #expect(text.contains("denies this host (127.0.0.1) access to /exports/private: Permission denied (EACCES)"), "\(text)")
            #expect(text.contains("/etc/exports needs a line such as \"/exports/private 127.0.0.1(rw)\", then exportfs -ra"), "\(text)")
        }

        @Test("a version that the server does not offer is named, and auto finds one that it does")
        func versionNotOffered() async throws {
            let without = "rpc.nfsd 0; rpc.nfsd -N 4.2 4"
            let (text, _) = try await start("\(Self.server) --opt nfsvers=4.2", before: without)
            #expect(
                text.contains("NFS version 4.2 is not offered by 127.0.0.1")
                    && text.contains("give nfsvers=auto or a version that the server has"), "\(text)")
            let found = try await Guest.run(
                """
                volume --opt nfsvers=auto found >/dev/null; driver Mount '{"Name":"found","ID":"1"}'; docker volume inspect -f '{{.Status.nfsvers}}' found
                driver Unmount '{"Name":"found","ID":"1"}' >/dev/null; docker volume rm found >/dev/null
                rpc.nfsd 0; rpc.nfsd -V 4.2 4
                """)
            #expect(found.output.contains("\n4.1\n"), "\(found)")
        }

        @Test("version 3 without rpc.statd says what to do, and works with nolock")
        func lockService() async throws {
            let (text, _) = try await start("\(Self.server) --opt nfsvers=3", before: "systemctl stop rpc-statd", after: "true")
            #expect(
                text.contains("NFS version 3 needs rpc.statd on this host for file locks") && text.contains("systemctl start rpc-statd"),
                "\(text)")
            let works = try await Guest.run(
                """
                volume --opt nfsvers=3 --opt o=nolock works >/dev/null; driver Mount '{"Name":"works","ID":"1"}'; driver Unmount '{"Name":"works","ID":"1"}' >/dev/null
                docker volume rm works >/dev/null; systemctl start rpc-statd
                """)
            #expect(works.output.contains("\"Err\":\"\""), "\(works)")
        }

        @Test("a listener that is mute is told at once; a mount whose server goes mute is ended once another server's waits")
        func muteServers() async throws {
            let (text, seconds) = try await start(
                "\(Self.server) --opt o=port=2050",
                before:
                    "socat TCP-LISTEN:2050,bind=127.0.0.1,fork,reuseaddr SYSTEM:'sleep 100' >/dev/null 2>&1 & echo $! > /tmp/mute; sleep 1",
                after: "kill $(cat /tmp/mute)")
            #expect(
                text.contains("connected, but no answer to a call within 5 s")
                    && text.contains("something listens there but does not speak NFS"), "\(text)")
            #expect((5...30).contains(seconds), "took \(seconds) s")

            let half = try await Guest.run(
                Self.halfMuteServer + #"""

                    volume --opt o=port=2051 half; volume good
                    (driver Mount '{"Name":"half","ID":"1"}' > /tmp/half.answer) & waiting=$!
                    until pgrep -x nfsd-mount >/dev/null; do sleep 0.2; done
                    began=$(date +%s); docker volume ls -q; docker volume inspect -f '{{.Status.state}}' good; echo "memory $(($(date +%s) - began))"
                    began=$(date +%s); driver Mount '{"Name":"good","ID":"1"}'; echo "good after $(($(date +%s) - began)) s"
                    wait $waiting; cat /tmp/half.answer
                    pgrep -x nfsd-mount || echo "no process is left"
                    driver Unmount '{"Name":"good","ID":"1"}' >/dev/null; docker volume rm half good >/dev/null; kill $(cat /tmp/half); pkill -f 'sleep 1000'
                    mounts
                    """#)
            #expect(half.output.contains("took the connection but did not complete the mount within"), "\(half)")
            #expect(half.output.contains("mounts from other servers waited for it"), "\(half)")
            let waited = half.output.firstMatch(of: /good after ([0-9]+) s/).flatMap { Int($0.output.1) }
            #expect((0...30).contains(waited ?? -1), "the other's own deadline is 100 s: \(half)")
            #expect(half.output.contains("good\nhalf\nnot mounted\nmemory "), "answers from memory waited: \(half)")
            #expect(
                half.output.contains("{\"Mountpoint\":\"/var/lib/docker-volumes-nfsd/good\",\"Err\":\"\"}"),
                "the other server's volume did not mount: \(half)")
            #expect(half.output.contains("no process is left") && half.output.hasSuffix("0\n"), "\(half)")
        }

        @Test("a caller that goes away while the kernel mounts ends the mount at once")
        func callerGoesAway() async throws {
            let output = try await Guest.run(
                Self.halfMuteServer + #"""

                    volume --opt o=port=2051 gone > /dev/null
                    # A server that did not answer a moment ago counts as away for a while, and a mount from it is refused at once.
                    while :; do
                      timeout 300 socat -t 120 STDIO,ignoreeof UNIX-CONNECT:/run/docker/plugins/nfsd.sock > /tmp/gone.answer \
                        <<< $'POST /VolumeDriver.Mount HTTP/1.1\r\nHost: p\r\nContent-Length: 24\r\n\r\n{"Name":"gone","ID":"1"}' & caller=$!
                      until pgrep -x nfsd-mount > /dev/null || grep -q Err /tmp/gone.answer; do sleep 0.2; done
                      if pgrep -x nfsd-mount > /dev/null; then break; fi
                      kill $caller; wait $caller; sleep 1
                    done
                    kill $caller; began=$(date +%s)
                    while pgrep -x nfsd-mount > /dev/null; do sleep 0.2; done
                    echo "ended after $(($(date +%s) - began)) s"
                    docker volume inspect -f '{{.Status.references}}' gone; mounts; docker volume rm gone; kill $(cat /tmp/half); pkill -f 'sleep 1000'; true
                    """#)
            let seconds = output.output.split(separator: "\n").first { $0.hasPrefix("ended after ") }
                .flatMap { Int($0.dropFirst(12).dropLast(2)) }
            #expect((0...15).contains(seconds ?? -1), "the mount's own deadline is 100 s: \(output)")
            #expect(output.output.hasSuffix("\n0\n0\ngone\n"), "\(output)")
        }
    }
}
