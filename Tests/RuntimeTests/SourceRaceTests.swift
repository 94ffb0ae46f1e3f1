// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import Foundation
import Glibc
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    /// Somebody who may write to a folder above a source turns names round while a container starts. The guarded place is
    /// `data/secret`; no container may ever see it.
    @Suite("What was asked about is what is mounted")
    struct SourceRaces {
        /// Whether the plugin wants the mount; without that, it is handed over.
        private func patterns(isWanted: Bool) -> JSONValue {
            isWanted ? [[:]] : [["EffectiveSource": [["PathPrefix": .string(RuntimeHost.dataFolder + "/secret")]]]]
        }

        /// - Parameter attack: done once, while the plugin is asked for its properties.
        private func attack(
            isWanted: Bool, source: String = "a", prepare: (Scenario) async throws -> Void = { _ in },
            _ attack: @escaping @Sendable (PrivateHost) throws -> Void, cleanup: (PrivateHost) async throws -> Void = { _ in }
        ) async throws {
            try await Scenario.run("first") { scenario in
                _ = try (scenario.folder("a"), scenario.folder("secret"))
                try await prepare(scenario)
                try await scenario.serve("first")
                let answer: JSONValue = ["Success": true, "Patterns": patterns(isWanted: isWanted)]
                let host = scenario.host
                scenario["first"].when(.properties) { _ in
                    try attack(host)
                    return .answer(answer)
                }
                let result = try await scenario.run(["--volume", "\(RuntimeHost.dataFolder)/\(source):/a"], script: "cat /a/who")
                try await cleanup(host)
                #expect(result.status == 0 && result.output == "a\n", "\(result)")
                let shown = scenario.log.calls(.attach).map { $0.mounts[0]["EffectiveSource"]?.stringValue }
                #expect(shown == (isWanted ? ["\(RuntimeHost.dataFolder)/\(source)"] : []))
            }
        }

        @Test("A folder that becomes a link while plugins are asked for their properties", arguments: [true, false])
        func link(isWanted: Bool) async throws {
            try await attack(isWanted: isWanted) { host in
                let folder = host.path(RuntimeHost.dataFolder)
                guard rename("\(folder)/a", "\(folder)/away") == 0, symlink("secret", "\(folder)/a") == 0 else {
                    throw Trouble("no attack")
                }
            }
        }

        @Test("A nested mount point that is renamed away in a container which has the folder above", arguments: [true, false])
        func nestedMount(isWanted: Bool) async throws {
            let data = RuntimeHost.dataFolder
            try await attack(isWanted: isWanted, source: "outer/nested") { scenario in
                let script = """
                    cd \(data); mkdir -p outer/nested; mount -t tmpfs nested outer/nested; echo a > outer/nested/who
                    mv secret outer/secret
                    """
                let made = try await scenario.host.run(["sh", "-ec", script])
                guard made.status == 0 else { throw Trouble("\(made)") }
            } _: { host in
                let script = "cd \(data)/outer; umount nested; mv nested away; mv secret nested"
                try host.runBlocking(["unshare", "--mount", "--propagation", "private", "sh", "-ec", script])
            } cleanup: { host in
                _ = try await host.run(["umount", data + "/outer/away"])
            }
        }

        @Test("Two names that are exchanged all the time")
        func exchange() async throws {
            try await Scenario.run("first") { scenario in
                let data = RuntimeHost.dataFolder
                _ = try (scenario.folder("a"), scenario.folder("secret"))
                try await scenario.serve("first", patterns: patterns(isWanted: false))
                scenario["first"].when(.attach, .refusal("not here"))
                symlink("secret", scenario.host.path(data + "/link"))
                // renameat2(2), RENAME_EXCHANGE
                try scenario.host.write(
                    """
                    import ctypes, os, time
                    libc = ctypes.CDLL(None)
                    while not os.path.exists("\(data)/enough"):
                        libc.renameat2(-100, b"\(data)/a", -100, b"\(data)/link", 2)
                        time.sleep(0.0003)

                    """, to: data + "/exchange.py")
                let attacker = try scenario.host.start(["/usr/bin/python3", data + "/exchange.py"], log: "exchange.log")
                var seen: [String: Int] = [:]
                do {
                    for _ in 0..<24 {
                        let result = try await scenario.run(["--volume", "\(data)/a:/a"], script: "cat /a/who")
                        seen[
                            result.status == 0 ? result.output : result.output.contains("not here") ? "denied" : "\(result)", default: 0] +=
                            1
                    }
                } catch {
                    try scenario.host.write("", to: data + "/enough")
                    throw error
                }
                try scenario.host.write("", to: data + "/enough")
                try await attacker.end(within: .seconds(5))
                #expect(Set(seen.keys).isSubset(of: ["a\n", "denied"]), "\(seen)")
            }
        }

        @Test(
            "A folder of an overlay that becomes a link while plugins are asked for their properties", arguments: ["a", "upper"],
            [true, false])
        func overlay(victim: String, isWanted: Bool) async throws {
            try await Scenario.run("first") { scenario in
                let (host, data) = (scenario.host, RuntimeHost.dataFolder)
                _ = try (scenario.folder(victim), scenario.folder("a"), scenario.folder("secret"))
                let made = try await host.run(["mkdir", "-p", "\(data)/upper", "\(data)/work"])
                let bundle = try await HandBundle("overlay", in: scenario, mounts: [], script: "cat /m/who; echo new > /m/new")
                defer { bundle.remove() }
                let options = ["lowerdir=\(data)/a", "upperdir=\(data)/upper", "workdir=\(data)/work"]
                try bundle.edit { configuration in
                    let mount: JSONValue = [
                        "destination": "/m", "type": "overlay", "source": "overlay", "options": .array(options.map { .string($0) }),
                    ]
                    configuration.set(.array((configuration["mounts"]?.arrayValue ?? []) + [mount]), at: "mounts")
                }
                try await scenario.serve("first")
                let answer: JSONValue = ["Success": true, "Patterns": patterns(isWanted: isWanted)]
                scenario["first"].when(.properties) { _ in
                    let folder = host.path(data)
                    guard rename("\(folder)/\(victim)", "\(folder)/away") == 0, symlink("secret", "\(folder)/\(victim)") == 0 else {
                        throw Trouble("no attack")
                    }
                    return .answer(answer)
                }
                let result = try await bundle.runtime("run", "--bundle", bundle.path, bundle.id)
                #expect(made.status == 0 && result.status == 0 && result.output == "\(victim)\n", "\(result)")
                #expect(host.contents(of: "\(data)/secret/new") == nil)
                #expect(host.contents(of: "\(data)/\(victim == "upper" ? "away" : "upper")/new") == "new\n")
                let shown = scenario.log.calls(.attach).flatMap { $0.mounts.map { $0["EffectiveSource"]?.stringValue ?? "" } }
                #expect(Set(shown) == (isWanted ? ["\(data)/a", "\(data)/upper", "\(data)/work"] : []))
            }
        }

        @Test(
            "An exchange after all plugins have been asked: it changes nothing, or is found",
            arguments: ["mountpoint", "mountpoint-refused"], ["/b", "/link/a"])
        func afterTheQuestion(runtime: String, other: String) async throws {
            try await Scenario.run("first") { scenario in
                let (host, data) = (scenario.host, RuntimeHost.dataFolder)
                _ = try (scenario.folder("a"), scenario.folder("b"), scenario.folder("secret"))
                let exchanging = data + "/exchanging-runc"
                let exchange = "mv \(data)/a \(data)/away; ln -s secret \(data)/a"
                try host.write("#!/bin/sh\ncase \" $* \" in *\" create \"*) \(exchange) ;; esac\nexec runc \"$@\"\n", to: exchanging)
                chmod(host.path(exchanging), 0o755)
                try scenario.setChain(["first"], ["runtime-path": .string(exchanging)])
                try await scenario.docker("run", "--name", "linked", "--network", "none", "busybox", "ln", "-s", "/", "/link")
                try await scenario.docker("commit", "linked", "linked")
                // At one place, the second covers the first.
                let volumes = ["--volume", "\(data)/a:/a", "--volume", "\(data)/b:\(other)"]
                let result = try await scenario.run(volumes, script: "cat /a/who", runtime: runtime, image: "linked")
                try await scenario.docker("rm", "linked")
                try await scenario.docker("rmi", "--force", "linked")
                if runtime == "mountpoint" {
                    #expect(result.status == 0 && result.output == (other == "/b" ? "a\n" : "b\n"), "\(result)")
                } else {
                    #expect(result.status != 0 && result.output.contains("/data/a of the mount at /a has changed since"), "\(result)")
                }
            }
        }

        @Test("What a plugin does to the source while it attaches")
        func changedByThePlugin() async throws {
            try await Scenario.run("first") { scenario in
                let (host, folder) = (scenario.host, try scenario.folder("a"))
                scenario["first"].when(.attach) { _ in
                    let path = host.path(folder) + "/who"
                    try "new\n".write(toFile: path, atomically: true, encoding: .utf8)
                    return .attachments(["Attach": true])
                }
                let file = ["--volume", "\(folder)/who:/who"]
                let replaced = try await scenario.run(file, script: "cat /who")
                #expect(replaced.status == 125, "\(replaced)")
                #expect(
                    replaced.output.contains("\(folder)/who of the mount at /who was moved or replaced while plugin:first"), "\(replaced)")
                #expect(replaced.output.contains("must change a source in place, or give another one as EffectiveSource"))

                scenario["first"].when(.attach) { _ in
                    try host.runBlocking(["mount", "-t", "tmpfs", "first", folder])
                    try host.write("mounted\n", to: folder + "/who")
                    return .attachments(["Attach": true])
                }
                scenario["first"].when(.detach) { _ in
                    try host.runBlocking(["umount", folder])
                    return .success
                }
                let mounted = try await scenario.run(["--volume", "\(folder):/a"], script: "cat /a/who")
                #expect(mounted.status == 0 && mounted.output == "mounted\n", "\(mounted)")
            }
        }

        @Test("A source that Docker's user has not made is the runtime's error, with its path", arguments: ["runc", "mountpoint-idle"])
        func missing(_ runtime: String) async throws {
            try await Scenario.run("idle") { scenario in
                let bundle = try await HandBundle("missing", in: scenario)
                defer { bundle.remove() }
                try bundle.edit { configuration in
                    var mounts = configuration["mounts"]?.arrayValue ?? []
                    mounts[mounts.count - 1].set("/srv/not here", at: "source")
                    configuration.set(.array(mounts), at: "mounts")
                }
                let program = runtime == "runc" ? "runc" : scenario.runtimeHost.binary
                let result = try await bundle.run([program, "--root", HandBundle.root, "create", "--bundle", bundle.path, bundle.id])
                #expect(result.status == 1 && result.output.contains("/srv/not here"), "\(result)")
                #expect(result.output.contains("no such file or directory"), "\(result)")
            }
        }
    }
}
