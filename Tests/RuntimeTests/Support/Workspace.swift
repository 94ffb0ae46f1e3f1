// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import TestSupport
import Testing

/// What people do in a work tree, with this machine's own programs.
struct Workspace: Sendable, CustomStringConvertible {
    var description: String
    /// Programs of this machine that must be there, as paths.
    var programs: [String]
    /// Made on the host, in the work tree. Runs with `set -e`.
    var prepare = "true"
    /// Runs in the container, in the work tree, with `set -e`.
    var script: String
    /// Runs in a container that has the committed tree without any plugin.
    var check = "true"
    var user = "0:0"
    /// Words of find(1) for what differs from run to run.
    var leavesOut: [String] = []
    /// Whether two runs make the same tree, but for what is left out.
    var isRepeatable = true

    var isThere: Bool { programs.allSatisfy(FileManager.default.isExecutableFile) }

    /// The host's programs and libraries, and the names of its users.
    static let hostPrograms: [String] = {
        let places = [
            "/usr:/usr", "/usr/lib:/lib", "/usr/lib64:/lib64", "/etc/alternatives:/etc/alternatives", "/etc/passwd:/etc/passwd",
            "/etc/group:/etc/group",
        ]
        let mounts = places.flatMap { (place: String) -> [String] in ["--volume", place + ":ro"] }
        let settings = ["PATH=/usr/bin:/usr/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/scratch", "TMPDIR=/scratch"].flatMap { ["--env", $0] }
        return mounts + settings + ["--workdir", "/work", "--tmpfs", "/scratch:mode=1777,exec"]
    }()

    /// All of a tree that a plain copy would have, too: a line for each entry, without the times that no program has set.
    static let listing = """
        import hashlib, os, stat, sys
        top, left = sys.argv[1], sys.argv[2:]
        inodes = {}
        for folder, folders, files in sorted(os.walk(os.fsencode(top))):
            if any(name in os.fsdecode(folder) for name in left): continue
            for path in [folder] + [os.path.join(folder, name) for name in sorted(folders + files)]:
                if path != folder and os.path.isdir(path) and not os.path.islink(path): continue
                if any(name in os.fsdecode(path) for name in left): continue
                status = os.lstat(path)
                name = repr(path[len(top):])
                words = [name, oct(status.st_mode), status.st_uid, status.st_gid]
                if stat.S_ISREG(status.st_mode):
                    with open(path, "rb") as file: words += [status.st_size, hashlib.sha256(file.read()).hexdigest()]
                    if status.st_nlink > 1: words.append(inodes.setdefault(status.st_ino, name))
                if stat.S_ISLNK(status.st_mode): words.append(repr(os.readlink(path)))
                if status.st_mtime < 1e9: words.append(status.st_mtime_ns)
                words += [(key, os.getxattr(path, key, follow_symlinks=False)) for key in sorted(os.listxattr(path, follow_symlinks=False))]
                print(*words)
        """
}

extension Workspace {
    static let git = Workspace(
        description: "git", programs: ["/usr/bin/git"],
        prepare: """
            export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_DATE='2001-01-01T00:00:00Z' GIT_COMMITTER_DATE='2001-01-01T00:00:00Z'
            export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
            git init --quiet --initial-branch main .; mkdir -p src/deep
            for n in $(seq 200); do echo "line $n" > src/deep/$n; done
            git add .; git commit --quiet --message one
            git checkout --quiet -b other; git mv src/deep src/deeper; echo other > src/new; git add .
            git commit --quiet --message two; git checkout --quiet main
            """,
        script: """
            git config --global --add safe.directory /work
            export GIT_AUTHOR_DATE='2002-01-01T00:00:00Z' GIT_COMMITTER_DATE='2002-01-01T00:00:00Z'
            export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
            test -z "$(git status --porcelain)"
            git checkout --quiet other; test -f src/deeper/200; test ! -e src/deep
            echo more >> src/new; rm src/deeper/7; git commit --quiet --all --message three
            git checkout --quiet main; echo main > src/main; git add .; git commit --quiet --message four
            git checkout --quiet other; git rebase --quiet main; echo x > untracked; git stash --quiet --include-untracked
            git -c pack.threads=1 gc --quiet --prune=now
            test -z "$(git status --porcelain)"; git checkout --quiet main; test -f src/deep/7; git checkout --quiet other
            """,
        check: """
            git config --global --add safe.directory /work
            git fsck --strict --no-dangling; test -z "$(git status --porcelain)"; test "$(git log -1 --format=%s)" = three
            test "$(git stash list | wc -l)" = 1; git rev-parse --verify --quiet main
            """,
        // It has inode numbers.
        leavesOut: ["/.git/index"])

    static let tar = Workspace(
        description: "tar", programs: ["/usr/bin/tar", "/usr/bin/python3"], prepare: mixedTree,
        script: """
            tar --create --acls --xattrs --sparse --file /scratch/all.tar from
            tar --compare --file /scratch/all.tar
            mkdir to; tar --extract --acls --xattrs --file /scratch/all.tar --directory to; tar --compare --file /scratch/all.tar --directory to
            rm -rf from/inner; echo other > from/plain; tar --extract --acls --xattrs --overwrite --file /scratch/all.tar
            tar --compare --file /scratch/all.tar; rm -rf from
            """)

    static let rsync = Workspace(
        description: "rsync -aHAX", programs: ["/usr/bin/rsync", "/usr/bin/python3"], prepare: mixedTree,
        script: """
            rsync -aHAXS from/ to/; test -z "$(rsync -aHAXSni --checksum from/ to/)"
            mv from/inner from/moved; rm from/plain; echo new > from/new; touch -d @3 from/new from
            rsync -aHAXS --delete from/ to/; test -z "$(rsync -aHAXSni --checksum --delete from/ to/)"
            """)

    /// Each kind of entry, with times, attributes and a list of access rights.
    private static let mixedTree = """
        mkdir -p from/inner/empty; cd from; echo plain > plain; ln plain inner/linked; ln -s plain link; mkfifo fifo
        truncate -s 1M sparse; echo end >> sparse; echo tool > tool; chmod 4755 tool; chmod 2775 inner; chown 5:6 tool
        /usr/bin/python3 - <<'END'
        import os, struct
        rights = struct.pack("<IHHIHHIHHIHHIHHI", 2, 1, 6, 0xffffffff, 2, 4, 33, 4, 4, 0xffffffff, 16, 4, 0xffffffff, 32, 0, 0xffffffff)
        try: os.setxattr("plain", "system.posix_acl_access", rights)
        except OSError: print("no access lists here")
        try: os.setxattr("tool", "user.origin", b"host\\0bytes")
        except OSError: print("no attributes of users here")
        END
        find . -exec touch --no-dereference -d @5 {} +
        """

    static let dpkg = Workspace(
        description: "dpkg", programs: ["/usr/bin/dpkg", "/usr/bin/dpkg-deb"],
        prepare: """
            for version in 1 2; do
              mkdir -p p/DEBIAN p/usr/share/thing p/etc; echo $version > p/usr/share/thing/version; echo $version > p/usr/share/thing/v$version
              ln -sf version p/usr/share/thing/link; echo setting > p/etc/thing.conf; echo /etc/thing.conf > p/DEBIAN/conffiles
              printf 'Package: thing\\nVersion: %s\\nArchitecture: all\\nMaintainer: a <a@b>\\nDescription: thing\\n' $version > p/DEBIAN/control
              SOURCE_DATE_EPOCH=7 dpkg-deb --root-owner-group --build p thing$version.deb >/dev/null; rm -r p
            done
            """,
        script: """
            mkdir -p root/var/lib/dpkg/info root/var/lib/dpkg/updates unpacked; touch root/var/lib/dpkg/status
            dpkg-deb --extract thing1.deb unpacked
            for version in 1 2; do dpkg --root=/work/root --log=/dev/null --install thing$version.deb; done
            test "$(cat root/usr/share/thing/version)" = 2; test ! -e root/usr/share/thing/v1
            dpkg --root=/work/root --verify thing; rm thing1.deb
            """,
        check: "dpkg --root=/work/root --verify thing; dpkg --root=/work/root --status thing | grep 'Version: 2'")

    static let make = Workspace(
        description: "make and a compiler", programs: ["/usr/bin/make", "/usr/bin/cc"],
        prepare: """
            for n in $(seq 5); do echo "int part$n(void) { return $n; }" > part$n.c; done
            echo 'int part1(void); int part5(void); int main(void) { return part1() + part5(); }' > main.c
            printf 'objects = main.o part1.o part2.o part3.o part4.o part5.o\\nprogram: $(objects)\\n\\tcc -o $@ $^\\nmain.o: main.c\\n' > Makefile
            printf 'clean:\\n\\trm -f program *.o\\n' >> Makefile
            """,
        script: """
            make -j2; ./program || test $? = 6; make --question; make clean; make
            sleep 0.01; echo 'int part5(void) { return 7; }' > part5.c; ! make --question; make; ./program || test $? = 8
            """,
        check: "make --question; ./program || test $? = 8")

    static let watching = Workspace(
        description: "inotify", programs: ["/usr/bin/python3"], prepare: "mkdir old; echo x > old/file",
        script: """
            /usr/bin/python3 - <<'END'
            import ctypes, os, struct
            library = ctypes.CDLL(None, use_errno=True)
            watch = library.inotify_init1(os.O_NONBLOCK)
            for name in [b".", b"old"]: assert library.inotify_add_watch(watch, name, 0xfff) > 0
            # Folders: a file of the source becomes another with its first change.
            os.mkdir("made"); open("made.txt", "w").write("x"); os.rename("made.txt", "old/moved"); os.remove("old/file")
            events, names = os.read(watch, 65536), set()
            while events:
                _, mask, _, length = struct.unpack_from("iIII", events)
                name = events[16:16 + length].rstrip(b"\\0").decode()
                names |= {(name, bit) for bit in [0x8, 0x40, 0x80, 0x100, 0x200] if mask & bit}
                events = events[16 + length:]
            wanted = {("made", 0x100), ("made.txt", 0x100), ("made.txt", 8), ("made.txt", 0x40), ("moved", 0x80), ("file", 0x200)}
            assert wanted <= names, names
            END
            """)

    private static let postgresFolder: String = {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        return "/usr/lib/postgresql/\(versions.sorted().last ?? "none")/bin"
    }()

    static let postgres = Workspace(
        description: "PostgreSQL", programs: ["initdb", "pg_ctl", "psql", "pg_checksums"].map { "\(postgresFolder)/\($0)" },
        prepare: "chown 33:33 .; chmod 700 .",
        script: """
            PATH=\(postgresFolder):$PATH
            initdb --pgdata=data --username=postgres --auth=trust --no-locale --encoding=UTF8 --data-checksums --no-instructions >/dev/null
            start="pg_ctl --pgdata=data --wait --silent --log=/work/log -o -k/work -o --listen-addresses="
            $start start
            psql --host=/work --username=postgres --quiet --command='CREATE TABLE t AS SELECT n, md5(n::text) FROM generate_series(1, 20000) n'
            $start --mode=fast restart
            psql --host=/work --username=postgres --quiet --command='UPDATE t SET n = n + 1; CREATE INDEX ON t (n)'
            $start --mode=fast stop
            """,
        check: """
            PATH=\(postgresFolder):$PATH
            pg_checksums --check --pgdata=data
            start="pg_ctl --pgdata=data --wait --silent --log=/scratch/log -o -k/scratch -o --listen-addresses="
            $start start
            test "$(psql --host=/scratch --username=postgres --tuples-only --no-align --command='SELECT count(*), sum(n) FROM t')" = '20000|200030000'
            $start --mode=fast stop
            """,
        user: "33:33", isRepeatable: false)

    static let npm = Workspace(
        description: "npm", programs: ["/usr/bin/npm", "/usr/bin/node"],
        prepare: """
            export npm_config_cache=$(mktemp -d); mkdir dep; echo '{"name": "dep", "version": "1.0.0", "bin": "run.js"}' > dep/package.json
            printf '#!/usr/bin/env node\\nconsole.log("run")\\n' > dep/run.js; chmod 755 dep/run.js
            (cd dep && npm pack --silent --pack-destination .. >/dev/null); rm -r dep
            echo '{"name": "app", "version": "1.0.0", "dependencies": {"dep": "file:dep-1.0.0.tgz"}}' > package.json
            npm install --offline --silent --no-audit --no-fund --package-lock-only; rm -rf $npm_config_cache
            """,
        script: "npm ci --offline --no-audit --no-fund --cache /scratch/npm; npm ci --offline --no-audit --no-fund --cache /scratch/npm",
        check: "test \"$(node_modules/.bin/dep)\" = run")

    /// What Scripts/test-needs brings, and what is on every Debian.
    static let all = [git, tar, rsync, dpkg, watching]
}
