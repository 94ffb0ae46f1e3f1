// SPDX-License-Identifier: AGPL-3.0-or-later

import TestSupport
import Testing

/// A server that goes and comes while its volumes are in use.
extension MachineTests.ServerFaults {
    /// The container writes a line, syncs it and reads it back, again and again; what fails is in a file of its own.
    @Test("a container goes on when its server was restarted; until then others are told at once, and healthy servers' volumes mount")
    func restartUnderUse() async throws {
        let output = try await Guest.expect(
            FarServer.words + #"""
                rm -rf /exports/far/*; three alone
                docker run -d --name writer -v hard:/m:nocopy alpine sh -c 'n=0; while :; do n=$((n+1))
                  echo $n >> /m/lines && sync /m/lines && [ "$(tail -n 1 /m/lines)" = $n ] || echo "line $n" >> /failed; sleep 0.05; done' > /dev/null
                lines() { wc -l < /exports/far/lines; }
                until_true 30 test -s /exports/far/lines
                far rpc.nfsd 0; took told m far; stopped=$(lines)
                three beside; echo "stands $(($(lines) - stopped))"
                on; took works until_true 60 mounts_now far; u far
                more() { [ $(lines) -gt $stopped ]; }
                took goes_on until_true 60 more
                docker exec writer cat /failed 2> /dev/null || echo "no failure"
                docker rm -f writer > /dev/null; seq $(lines) | cmp - /exports/far/lines && echo "all lines"; mounts || true
                """#)
        #expect(output.contains("Connection refused (ECONNREFUSED)") && output.contains("stands 0\n"), "\(output)")
        #expect(output.hasSuffix("no failure\nall lines\n0\n"), "\(output)")
        #expect((0..<10_000).contains(Guest.number("told", in: output)), "\(output)")
        #expect((0..<30_000).contains(Guest.number("works", in: output)), "\(output)")
        print(
            "a server that refuses: \(Guest.number("told", in: output)) ms to the error, \(Guest.number("works", in: output)) ms from its return to a mount, \(Guest.number("goes_on", in: output)) ms until the container goes on"
        )
        FarServer.expectHealthy(output, times: 3)
    }

    @Test(
        "an export that is withdrawn under a mount: nothing is written locally, and the next mount after its return works, also while held")
    func withdrawnExport() async throws {
        let output = try await Guest.expect(
            FarServer.words + #"""
                rm -rf /exports/far/*; m far a; echo one > $at/far/file; exec 8< $at/far
                far exportfs -u 10.0.0.0/8:/exports/far; far exportfs -f
                cat $at/far/file 2>&1 || true; { echo x > $at/far/new; } 2>&1 || true
                m far b
                echo "while withdrawn: $(mounts) mounts, folders: $(ls $at)"; { echo x > $at/far/new; } 2>&1 || true
                docker-nfsd status | sed -n '/^far /,/^$/p'
                far exportfs -ra; took works until_true 60 mounts_now far b
                cat $at/far/file; echo two > $at/far/second; ls /exports/far
                docker-nfsd status | sed -n '/^far /,/^$/p' | grep 'held by'
                docker volume inspect -f '{{json .Status.heldBy}}' far
                exec 8<&-; u far a; u far b; folders; mounts || true
                """#)
        #expect(output.matches(of: /Stale file handle/).count == 2, "\(output)")
        #expect(output.contains("10.77.0.2 has no export /exports/far"), "\(output)")
        #expect(
            output.contains("while withdrawn: 0 mounts, folders: \n") && output.contains("far/new: No such file or directory"), "\(output)")
        #expect(output.contains("\none\nfile\nsecond\n"), "\(output)")
        #expect(output.contains("held by    mount a, which has a stale mount: restart it\n"), "\(output)")
        #expect(output.contains("held by    mount b\n") && output.contains(#""outdated":true"#), "\(output)")
        #expect(output.hasSuffix(#"{"Err":""}"# + "\n" + #"{"Err":""}"# + "\n0\n"), "\(output)")
    }

    @Test("packets that are lost in the middle of writing: with hard all is written when they come through again, with soft it is an error")
    func cutInTheMiddleOfWriting() async throws {
        let output = try await Guest.expect(
            FarServer.words + #"""
                rm -rf /exports/far/*; three alone; head -c 4M /dev/urandom > /tmp/data
                server=10.77.0.2 path=/exports/far volume --opt o=soft,timeo=10,retrans=1 soft > /dev/null
                m hard; m soft
                # Slow enough to be cut in two.
                tc qdisc add dev near root netem rate 8mbit limit 10000
                for v in hard soft; do (dd if=/tmp/data of=$at/$v/$v bs=256k conv=fsync > /tmp/$v.text 2>&1 && echo 0 > /tmp/$v.status || echo 1 > /tmp/$v.status) & done
                until_true 30 test -s /exports/far/hard -a -s /exports/far/soft
                far iptables -I INPUT -p tcp --dport 2049 -j DROP; tc qdisc del dev near root
                [ ! -s /tmp/hard.status ] && [ ! -s /tmp/soft.status ] && echo "both write"
                took told m far; took known m far; three beside
                took soft_ends until_true 60 test -s /tmp/soft.status; echo "soft $(cat /tmp/soft.status)"; cat /tmp/soft.text
                [ ! -s /tmp/hard.status ] && echo "hard waits"
                mend; took works until_true 60 mounts_now far; took hard_ends until_true 60 test -s /tmp/hard.status
                echo "hard $(cat /tmp/hard.status)"; cmp /tmp/data /exports/far/hard && echo "all bytes"
                for v in hard soft far; do u $v; done; docker volume rm soft > /dev/null; mounts || true
                """#)
        #expect(output.contains("both write\n") && output.contains("hard waits\nworks"), "\(output)")
        #expect(output.contains("soft 1\n") && output.contains("Input/output error"), "\(output)")
        #expect(output.contains("hard 0\nall bytes\n") && output.hasSuffix("\n0\n"), "\(output)")
        #expect(output.contains("no answer to the connection within 5 s") && output.contains("has not answered since"), "\(output)")
        #expect((5000..<20_000).contains(Guest.number("told", in: output)), "\(output)")
        #expect((0..<3000).contains(Guest.number("known", in: output)), "a server that is known to be away is not asked: \(output)")
        print(
            "a server that drops packets: \(Guest.number("told", in: output)) ms to the first error, \(Guest.number("known", in: output)) ms to the next, \(Guest.number("works", in: output)) ms from its return to a mount, \(Guest.number("hard_ends", in: output)) ms more until a hard write ends"
        )
        FarServer.expectHealthy(output, times: 3)
    }

    @Test("a full export is an error for who writes, and an export with another fsid is mounted afresh")
    func fullAndReplacedExports() async throws {
        let output = try await Guest.expect(
            FarServer.words + #"""
                far mount -t tmpfs -o size=2m small /exports/small
                small() { echo "/exports/small 10.0.0.0/8(rw,no_root_squash,no_subtree_check,insecure,fsid=$1)" > /etc/exports.d/small.exports; far exportfs -ra; far exportfs -f; }
                small 7; server=10.77.0.2 path=/exports/small volume small > /dev/null; m small a
                dd if=/dev/zero of=$at/small/big bs=64k count=64 conv=fsync 2>&1 | grep -o 'No space left on device' | head -n 1
                m small b; rm $at/small/big; echo kept > $at/small/file; sync $at/small/file && echo "room again"
                small 8; { echo x > $at/small/new; } 2>&1 || true
                m small c; cat $at/small/file; docker-nfsd status | sed -n '/^small /,/^$/p' | grep 'held by'
                for id in a b c; do u small $id; done; docker volume rm small > /dev/null
                rm /etc/exports.d/small.exports; far exportfs -ra; far exportfs -f; far umount -l /exports/small; mounts || true
                """#)
        #expect(output.contains("No space left on device\n") && output.contains("\nroom again\n"), "\(output)")
        #expect(output.contains("Stale file handle") && output.contains("\nkept\n"), "\(output)")
        #expect(output.contains("held by    mount a, which has a stale mount: restart it\n"), "\(output)")
        #expect(output.contains("held by    mount c\n") && output.hasSuffix("\n0\n"), "\(output)")
        #expect(output.matches(of: /"Err":""/).count == 6, "a call has failed: \(output)")
    }
}
