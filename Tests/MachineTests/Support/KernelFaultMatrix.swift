// SPDX-License-Identifier: AGPL-3.0-or-later

/// Does one thing again and again with a daemon of its own on kernel NFS, and lets something go wrong at another of its system calls each
/// time; for the machine, what FaultMatrix of FaultTests is for the host.
enum KernelFaultMatrix {
    /// Python. Its arguments: fault-injector, a folder for its files, the version of NFS, how many points of each scenario (0: all), the
    /// action and the calls as fault-injector takes them, and the scenarios with commas between them.
    ///
    /// It prints a line that begins with `FAULT` for each fault, one for each scenario, and `tried N bad N mounts N`.
    static let program = #"""
        import json, os, select, socket, subprocess, sys, time

        injector, folder, version, wanted, action, calls, names = sys.argv[1:]
        program, wanted, names = "/usr/local/sbin/docker-nfsd", int(wanted), names.split(",")
        base, state, run, places = [folder + part for part in ("/plugins", "/state", "/run", "/mounts")]
        export = "/exports/data/matrix"
        environment = dict(os.environ, DOCKER_NFSD_ENGINE_SOCKET="none", DOCKER_NFSD_STATE_DIRECTORY=state, DOCKER_NFSD_RUNTIME_DIRECTORY=run,
            DOCKER_NFSD_MOUNT_DIRECTORY=places, DOCKER_NFSD_SOCKET_DIRECTORY=base, DOCKER_NFSD_DOCKER_DIRECTORY=folder + "/docker",
            DOCKER_NFSD_RETRY="off")
        os.makedirs(base, exist_ok=True)
        log = open(folder + "/log", "ab")
        daemon = None

        class Fault(Exception): pass

        def call(method, name="", **body):
            """The answer of a request: a document, the text of an error, or None if the connection ended without one."""
            text = json.dumps(dict(body, Name=name)).encode()
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(110)
                answer = b""
                try:
                    connection.connect(base + "/nfsd.sock")
                    connection.sendall(b"POST /VolumeDriver.%s HTTP/1.1\r\nHost: p\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                        % (method.encode(), len(text), text))
                    while part := connection.recv(65536): answer += part
                except socket.timeout: raise Fault(f"{method} {name}: no answer within 110 s")
                except OSError: pass
            if b"\r\n\r\n" not in answer: return None
            document = json.loads(answer.split(b"\r\n\r\n", 1)[1])
            return document["Err"] or document

        def succeed(method, name="", **body):
            answer = call(method, name, **body)
            if not isinstance(answer, dict): raise Fault(f"{method} {name} {body}: {answer}")
            return answer

        def start():
            global daemon
            daemon = subprocess.Popen([program, "serve"], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            until = time.monotonic() + 60
            while time.monotonic() < until:
                if daemon.poll() is not None: break
                with socket.socket(socket.AF_UNIX) as connection:
                    if connection.connect_ex(base + "/nfsd.sock") == 0: return
                time.sleep(0.02)
            raise Fault("the daemon does not start")

        def kill():
            if daemon.poll() is None: daemon.kill()
            daemon.wait(20)

        class Injector:
            def __init__(self, place, action):
                self.end, other = socket.socketpair()
                with other:
                    self.process = subprocess.Popen([injector, "attach", str(daemon.pid), calls, str(place), action], stdin=other)
                self.rest = b""
                if self.lines(20, lambda line: line == "ready")[-1:] != ["ready"]: raise Fault("fault-injector cannot attach")
            def lines(self, quiet, isLast):
                """Lines until the last one, or until none has come for so many seconds."""
                lines = []
                while True:
                    while b"\n" in self.rest:
                        line, self.rest = self.rest.split(b"\n", 1)
                        lines.append(line.decode())
                        if isLast(lines[-1]): return lines
                    if not select.select([self.end], [], [], quiet)[0]: return lines
                    part = self.end.recv(65536)
                    if not part: return lines
                    self.rest += part
            def points(self):
                lines = self.lines(0.15, lambda line: line == "gone")
                self.end.close()
                self.process.wait(20)
                return [" of ".join(line.split()[1:3]) for line in lines if line[:4] in ("call", "hit ")]

        def list_of(path): return sorted(os.listdir(path)) if os.path.isdir(path) else []

        def mounted():
            with open("/proc/self/mountinfo") as table: points = [line.split()[4] for line in table]
            return sorted(point for point in points if point.startswith(folder + "/"))

        def name_of(process):
            try: return open(f"/proc/{process}/comm").read().strip() if process.isdigit() else ""
            except OSError: return ""

        def world():
            found = {}
            for volume in succeed("List").get("Volumes") or []:
                status = succeed("Get", volume["Name"])["Volume"]["Status"]
                found[volume["Name"]] = {holder["id"]: holder["count"] for holder in status.get("heldBy", [])}
            return found

        def faults(allowed):
            if daemon.poll() is not None: return ["the daemon has ended"]
            is_, wrong = world(), []
            if is_ not in allowed: wrong.append(f"there is {is_} and not {allowed}")
            held = sorted(name for name in is_ if is_[name])
            expected = {places: held, state + "/volumes": sorted(name + ".json" for name in is_), state + "/damaged": [],
                run + "/references": [name + ".json" for name in held], run + "/staging": []}
            for path, names in expected.items():
                if list_of(path) != names: wrong.append(f"in {path} is {list_of(path)} and not {names}")
            if mounted() != [places + "/" + name for name in held]: wrong.append(f"mounted is {mounted()}, held is {held}")
            if processes := [name for name in map(name_of, os.listdir("/proc")) if name.startswith("nfsd-")]:
                wrong.append(f"processes are left: {processes}")
            return wrong

        def lasting(allowed, isToIgnore=lambda fault: False):
            """What is wrong still after some seconds."""
            until = time.monotonic() + 15
            while (wrong := [fault for fault in faults(allowed) if not isToIgnore(fault)]) and time.monotonic() < until: time.sleep(0.1)
            return wrong

        options = {"server": "127.0.0.1", "path": export, "nfsvers": version}
        made = dict(options, subdir="v", create="true", onremove="delete")
        free, one = {"v": {}}, {"v": {"1": 1}}
        create = lambda opts: ("Create", {"Opts": opts})
        mount, unmount = ("Mount", {"ID": "1"}), ("Unmount", {"ID": "1"})
        # By name: what comes before, the request, the world before it and after it, and whether there are data in the volume.
        scenarios = {
            "mount": ([create(options)], mount, free, one, False),
            "mount of a directory to be made": ([create(made)], mount, free, one, False),
            "unmount": ([create(options), mount], unmount, one, free, False),
            "remove": ([create(options)], ("Remove", {}), free, {}, False),
            "deleting removal": ([create(made)], ("Remove", {}), free, {}, True),
        }

        def again(step): return succeed(step[0], "v", **step[1])

        def finish(scenario):
            _, request, before, after, hasData = scenario
            if world() != after or request == mount:
                answer = call(request[0], "v", **request[1])
                if not isinstance(answer, dict) and not (request[0] == "Remove" and world() == after): return [f"again: {answer}"]
            for name, holders in world().items():
                for holder, count in holders.items():
                    for _ in range(count): succeed("Unmount", name, ID=holder)
            wrong = [f"data are left: {list_of(export)}"] if hasData and list_of(export) != ["w"] else []
            if hasData and list_of(export + "/w") != ["file"]: wrong.append("other data are gone")
            for name in world(): succeed("Remove", name)
            return wrong or lasting([{}])

        def trial(scenario, place):
            """The points, how the request was answered, and what is wrong."""
            setup, request, before, after, hasData = scenario
            subprocess.run(["rm", "-rf", export]); os.makedirs(export)
            if hasData:
                for name in "vw":
                    os.makedirs(f"{export}/{name}/inner" if name == "v" else f"{export}/{name}")
                    open(f"{export}/{name}/file", "w").write("data")
            if daemon is None or daemon.poll() is not None: start()
            for step in setup: again(step)
            tracing = Injector(place, action if place else "kill")
            answer = call(request[0], "v", **request[1])
            points = tracing.points()
            kind = "success" if isinstance(answer, dict) else "error" if answer else "none"
            allowed = [after] if kind == "success" else [before, after]
            if place and action == "kill":
                kill(); start()
                wrong = lasting(allowed)
            else:
                # A folder that could not be removed is removed at the next start. A record that could not be written says the old.
                wrong = lasting(allowed, lambda fault: place and fault.startswith(("in " + run, "in " + places)))
                if place and not wrong:
                    isUnmount = request == unmount
                    worlds = [world()] + ([before, after] if isUnmount else [])
                    kill(); start()
                    wrong = lasting(worlds, lambda fault: isUnmount and fault.startswith(("mounted is", "in " + places)))
            return points, kind, wrong or finish(scenario)

        def look(name, place):
            try: return trial(scenarios[name], place)
            except Fault as fault: return [], "none", [str(fault)]

        def clean():
            kill()
            for point in reversed(mounted()): subprocess.run(["umount", "-l", point])
            for path in (state, run, places): subprocess.run(["rm", "-rf", path])

        began, tried, bad = time.monotonic(), 0, 0
        for name in names:
            points, _, wrong = look(name, 0)
            if wrong: print(f"FAULT {name}, with nothing wrong: {wrong}"); clean(); continue
            count = len(points)
            step = max(1, count // wanted) if wanted else 1
            kinds = {}
            for place in range(1 + step // 2, count + 1, step):
                hit, kind, wrong = look(name, place)
                tried += 1
                kinds[kind] = kinds.get(kind, 0) + 1
                if wrong:
                    bad += 1
                    print(f"FAULT {name}, {action} at call {place} of {count} ({hit}), answer {kind}: {wrong}")
                    clean()
            print(f"{name}, NFS {version}, {action}: {count} calls, answers {kinds}")
        kill()
        print(f"tried {tried} bad {bad} mounts {len(mounted())} in {time.monotonic() - began:.0f} s")
        """#
}
