// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import Testing

@testable import MountPointPlugins

@Suite("The rules of a policy")
struct PolicyTests {
    private func policy(_ text: String) throws -> Policy {
        let object = try JSONObjectReader(parsing: Array(text.utf8)).notingUnread()
        let policy = try Policy(object, places: PluginPlaces())
        #expect(object.unreadMembers == [])
        return policy
    }

    private func decide(
        _ rules: String, _ shown: [String], below: [[String]] = [], configure: (inout MountPoint) -> Void = { _ in }
    ) throws -> String {
        var surroundings = PolicySurroundings(shown: shown)
        surroundings.below = below
        surroundings.homes = Homes(
            passwd: Array("root:x:0:0::/root:/bin/sh\na:x:1000:1000::/home/a:/bin/sh\nb:x:1001:1::/data/b:/bin/sh\n".utf8))
        surroundings.owner = { $0 == "/home/ldap" ? 5000 : nil }
        let decision = try policy(rules).decide(on: .bind(shown.first ?? "", "/m", configure: configure), surroundings)
        return "\(decision.action.rawValue) by \(decision.rule)"
    }

    @Test("The first rule that matches decides, and else the default")
    func order() throws {
        let rules = #"{"rules": [{"action": "allow", "source": ["/srv/a"]}, {"action": "deny", "source": ["/srv"]}]}"#
        #expect(try decide(rules, ["/srv/a/x"]) == "allow by rule 1")
        #expect(try decide(rules, ["/srv/b"]) == "deny by rule 2")
        #expect(try decide(rules, ["/"]) == "deny by rule 2")
        #expect(try decide(rules, ["/opt"]) == "allow by default")
        #expect(try decide(#"{"default": "deny"}"#, ["/opt"]) == "deny by default")
    }

    @Test("Only what lies wholly in an allowed place is allowed: not by one of several names, and not with more around it")
    func allowing() throws {
        let rules = #"{"default": "deny", "rules": [{"action": "allow", "source": ["/srv/a", "/mnt/a"]}]}"#
        #expect(try decide(rules, ["/srv/a", "/mnt/a"]) == "allow by rule 1")
        #expect(try decide(rules, ["/srv/a", "/secret"]) == "deny by default")
        #expect(try decide(rules, ["/srv"]) == "deny by default")
        #expect(try decide(rules, ["/srv/ab"]) == "deny by default")
        #expect(try decide(rules, []) == "deny by default")
    }

    @Test("A rule that makes more than its place read-only does not keep the rules below from denying the rest")
    func readOnly() throws {
        let rules = #"""
            {"rules": [{"action": "read-only", "source": ["/etc/localtime"]}, {"action": "deny", "source": ["/etc"]}]}
            """#
        #expect(try decide(rules, ["/etc/localtime"]) == "read-only by rule 1")
        #expect(try decide(rules, ["/etc"]) == "deny by rule 2")
        let alone = #"{"rules": [{"action": "read-only", "source": ["/srv/shared"]}]}"#
        #expect(try decide(alone, ["/srv"]) == "read-only by rule 1")
        #expect(try decide(alone, ["/opt"]) == "allow by default")
    }

    @Test("Any of the names counts, and so does what is mounted below")
    func names() throws {
        let rules = #"{"rules": [{"action": "deny", "source": ["/srv/secret"]}]}"#
        #expect(try decide(rules, ["/mnt/x", "/srv/secret/in"]) == "deny by rule 1")
        #expect(try decide(rules, ["/mnt"], below: [["/mnt/x"], ["/mnt/y", "/srv/secret"]]) == "deny by rule 1")
        #expect(try decide(rules, ["/mnt"], below: [["/mnt/x"]]) == "allow by default")
        let ignoring = #"{"nested-mounts": "allow", "rules": [{"action": "deny", "source": ["/srv/secret"]}]}"#
        #expect(try decide(ignoring, ["/mnt"], below: [["/mnt/y", "/srv/secret"]]) == "allow by default")
        // Two spellings that look the same are two folders.
        #expect(try decide(#"{"rules": [{"action": "deny", "source": ["/srv/é"]}]}"#, ["/srv/e\u{301}"]) == "allow by default")
    }

    @Test("What is mounted later is denied where places are guarded")
    func later() throws {
        let rules = #"{"rules": [{"action": "deny", "source": ["/srv/secret"]}]}"#
        #expect(try decide(rules, ["/opt"]) { $0.propagation = .rslave } == "deny by later-mounts")
        let allowing = #"{"later-mounts": "allow", "rules": [{"action": "deny", "source": ["/srv/secret"]}]}"#
        #expect(try decide(allowing, ["/opt"]) { $0.propagation = .rslave } == "allow by default")
    }

    @Test(
        "Conditions: all must hold; one that nobody can tell denies, and does not allow",
        arguments: [
            (#""image": "alp*""#, "deny"), (#""image": "nginx""#, "allow"), (#""container": "web""#, "deny"),
            (#""container": "db""#, "allow"),
            (#""label": {"team": "*"}"#, "deny"), (#""label": {"team": "b"}"#, "allow"), (#""image-label": {"x": "1"}"#, "allow"),
            (#""type": "volume""#, "deny"), (#""type": "bind""#, "allow"), (#""driver": "local""#, "deny"), (#""driver": "nfsd""#, "allow"),
            (#""volume": "data-*""#, "deny"), (#""volume": "x""#, "allow"), (#""options": {"type": "nfs*"}"#, "deny"),
            (#""options": {"type": "cifs"}"#, "allow"), (#""destination": "/m""#, "deny"), (#""destination": "/n""#, "allow"),
            (#""image": "alpine", "container": "db""#, "allow"),
        ])
    func conditions(_ row: (String, String)) throws {
        let answer = try decide(#"{"rules": [{"action": "deny", \#(row.0)}]}"#, ["/v"]) {
            $0.type = .volume
            $0.volume = MountPoint.Volume(name: "data-1", driver: "local", options: ["type": "nfs4"])
            $0.container.labels = ["team": "a"]
        }
        #expect(answer.hasPrefix(row.1), "\(row): \(answer)")
    }

    @Test("What the host does not tell", arguments: [#""image": "x""#, #""container": "x""#])
    func unknown(_ condition: String) throws {
        func forget(_ mount: inout MountPoint) {
            mount.container = ContainerDescription()
            mount.image = MountPoint.Image()
        }
        #expect(try decide(#"{"rules": [{"action": "deny", \#(condition)}]}"#, ["/v"], configure: forget) == "deny by rule 1")
        #expect(
            try decide(#"{"default": "deny", "rules": [{"action": "allow", \#(condition)}]}"#, ["/v"], configure: forget)
                == "deny by default")
    }

    @Test(
        "Presets",
        arguments: [
            ("system-folders", "/etc/passwd", "deny"), ("system-folders", "/", "deny"), ("system-folders", "/var", "deny"),
            ("system-folders", "/var/lib/docker", "deny"), ("system-folders", "/var/lib/docker/volumes", "deny"),
            ("system-folders", "/var/lib/docker/volumes/a/_data", "allow"), ("system-folders", "/srv/x", "allow"),
            ("docker-socket", "/run/docker.sock", "deny"), ("docker-socket", "/run", "deny"), ("docker-socket", "/run/user/1", "allow"),
            ("other-homes", "/home/a/x", "allow"), ("other-homes", "/home/b", "deny"), ("other-homes", "/home", "deny"),
            ("other-homes", "/data/b/x", "deny"), ("other-homes", "/data", "deny"), ("other-homes", "/root", "deny"),
            ("other-homes", "/home/ldap", "deny"), ("other-homes", "/srv", "allow"),
        ])
    func presets(_ row: (String, String, String)) throws {
        let answer = try decide(#"{"rules": [{"action": "deny", "preset": "\#(row.0)"}]}"#, [row.1]) {
            $0.container.user = .init(uid: 1000, gid: 1000)
        }
        #expect(answer.hasPrefix(row.2), "\(row): \(answer)")
    }

    @Test("Homes belong to nobody who runs as root, or whose number is not known, and numbers are the host's")
    func homesOfUsers() throws {
        let rules = #"{"rules": [{"action": "deny", "preset": "other-homes"}]}"#
        #expect(try decide(rules, ["/home/a"]) { $0.container.user = .init(uid: 0, gid: 0) }.hasPrefix("deny"))
        #expect(try decide(rules, ["/home/a"]).hasPrefix("deny"))
        #expect(try decide(rules, ["/home/ldap"]) { $0.container.user = .init(uid: 5000, gid: 1) } == "allow by default")
        let mapped = try decide(rules, ["/home/a"]) {
            $0.container.user = .init(uid: 1000, gid: 1)
            $0.container.uidMappings = [.init(containerID: 0, hostID: 100_000, size: 65536)]
        }
        #expect(mapped.hasPrefix("deny"))
    }

    @Test("The places from where plugins are controlled are denied by any policy that says something")
    func ownPlaces() throws {
        let rules = #"{"rules": [{"action": "deny", "source": ["/x"]}]}"#
        for place in ["/run/docker/plugins", "/etc/docker/daemon.json", "/var/lib/mountpoint-plugin/policy"] {
            #expect(try decide(rules, [place]) == "deny by own places")
        }
        #expect(try decide("{}", ["/etc/docker"]) == "allow by default")
        let allowing = #"{"rules": [{"action": "allow", "label": {"admin": "yes"}}, {"action": "deny", "source": ["/x"]}]}"#
        #expect(try decide(allowing, ["/etc/docker"]) { $0.container.labels = ["admin": "yes"] } == "allow by rule 1")
    }

    @Test("Which mounts it asks for")
    func patterns() throws {
        #expect(try policy("{}").patterns(homes: []) == [])
        #expect(try policy(#"{"default": "deny"}"#).patterns(homes: []) == [MountPointPattern()])
        #expect(try policy(#"{"rules": [{"action": "deny", "source": ["/x"]}]}"#).patterns(homes: []) == [MountPointPattern()])
        let patterns = try policy(#"{"nested-mounts": "allow", "rules": [{"action": "deny", "source": ["/x"], "type": "bind"}]}"#)
            .patterns(homes: [])
        #expect(patterns.allSatisfy { !$0.asksForEveryMount })
        #expect(patterns.prefix(2).map(\.origin) == [[StringPattern(pathPrefix: "/x")], [StringPattern(pathContains: "/x")]])
        #expect(patterns.first?.type == .bind)
    }

    @Test(
        "What makes no sense is an error that names it",
        arguments: [
            (#"{"rules": [{}]}"#, "rules[0].action must be there and not be empty"),
            (#"{"rules": [{"action": "dney"}]}"#, "rules[0].action must be deny, read-only or allow, not dney"),
            (
                #"{"rules": [{"action": "deny", "preset": "x"}]}"#,
                "rules[0].preset must be one of system-folders, docker-socket, other-homes, not x"
            ),
            (#"{"rules": [{"action": "deny", "source": ["x"]}]}"#, "rules[0].source must be absolute paths, not x"),
            (#"{"rules": [{"action": "deny", "source": []}]}"#, "rules[0].source must have a path in it"),
            (#"{"default": "read-only"}"#, "default must be allow or deny, not read-only"),
        ])
    func wrong(_ row: (String, String)) throws {
        do {
            _ = try policy(row.0)
            Issue.record("\(row.0) was taken")
        } catch {
            #expect("\(error)" == row.1)
        }
    }
}
