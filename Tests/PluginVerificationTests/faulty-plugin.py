#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A mount point plugin that is right, or has one fault.

usage: faulty-plugin.py SOCKET FOLDER [FAULT]
For each mount it makes FOLDER/ID/N the new source, a folder of its own, and takes it away at the detach. With the word
mounting before the fault (or alone) the folder gets a tmpfs mounted on it. With the word others somebody else has a mount that
comes with every third Attach and goes with the next. What it has made is only on disk, so it may be
killed and started again."""

import ctypes
import http.server
import json
import os
import shutil
import socketserver
import sys
import threading
import time

SOCKET, FOLDER = sys.argv[1:3]
WORDS = sys.argv[3:]
MOUNTING = "mounting" in WORDS
OTHERS = os.path.join(FOLDER, "others") if "others" in WORDS else None
FAULT = next((word for word in WORDS if word not in ("mounting", "others")), "")
LIBC = ctypes.CDLL(None, use_errno=True)
TYPE = "application/vnd.docker.plugins.v1.2+json"
seen, asked, leaked, busy, memory = set(), [0], [], threading.Semaphore(1), set()


class Refusal(Exception):
    pass


def activate(request):
    if FAULT == "activate-refused": raise Refusal("not today")
    return {"Implements": ["VolumeDriver" if FAULT == "other-interface" else "mountpoint"]}


def properties(request):
    asked[0] += 1
    pattern = {"Type": "bind"}
    if FAULT == "changing-properties" and asked[0] % 2 == 0: pattern = {}
    if FAULT == "unknown-member": pattern["Soruce"] = [{"Exactly": "/srv"}]
    answer = {"Success": True, "Patterns": pattern if FAULT == "patterns-no-list" else [pattern]}
    if FAULT == "properties-refused": answer = {"Success": False, "Err": "no properties"}
    if FAULT == "mounted-unknown": answer["Mounted"] = True
    return answer


def shared_mount(name):
    folder = os.path.join(FOLDER, "shared")
    with busy:
        os.makedirs(folder, exist_ok=True)
        if not os.path.ismount(folder): LIBC.mount(b"shared", folder.encode(), b"tmpfs", 0, None)
        memory.add(name)
    return folder


def leave_shared_mount(name):
    with busy:
        known = name in memory
        memory.discard(name)
        if known and not memory: LIBC.umount2(os.path.join(FOLDER, "shared").encode(), 2)
    return {"Success": True}


def source_of(request, number):
    folder = os.path.join(FOLDER, request["ID"], str(number))
    if FAULT == "shared-folder": folder = os.path.join(FOLDER, "shared", str(number))
    os.makedirs(folder, exist_ok=True)
    if MOUNTING:
        if LIBC.mount(b"none", folder.encode(), b"tmpfs", 0, None) != 0: raise Refusal(os.strerror(ctypes.get_errno()))
    return folder


def actions_for(folder, mount):
    actions = [{"Remove": folder}, {"Remove": os.path.dirname(folder)}]
    if MOUNTING: actions.insert(0, {"Unmount": folder})
    if FAULT == "no-actions": return []
    if FAULT == "removes-source": return [{"Remove": mount["Source"]}]
    if FAULT == "relative-action": return [{"Remove": "relative"}]
    if FAULT == "unmounts-others": return [{"Unmount": "/proc"}]
    if FAULT == "actions-do-nothing": return [{"Warning": "somebody should tidy up"}]
    return actions


def mount_of_others():
    os.makedirs(OTHERS, exist_ok=True)
    with open(FOLDER + "-count", "ab") as file:
        file.write(b".")
        count = file.tell()
    if count % 3 == 2: LIBC.mount(b"others", OTHERS.encode(), b"tmpfs", 0, None)
    else: LIBC.umount2(OTHERS.encode(), 2)


def attach(request):
    if not isinstance(request, dict) or not isinstance(request.get("ID"), str) or not request["ID"]: raise Refusal("no ID")
    if not isinstance(request.get("Mounts"), list): raise Refusal("no list of mounts")
    name, mounts = request["ID"], request["Mounts"]
    for mount in mounts:
        if not isinstance(mount.get("Source"), str) or not isinstance(mount.get("Destination"), str): raise Refusal("no text")
        mount["Source"].encode()
    if FAULT == "once-only" and name in seen: raise Refusal("already attached")
    if FAULT == "one-at-a-time":
        if not busy.acquire(blocking=False): raise Refusal("busy")
        time.sleep(0.1)
        busy.release()
    if FAULT == "closes-at-many" and len(mounts) > 50: return None
    if FAULT == "hangs" and mounts: time.sleep(3600)
    if FAULT == "slow": time.sleep(1.4)
    if FAULT == "dies-of-long-paths" and any(len(mount["Source"]) > 4000 for mount in mounts): os._exit(1)
    if FAULT == "dies-of-line-breaks" and any("\n" in mount["Source"] for mount in mounts): os._exit(1)
    if FAULT == "leaks-descriptors": leaked.append(os.open("/", os.O_RDONLY))
    if FAULT == "changes-source" and mounts:
        with open(os.path.join(mounts[0]["Source"], "left-behind"), "w") as file: file.write(name)
    if OTHERS and mounts: mount_of_others()
    seen.add(name)
    if FAULT != "forgets-shared-mount": memory.add(name)
    attachments = []
    if FAULT == "forgets-shared-mount" and mounts:
        folder = shared_mount(name)
        attachments = [{"Attach": True, "EmergencyDetach": [{"Unmount": folder}], "Changes": {"EffectiveSource": folder}} for _ in mounts]
        return {"Success": True, "Attachments": attachments}
    for number, mount in enumerate(mounts):
        folder = source_of(request, number)
        source = folder
        if FAULT == "relative-source": source = "relative/path"
        if FAULT == "missing-source": source = folder + "-missing"
        attachments.append({"Attach": True, "EmergencyDetach": actions_for(folder, mount), "Changes": {"EffectiveSource": source}})
    if FAULT == "attaches-nothing" and not mounts: attachments = [{"Attach": True, "EmergencyDetach": [{}]}]
    if FAULT == "too-many-attachments" and mounts: attachments.append({"Attach": True, "EmergencyDetach": [{}]})
    return {"Success": True, "Attachments": attachments}


def detach(request):
    if not isinstance(request, dict) or not isinstance(request.get("ID"), str) or not request["ID"]: raise Refusal("no ID")
    if FAULT == "forgets-shared-mount": return leave_shared_mount(request["ID"])
    folder = os.path.join(FOLDER, "shared" if FAULT == "shared-folder" else request["ID"])
    if FAULT == "leaves-folder": return {"Success": True}
    if FAULT == "forgets" and request["ID"] not in memory: return {"Success": True}
    if FAULT == "strict-detach" and not os.path.isdir(folder) and request["ID"] not in seen:
        return {"Success": False, "Recoverable": True, "Err": "no such container"}
    if FAULT == "refuses-detach": return {"Success": False, "Recoverable": True, "Err": "not now"} if request["ID"] in seen else {"Success": True}
    if os.path.isdir(folder):
        if MOUNTING and FAULT != "leaves-mount":
            for name in os.listdir(folder): LIBC.umount2(os.path.join(folder, name).encode(), 2)
        if FAULT != "leaves-mount": shutil.rmtree(folder, ignore_errors=True)
    return {"Success": True}


METHODS = {
    "/Plugin.Activate": activate,
    "/MountPointPlugin.MountPointProperties": properties,
    "/MountPointPlugin.MountPointAttach": attach,
    "/MountPointPlugin.MountPointDetach": detach,
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        status, body = 200, None
        try:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path not in METHODS:
                status, answer = 404, {"Err": f"{self.path} is not known"}
            elif self.path == "/Plugin.Activate":
                answer = activate(None)
            else:
                answer = METHODS[self.path](json.loads(raw))
        except Exception as error:
            status, answer = 500, {"Err": str(error) or "no words"}
            if FAULT == "mute": body = b""
            if FAULT == "accepts-anything": status, answer = 200, {"Success": True}
            if FAULT == "dies-of-malformed": os._exit(1)
        if answer is None: return
        body = json.dumps(answer).encode() if body is None else body
        if FAULT == "too-large" and self.path.endswith("Properties"): body += b" " * (1 << 20)
        self.send_response_only(status)
        self.send_header("Content-Type", "text/html" if FAULT == "wrong-type" else TYPE)
        if FAULT == "no-length": self.send_header("Connection", "close")
        else: self.send_header("Content-Length", str(len(body) + (5 if FAULT == "wrong-length" and "Detach" in self.path else 0)))
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, address):
        pass


if os.path.exists(SOCKET): os.unlink(SOCKET)
Server(SOCKET, Handler).serve_forever()
