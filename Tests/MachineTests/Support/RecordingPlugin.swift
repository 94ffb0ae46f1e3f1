// SPDX-License-Identifier: AGPL-3.0-or-later

/// A plugin in a machine that takes part in every mount and writes down its calls.
enum RecordingPlugin {
    /// Starts it, and gives Docker mountpoint-runc as the runtime `mountpoint`. `calls` prints what the plugin was asked; what it was asked
    /// about last is in `/root/mounts`.
    ///
    /// - Parameter settings: what Docker's settings have besides, with a comma at the end.
    static func setup(_ settings: String) -> String {
        """
        pkill -f recorder.py || true; rm -f /run/docker/plugins/recorder.sock /root/calls; mkdir -p /srv/data /run/docker/plugins
        cat > recorder.py <<'END'
        import http.server, json, socketserver
        class Recorder(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                call = self.path.split(".")[1]
                mounts = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "{}").get("Mounts", [])
                if call in ("MountPointAttach", "MountPointDetach"):
                    open("/root/calls", "a").write(call.removeprefix("MountPoint") + "\\n")
                if call == "MountPointAttach": open("/root/mounts", "w").write(json.dumps(mounts))
                answer = {"Success": True, "Implements": ["mountpoint"], "Patterns": [{}], "Attachments": [{"Attach": True}] * len(mounts)}
                self.send_response_only(200), self.end_headers(), self.wfile.write(json.dumps(answer).encode())
        socketserver.UnixStreamServer("/run/docker/plugins/recorder.sock", Recorder).serve_forever()
        END
        setsid python3 recorder.py >/dev/null 2>&1 </dev/null &
        until [ -S /run/docker/plugins/recorder.sock ]; do sleep 0.1; done
        echo '{ "mount-point-plugins": ["recorder"] }' > /etc/docker/mountpoint-runc.json
        echo '{ \(settings) "runtimes": { "mountpoint": { "path": "/usr/local/sbin/mountpoint-runc" } } }' > /etc/docker/daemon.json
        systemctl reset-failed docker docker.socket 2>/dev/null || true; systemctl restart docker
        calls() { echo $(cat /root/calls 2>/dev/null); }
        """
    }
}
