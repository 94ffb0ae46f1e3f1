// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import TestSupport

/// An authorization plugin of Docker's that closes the ways past mountpoint-runc, as SECURITY.md advises. Docker's documentation, "Access
/// authorization plugin".
enum AuthorizationPlugin {
    static let name = "house"

    /// Starts it on a host whose engine starts later; it ends with the host.
    static func start(on host: PrivateHost) async throws {
        let process = try host.start(["python3", "-c", program], log: "house.log")
        try await eventually("the authorization plugin listens: \(host.log("house.log"))", within: .seconds(10)) {
            if process.hasEnded { throw Trouble("it has ended: \(host.log("house.log"))") }
            return host.names(in: Dockerd.pluginFolder).contains(name + ".sock")
        }
    }

    private static let program = #"""
        import base64, http.server, json, re, socketserver, urllib.parse

        # Docker takes names of members in any case, and of several the last one or parts of each: all of them are looked at.
        def members(pairs, name): return [value for key, value in pairs if key.casefold() == name]

        def denial(request):
            address = urllib.parse.urlsplit(request["RequestUri"])
            path = re.sub("^/v[0-9.]+/", "/", urllib.parse.unquote(address.path))
            if path == "/build" and urllib.parse.parse_qs(address.query).get("version", ["1"]) != ["1"]: return "BuildKit"
            if path in ("/session", "/grpc") or path.startswith("/plugins"): return path
            if re.fullmatch("/containers/.*/archive", path): return "docker cp"
            if path != "/containers/create": return None
            # Docker does not show a body of 1 MiB or more.
            if not request.get("RequestBody"): return "a body that is not shown"
            for host in members(json.loads(base64.b64decode(request["RequestBody"]), object_pairs_hook=list), "hostconfig"):
                if any(runtime not in ("", "mountpoint") for runtime in members(host, "runtime")): return "a runtime"
                if any(members(host, "devices")) or any(members(host, "privileged")): return "a device"
                if "host" in members(host, "pidmode"): return "the host's processes"

        class House(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "{}")
                answer = {"Implements": ["authz"]}
                if self.path.startswith("/AuthZPlugin."):
                    try: reason = denial(request) if self.path == "/AuthZPlugin.AuthZReq" else None
                    except Exception as error: reason = f"what cannot be read: {error}"
                    answer = {"Allow": not reason, "Msg": f"the house denies {reason}"}
                body = json.dumps(answer).encode()
                self.send_response_only(200), self.send_header("Content-Length", str(len(body))), self.end_headers(), self.wfile.write(body)

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer): daemon_threads = True
        Server("/run/docker/plugins/house.sock", House).serve_forever()
        """#
}
