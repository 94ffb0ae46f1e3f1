#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""guard: a mount point plugin that denies some folders of the host to containers, and lets them have others read-only.

usage: guard.py [SOCKET]              default /run/docker/plugins/guard.sock; systemd's socket, if it gives one
settings: /etc/guard.json, or $GUARD_SETTINGS
  {"denied": ["/srv/secret"], "read-only": ["/srv/shared"], "except-label": "guard.trusted"}
It keeps nothing, so it may be restarted at any time."""

import http.server
import json
import os
import socket
import socketserver
import sys

with open(os.environ.get("GUARD_SETTINGS", "/etc/guard.json")) as file:
    SETTINGS = json.load(file)
# Who can write there can be a plugin, or choose who is asked.
DENIED = SETTINGS.get("denied", []) + ["/run/docker/plugins", "/etc/docker"]
LATER = ["rslave", "rshared", "slave", "shared"]
READ_ONLY = SETTINGS.get("read-only", [])
EXCEPT = SETTINGS.get("except-label")


def shows(path, folder):
    """Whether a mount of `path` shows something of `folder`: it is the folder, in it, or above it."""
    path, folder = (os.path.normpath(text) + "/" for text in (path, folder))
    return path.startswith(folder) or folder.startswith(path.replace("//", "/"))


def properties(request):
    # By Origin: a link, a bind mount or a volume with a device is only another name for the folder.
    patterns = [{"Origin": [{word: folder}]} for folder in DENIED + READ_ONLY for word in ("PathPrefix", "PathContains")]
    # What is mounted below such a mount later shows, and nobody is asked about that.
    patterns += [{"Propagation": word} for word in LATER]
    return {"Success": True, "Patterns": patterns}


def container(request):
    """The container's ID. What makes no sense raises an error, and so is refused: nobody knows what would be let through."""
    if not isinstance(request, dict) or not isinstance(request.get("ID"), str) or not request["ID"]:
        raise ValueError("the request has no ID")
    return request["ID"]


def attach(request):
    container(request)
    attachments = []
    for mount in request["Mounts"]:
        # A host without Origin sends other mounts as well, so the patterns alone decide nothing.
        names = mount.get("Origin") or [mount["EffectiveSource"]]
        if EXCEPT and EXCEPT in mount["Container"].get("Labels", {}):
            attachments.append({"Attach": False})
            continue
        if mount.get("Propagation") in LATER:
            return {"Success": False, "Err": f"{mount['Destination']} would show what is mounted later; mount it without propagation"}
        for folder in DENIED:
            if any(shows(name, folder) for name in names):
                return {"Success": False, "Err": f"{mount['Destination']} would show {folder}, which no container may see"}
        is_shown = any(shows(name, folder) for name in names for folder in READ_ONLY)
        if is_shown and not mount.get("ReadOnly"):
            # Nothing is to be undone, so that nothing is lost if this plugin is away when the container ends.
            action = {"Warning": f"guard was away when {mount['Destination']} was unmounted"}
            attachments.append({"Attach": True, "Changes": {"ReadOnly": True}, "EmergencyDetach": [action]})
        else:
            attachments.append({"Attach": False})
    return {"Success": True, "Attachments": attachments}


def detach(request):
    container(request)
    return {"Success": True}


METHODS = {
    "/Plugin.Activate": lambda request: {"Implements": ["mountpoint"]},
    "/MountPointPlugin.MountPointProperties": properties,
    "/MountPointPlugin.MountPointAttach": attach,
    "/MountPointPlugin.MountPointDetach": detach,
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        try:
            status, answer = self.answer()
        except Exception as error:
            status, answer = 400, {"Err": f"the request makes no sense: {type(error).__name__}: {error}"}
        body = json.dumps(answer).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/vnd.docker.plugins.v1.2+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        method = METHODS.get(self.path)
        if not method:
            return 404, {"Err": f"{self.path} is not known"}
        return 200, method(json.loads(self.rfile.read(length) or "{}"))


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else "/run/docker/plugins/guard.sock"
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        server = Server(path, Handler, bind_and_activate=False)
        server.socket.close()
        server.socket = socket.socket(fileno=3)
    else:
        if os.path.exists(path):
            os.unlink(path)
        os.umask(0o077)
        server = Server(path, Handler)
    server.serve_forever()


main()
