// SPDX-License-Identifier: AGPL-3.0-or-later

import OCIRuntime
import Testing

/// Splits at spaces: no argument of these tests has one in it.
func words(_ text: String) -> [String] { text.split(separator: " ").map(String.init) }

func parse(_ text: String) throws(CommandLineError) -> RuntimeCommandLine { try RuntimeCommandLine(parsing: words(text)) }

@Suite struct RuntimeCommandLineTests {
    @Test func readsWhatContainerdCallsForDocker() throws {
        let line = try parse(
            """
            --root /run/docker/runtime-runc/moby --log /run/b/log.json --log-format json --systemd-cgroup \
            create --bundle /run/b --pid-file /run/b/init.pid --console-socket /tmp/p.sock abc123
            """)
        #expect(line.root == "/run/docker/runtime-runc/moby")
        #expect(line.log == "/run/b/log.json")
        #expect(line.logFormat == "json")
        #expect(line.usesSystemdCgroup)
        #expect(!line.isDebugging)
        let creation = try #require(line.command.creation)
        #expect(line.command == .create(creation))
        #expect(creation.id.text == "abc123")
        #expect(creation.bundle == "/run/b")
        #expect(creation.pidFile == "/run/b/init.pid")
        #expect(creation.consoleSocket == "/tmp/p.sock")
        #expect(!creation.isDetached)
    }

    @Test(arguments: [
        "create --bundle /b --pid-file /p x", "create --bundle=/b --pid-file=/p x", "create -b /b -pid-file /p x",
        "create --bundle /b -pid-file=/p x", "create -b /b --pid-file /p x", "create -b/b --pid-file /p x",
        "create --b /b --pid-file /p x", "create --bun /b --pid-f /p x", "create x --bundle /b --pid-file /p",
        "create --bundle /b x --pid-file=/p",
        "create --bundle /b --pid-file /p -- x", "create --bundle /a --bundle /b --pid-file /q --pid-file /p x",
        "create --no-pivot --bundle /b --no-new-keyring --pid-file /p --no-subreaper x",
        "create --no-pivot=true --bundle /b --pid-file /p x",
        "create --preserve-fds 3 --pidfd-socket s --console-socket c --config f --bundle /b --pid-file /p x",
        "-- create --bundle /b --pid-file /p x", "--debug=true -root /r --criu c --rootless auto create -b /b --pid-file /p x",
        "--cgroup-manager systemd --log-level debug create -b /b --pid-file /p x", "--deb create -b /b --pid-file /p x",
    ])
    func readsEverySpelling(text: String) throws {
        let creation = try #require(try parse(text).command.creation)
        #expect(creation.id.text == "x")
        #expect(creation.bundle == "/b")
        #expect(creation.pidFile == "/p")
    }

    @Test func takesTheWordAfterAFlagForItsValueWhateverItIs() throws {
        let creation = try #require(try parse("create --bundle --no-pivot --pid-file create --console-socket -- x").command.creation)
        #expect(creation.bundle == "--no-pivot")
        #expect(creation.pidFile == "create")
        #expect(creation.consoleSocket == "--")
        #expect(creation.id.text == "x")
        let root = try parse("--root create create x")
        #expect(root.root == "create")
        #expect(root.command.creation?.id.text == "x")
        let empty = try RuntimeCommandLine(parsing: ["--root", "", "create", "--bundle", "", "x"])
        #expect(empty.root == "")
        #expect(empty.command.creation?.bundle == "")
    }

    @Test func readsRunAndRestore() throws {
        let run = try parse("run -d --keep --no-subreaper --preserve-fds=2 -f /c.json --bundle /b x")
        let creation = try #require(run.command.creation)
        #expect(run.command == .run(creation))
        #expect(creation.isDetached && creation.isKept && creation.hasNoSubreaper)
        #expect(creation.preservedDescriptors == 2)
        #expect(creation.config == "/c.json")
        #expect(try parse("run -db/b x").command.creation?.isDetached == true)
        #expect(try parse("run -db /b x").command.creation?.bundle == "/b")
        #expect(try parse("run --detach=false x").command.creation?.isDetached == false)

        let restore = try parse(
            """
            restore --image-path i --work-path w --manage-cgroups-mode soft --empty-ns network --lsm-profile p --lsm-mount-context c \
            --tcp-established --ext-unix-sk --shell-job --file-locks --auto-dedup --lazy-pages --no-pivot -d --pid-file /p --bundle /b x
            """)
        let restoration = try #require(restore.command.creation)
        #expect(restore.command == .restore(restoration))
        #expect(restoration.id.text == "x")
        #expect(restoration.bundle == "/b")
        #expect(restoration.isDetached)
    }

    @Test func readsTheOtherCommandsThatAreUnderstood() throws {
        let id = try ContainerID("x")
        #expect(try parse("start x").command == .start(id))
        #expect(try parse("delete x").command == .delete(.id(id), force: false))
        for text in ["delete --force x", "delete -f x", "delete x --force", "delete -force=true x", "--root /r delete x -f"] {
            #expect(try parse(text).command == .delete(.id(id), force: true))
        }
        #expect(try parse("delete -rf ^x").command == .delete(.matching("^x"), force: true))
        #expect(try parse("kill x").command == .kill(.id(id), signal: nil, all: false))
        #expect(try parse("kill --all x 9").command == .kill(.id(id), signal: "9", all: true))
        #expect(try parse("kill x SIGTERM -a").command == .kill(.id(id), signal: "SIGTERM", all: true))
        #expect(try parse("kill --regex .* KILL").command == .kill(.matching(".*"), signal: "KILL", all: false))
        #expect(try parse("--mount-point-plugin p doctor --verbose x").command == .doctor(["--verbose", "x"]))
        #expect(try parse("status --json x").command == .status(["--json", "x"]))
        #expect(try parse("--root /r ask -v /a:/b").command == .ask(["-v", "/a:/b"]))
    }

    @Test(arguments: [
        "", "--version", "-v", "-V", "--help", "-h", "-?", "-version", "--usage", "--root /r", "--root /r --version create x",
        "--help create x",
        "state x", "--root /r state x", "exec -d --process /p x", "exec x create y", "ps x", "events x", "pause x", "resume x",
        "update -r - x", "list", "spec", "checkpoint x", "features", "init", "future x --flag", "help create", "h", "-- state x",
        "create --help", "create x --help", "create -h", "run --help=true x", "start --usage", "delete -h", "create", "create --bundle /b",
        "start", "delete", "kill", "start a/b", "delete ..", "kill a,b KILL",
    ])
    func handsOverAllElse(text: String) throws {
        let line = try parse(text)
        #expect(line.command == .handedOver)
        #expect(line.handedOn == words(text).indices.map { .original($0) })
    }

    @Test func readsOurOwnFlagsAndLeavesThemOut() throws {
        let line = try parse(
            """
            --mount-point-plugin first --root /r --mount-point-plugin=second -mount-point-plugin first --runtime-path /usr/bin/crun \
            --runtime-path=/usr/sbin/runc create x
            """)
        #expect(line.plugins == ["first", "second"])
        #expect(line.runtimePath == "/usr/sbin/runc")
        #expect(line.handedOn == [2, 3, 10, 11].map { .original($0) })
    }

    @Test func tellsPluginsApartByTheirBytes() throws {
        let line = try RuntimeCommandLine(parsing: ["--mount-point-plugin", "\u{E9}", "--mount-point-plugin", "e\u{301}", "list"])
        #expect(line.plugins.count == 2)
    }

    @Test(arguments: [
        // A switch, for what follows is a flag or a command.
        ("--future create x", "x"), ("--future --root /r create x", "x"), ("--future=1 create x", "x"),
        // With a value, for what follows is neither.
        ("--future 1 create x", "x"), ("--future 1 --root /r create x", "x"),
        // The same for flags of the command.
        ("create --future x", "x"), ("create --future=1 x", "x"), ("create x --future", "x"), ("create --future -- x", "x"),
        ("create --future 1 x", "x"), ("create x --future 1", "x"), ("create --future 1 --new 2 x", "x"),
        ("create --future --new 2 x", "x"),
        ("create --bundle /b --future 1 --pid-file p x", "x"), ("create -z 1 x", "x"),
    ])
    func copesWithFlagsOfTheFuture(text: String, id: String) throws {
        let line = try parse(text)
        #expect(line.command.creation?.id.text == id)
        #expect(line.handedOn == words(text).indices.map { .original($0) })
    }

    /// To runc `-b=X` is the bundle X, and to crun `=X`; `-bundle X` is the bundle X to runc, and to crun the bundle `undle`, with X as the id.
    @Test(arguments: [
        "create -b=/b x", "create -bundle /b x", "create -bundle=/b x", "create -bundle x", "run -bundle /b", "restore -b=/b x",
        "create -b= x", "run -f=/c x", "create x -b=/b",
    ])
    func refusesWhatTwoRuntimesReadDifferently(text: String) {
        let error = #expect(throws: CommandLineError.self) { try parse(text) }
        #expect(error?.description.contains("is one thing to runc and another to crun; write --") == true, "\(error?.description ?? "")")
    }

    @Test func keepsBytesThatAreNoUTF8() throws {
        let word = Array("--bundle=/b".utf8) + [0xFF]
        let line = try RuntimeCommandLine(parsing: [Array("create".utf8), word, Array("x".utf8)])
        #expect(line.command.creation?.bundle?.bytes == Array("/b".utf8) + [0xFF])
        #expect(line.command.creation?.bundle?.text == nil)
        #expect(line.flagWithoutText == nil, "the bundle is only opened, by its bytes")
        let glued = try RuntimeCommandLine(parsing: [Array("run".utf8), Array("-db".utf8) + [0xFF], Array("x".utf8)])
        #expect(glued.handedOn(asCreate: true) == [.text("create"), .bytes(Array("-b".utf8) + [0xFF]), .original(2)])
        // What is left of a group must not become another flag to runc.
        let group = try RuntimeCommandLine(parsing: ["run", "-db=b", "x"])
        #expect(group.handedOn(asCreate: true) == [.text("create"), .bytes(Array("--bundle==b".utf8)), .original(2)])
        let pidFile = try RuntimeCommandLine(parsing: [Array("create".utf8), Array("--pid-file".utf8), [0xFF], Array("x".utf8)])
        #expect(pidFile.flagWithoutText == "--pid-file")
        let root = try RuntimeCommandLine(parsing: [Array("--root".utf8), [0xFF], Array("create".utf8), Array("x".utf8)])
        #expect(root.flagWithoutText == "--root")
    }

    @Test(arguments: [
        ("create x y", #"create: too many arguments: "x", "y""#),
        ("create --one 1 --two x", nil),
        (
            "create --one 1 --two 2 --three x",
            #"create: which of "1", "2", "x" is the container's id cannot be told, since "--one", "--two", "--three" is not known here; write --flag=value"#
        ),
        ("create x --bundle", "create: --bundle needs a value"),
        ("--root", "--root needs a value"),
        ("--mount-point-plugin", "--mount-point-plugin needs a value"),
        ("--mount-point-plugin= list", "--mount-point-plugin needs a plugin's name"),
        ("--runtime-path= list", "--runtime-path needs the path of a runtime"),
        // The runtime below would not see our flag, and could take x for the value, and so `create` for the command.
        (
            "--future --mount-point-plugin p x create c",
            #""--future" is not known here and could have a value, so no flag of this program may follow it; write --flag=value, or put it behind"#
        ),
        ("run --detach=perhaps x", #"run: --detach takes true or false, not "perhaps""#),
        ("create --preserve-fds -1 x", #"create: --preserve-fds takes a number, not "-1""#),
        (
            "create ../../etc",
            #"create: the container id "../../etc" must have only ASCII letters, digits and the characters _ + - . in it"#
        ),
        ("kill x KILL y", #"kill: too many arguments: "x", "KILL", "y""#),
    ])
    func refusesWhatItCannotTell(text: String, message: String?) throws {
        let error = #expect(throws: CommandLineError.self) { try parse(text) }
        if let message { #expect(error?.description == message) }
    }
}
