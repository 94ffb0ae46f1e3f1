// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("Mounts come out as with the runtime below alone")
    struct SourceTransparency {
        @Test("Mounted by descriptor", arguments: TransparencyCase.sources)
        func byDescriptor(_ one: TransparencyCase) async throws { try await one.compare() }

        @Test("Mounted by descriptor by crun", arguments: TransparencyCase.sources)
        func byDescriptorWithCrun(_ one: TransparencyCase) async throws {
            try await one.compare(below: "crun", above: "mountpoint-crun")
        }

        @Test("Mounted by path and compared, where a mount cannot be cloned", arguments: TransparencyCase.sources)
        func byPath(_ one: TransparencyCase) async throws { try await one.compare(above: "mountpoint-refused") }
    }
}

extension TransparencyCase {
    /// What is mounted, without the ids and without what is the image's and the engine's own.
    private static let mounts = "cut -d' ' -f4-6 /proc/self/mountinfo | grep -E 'NAME|data|firmware|console|fromhost' | sort"

    static let sources: [TransparencyCase] =
        [
            TransparencyCase("a path that is masked") { subject in
                let options = ["--volume", "/sys/firmware:/sys/firmware:ro"]
                return [try await subject.look(options, "cat /a/who; ls /sys/firmware; \(mounts)")]
            },
            TransparencyCase("the console of a container with a terminal") { subject in
                [try await subject.look(["--tty", "--volume", "/dev/console:/dev/console"], "cat /a/who; test -c /dev/console; \(mounts)")]
            },
            TransparencyCase("files, devices, folders in one another, one not recursive") { subject in
                let data = RuntimeHost.dataFolder
                let (folder, other) = (try subject.scenario.folder(subject.name), try subject.scenario.folder(subject.name + "-deep"))
                let script = "mkdir -p \(other)/b/c; mount -t tmpfs fromhost \(other)/b; mkdir \(other)/b/d; echo b > \(other)/b/who"
                _ = try await subject.host.run(["sh", "-ec", script])
                let options = [
                    "--volume", "\(folder)/who:/file:ro", "--volume", "/dev/null:/nothing", "--volume", "\(other):/deep",
                    "--volume", "\(folder):/deep/b/d", "--mount", "type=bind,src=\(other),dst=/flat,bind-nonrecursive",
                    "--volume", "\(data)/../data/\(subject.name)/./who:/again",
                ]
                let facts = try await subject.look(
                    options, "cat /a/who /file /again /deep/b/who /deep/b/d/who; ls /deep/b /flat/b; test -c /nothing; \(mounts)")
                _ = try await subject.host.run(["umount", "\(other)/b"])
                return [facts]
            },
            TransparencyCase("the whole host, and what is kept about containers") { subject in
                let options = ["--volume", "/:/host:ro", "--volume", "/run:/hostrun", "--volume", "\(RuntimeHost.dataFolder):/hostdata"]
                return [
                    try await subject.look(
                        options, "cat /a/who; ls -d /host/etc/docker /hostrun/docker/plugins; cat /hostdata/NAME/who")
                ]
            },
        ] + links + propagations

    /// Each: where `A` and `B` are mounted, in an image that has `/var/run`, `/relative` and `/twice` as links to `/run`. Of different
    /// depths as they are written, since Docker has no order for those of one.
    private static let linked: [(String, String)] = [
        ("/run/x", "/var/run/x"), ("/var/run/x", "/run/x"), ("/run", "/var/run/x"), ("/relative", "/twice/x/y"),
        ("/run/x", "/relative/x/y"), ("/var/run/x", "/relative/x"),
    ]

    private static var links: [TransparencyCase] {
        linked.map { one, other in
            TransparencyCase("an image with links: \(one) and \(other)") { subject in
                let image = "\(subject.name)-linked"
                let script = "rm -rf /var/run /run; mkdir -p /run /var; ln -s /run /var/run; ln -s run /relative; ln -s var/run /twice"
                try await subject.docker("run", "--name", image, "--network", "none", "busybox", "sh", "-c", script)
                try await subject.docker("commit", image, image)
                let options = [
                    "--volume", "\(try subject.scenario.folder("A")):\(one)", "--volume", "\(try subject.scenario.folder("B")):\(other)",
                ]
                let facts = try await subject.look(
                    options, "cat /a/who; grep -s . /dev/null /run/who /run/x/who /run/x/y/who; \(mounts)", image: image)
                try await subject.docker("rm", image)
                try await subject.docker("rmi", "--force", image)
                return [facts]
            }
        }
    }

    /// What is mounted on the host shows in the container, and the other way round, or not.
    private static var propagations: [TransparencyCase] {
        ["rprivate", "rslave", "rshared", "slave", "shared"].map { propagation in
            TransparencyCase("propagation: \(propagation)") { subject in
                let folder = try subject.scenario.folder(subject.name)
                let prepare = "mkdir \(folder)/host \(folder)/box; mount --bind \(folder) \(folder); mount --make-shared \(folder)"
                _ = try await subject.host.run(["sh", "-ec", prepare])
                let unmount = "umount \(folder)/box; umount \(folder)/host; umount \(folder)"
                do {
                    let facts = try await subject.propagationFacts(folder, propagation)
                    _ = try await subject.host.run(["sh", "-c", unmount])
                    return facts
                } catch {
                    _ = try await subject.host.run(["sh", "-c", unmount])
                    throw error
                }
            }
        }
    }
}

extension RuntimeUnderComparison {
    /// Runs a script in a container that has the subject's folder at `/a`.
    fileprivate func look(_ options: [String], _ script: String, image: String = "busybox") async throws -> String {
        let folder = try scenario.folder(name)
        let words = ["run", "--runtime", runtime, "--name", name, "--network=none", "--volume", "\(folder):/a"] + options
        let result = try await runDocker(words + [image, "sh", "-c", script.replacing("NAME", with: name)])
        return clean(result.description)
    }

    /// What is mounted in a folder on the host and in a container, where each has mounted something in it.
    fileprivate func propagationFacts(_ folder: String, _ propagation: String) async throws -> [String] {
        try await docker([
            "run", "--detach", "--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--runtime", runtime, "--name", name,
            "--network=none", "--volume", "\(folder):/a:\(propagation)", "busybox", "sleep", "1000",
        ])
        let outside = try await host.run(["mount", "-t", "tmpfs", "fromhost", folder + "/host"])
        let inside = try await runDocker(["exec", name, "mount", "-t", "tmpfs", "frombox", "/a/box"])
        let script = "cut -d' ' -f4-7 /proc/self/mountinfo | grep ' /a' | sed 's/:[0-9]*//g' | sort"
        let seen = try await docker("exec", name, "sh", "-c", script)
        let places = try host.mountPoints(below: folder)
        try await docker("kill", name)
        return [clean("\(outside.status) \(inside.status) \(seen)"), clean("\(places)")]
    }
}
