// SPDX-License-Identifier: AGPL-3.0-or-later

import TestSupport
import Testing

extension MachineTests.Interposing {
    /// A container that Docker starts again by itself, and one that it does not: both have lost their mounts with the power.
    @Test("after a power cut a persistent plugin is told of the boot before Docker starts a container, by the unit")
    func powerCut() async throws {
        let before = try await Guest.expect(
            """
            \(Self.keeper)
            systemctl enable mountpoint-runc-recover 2>/dev/null
            for name in back gone; do
              [ $name = back ] && policy=always || policy=no
              docker run -d --restart $policy --name $name --runtime mountpoint -v /srv/data:/mnt alpine sleep 1000 >/dev/null
            done
            cut -d' ' -f2- /root/calls; sync
            """, limit: 300)
        #expect(before == "Attach -\nAttach -\n", "\(before)")
        try await Guest.machine?.reset()
        let after = try await Guest.expect(
            """
            for i in $(seq 200); do [ "$(docker inspect -f '{{.State.Running}}' back)" = true ] && break; sleep 0.5; done
            tail -n +3 /root/calls | cut -d' ' -f2-
            systemctl show -p Result -p ExecMainStatus mountpoint-runc-recover
            began=$(systemctl show -p InactiveExitTimestampMonotonic --value docker)
            [ "$began" -gt 0 ]; awk -v began=$began '$3 == "boot" { print ($1 < began ? "before Docker" : "late") }' /root/calls
            mountpoint-runc status | grep owed || echo "nothing is owed"
            docker rm -f back gone >/dev/null; mountpoint-runc status; tail -n +6 /root/calls | cut -d' ' -f2-
            find /var/lib/mountpoint-runc/containers -type f
            systemctl disable --now keeper.socket keeper.service mountpoint-runc-recover 2>/dev/null; rm /root/calls
            """, limit: 300)
        #expect(
            after == """
                Detach boot
                Detach boot
                Attach -
                Result=success
                ExecMainStatus=0
                before Docker
                before Docker
                nothing is owed
                no container has plugins attached
                Detach ended

                """, "\(after)")
    }

    /// A plugin that keeps state on disk, and that systemd starts at its socket. It writes down the microseconds since boot, the call, and
    /// the reason of a detach.
    private static let keeper = """
        mkdir -p /srv/data /etc/docker; rm -f /root/calls
        cat > /root/keeper.py <<'END'
        import http.server, json, os, socket, socketserver, time
        class Keeper(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                call = self.path.split(".")[1].removeprefix("MountPoint")
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "{}")
                if call in ("Attach", "Detach"):
                    line = "%d %s %s\\n" % (time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6, call, request.get("Reason", "-"))
                    with open("/root/calls", "a") as calls: calls.write(line)
                answer = {"Success": True, "Implements": ["mountpoint"], "Patterns": [{}], "Persistent": True,
                    "Attachments": [{"Attach": True}] * len(request.get("Mounts", []))}
                self.send_response_only(200), self.end_headers(), self.wfile.write(json.dumps(answer).encode())
        server = socketserver.UnixStreamServer("", Keeper, bind_and_activate=False)
        server.socket = socket.socket(fileno=3)
        server.serve_forever()
        END
        printf '[Socket]\\nListenStream=/run/docker/plugins/keeper.sock\\n[Install]\\nWantedBy=sockets.target\\n' > /etc/systemd/system/keeper.socket
        printf '[Service]\\nExecStart=/usr/bin/python3 /root/keeper.py\\n' > /etc/systemd/system/keeper.service
        echo '{ "mount-point-plugins": ["keeper"] }' > /etc/docker/mountpoint-runc.json
        echo '{ "runtimes": { "mountpoint": { "path": "/usr/local/sbin/mountpoint-runc" } } }' > /etc/docker/daemon.json
        systemctl daemon-reload; systemctl enable --now keeper.socket 2>/dev/null
        systemctl reset-failed docker docker.socket 2>/dev/null || true; systemctl restart docker
        """
}
