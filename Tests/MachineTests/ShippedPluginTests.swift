// SPDX-License-Identifier: AGPL-3.0-or-later

import TestSupport
import Testing

extension MachineTests {
    /// The plugins that ship, as their units serve them, below an engine that is newer than this machine's.
    @Suite(.machine("plugins")) struct ShippedPlugins {
        private static let setup = """
            mkdir -p /etc/docker/mountpoint-plugin
            echo '{ "mount-point-plugins": ["translate", "policy", "ownership", "noswap"] }' > /etc/docker/mountpoint-runc.json
            echo '{ "runtimes": { "mountpoint": { "path": "/usr/local/sbin/mountpoint-runc" } } }' > /etc/docker/daemon.json
            cat > /etc/docker/mountpoint-plugin/policy.json <<'END'
            {"rules": [{"action": "deny", "source": ["/var/lib/docker/volumes/web/_data/private", "/srv/secret"], "reason": "it is secret"}]}
            END
            for kind in translate policy ownership noswap; do systemctl enable --now mountpoint-plugin@$kind.socket 2>/dev/null; done
            systemctl reset-failed docker docker.socket 2>/dev/null || true; systemctl restart docker
            run="docker run --rm --runtime mountpoint"
            """

        @Test("doctor finds a right order, every plugin of the chain served, and what each needs of this kernel")
        func doctor() async throws {
            let output = try await Guest.expect("\(Self.setup)\nmountpoint-plugin doctor")
            #expect(
                output.contains("[ok] /etc/docker/mountpoint-runc.json: translate, policy, ownership, noswap is a right order\n"),
                "\(output)")
            for kind in ["translate", "policy", "ownership", "noswap"] {
                #expect(output.contains("[ok] \(kind): it is in the chain, and has its socket\n"), "\(output)")
            }
            #expect(!output.contains("[failed]") && !output.contains("[warning]"), "\(output)")
        }

        @Test("A denied place in a volume is not reached by the volume's subpath, nor by a link in it")
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
    }
}
