// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

struct VolumeOptionsTests {
    private static let basis = ["server": "nas", "path": "/export"]

    private func refusal(_ options: [String: String]) -> String {
        do throws(StorageError) {
            _ = try VolumeOptions(options)
            return "(accepted)"
        } catch {
            return error.description
        }
    }

    private func refusal(adding options: [String: String]) -> String { refusal(Self.basis.merging(options) { $1 }) }

    // MARK: What is accepted

    static let accepted: [([String: String], [String: String])] = [
        // given; canonical
        (basis, ["server": "nas", "path": "/export"]),
        (["server": "[2001:db8::7]", "path": "//a/./b/"], ["server": "2001:db8::7", "path": "/a/b"]),
        (["server": "nas", "path": "/"], ["server": "nas", "path": "/"]),
        (basis.merging(["vers": "4.2"]) { $1 }, ["server": "nas", "path": "/export", "nfsvers": "4.2"]),
        (basis.merging(["version": "auto", "nfsvers": "auto"]) { $1 }, ["server": "nas", "path": "/export", "nfsvers": "auto"]),
        (basis.merging(["o": "vers=4,hard"]) { $1 }, ["server": "nas", "path": "/export", "nfsvers": "4", "o": "vers=4,hard"]),
        (basis.merging(["o": ""]) { $1 }, ["server": "nas", "path": "/export"]),
        (basis.merging(["subdir": "/a//b/"]) { $1 }, ["server": "nas", "path": "/export", "subdir": "a/b"]),
        (
            basis.merging(["subdir": "a", "create": "1"]) { $1 },
            ["server": "nas", "path": "/export", "subdir": "a", "create": "true", "mode": "0755"]
        ),
        (
            basis.merging(["subdir": "a", "create": "YES", "mode": "02770", "uid": "0", "gid": "5000", "onremove": "delete"]) { $1 },
            [
                "server": "nas", "path": "/export", "subdir": "a", "create": "true", "mode": "02770", "uid": "0", "gid": "5000",
                "onremove": "delete",
            ]
        ),
        (basis.merging(["subdir": "a", "create": "false"]) { $1 }, ["server": "nas", "path": "/export", "subdir": "a"]),
        (basis.merging(["onremove": "retain"]) { $1 }, ["server": "nas", "path": "/export"]),
        // The local driver's spelling.
        (
            ["type": "nfs", "device": ":/export", "o": "addr=nas,nolock,soft,rw"],
            ["server": "nas", "path": "/export", "nfsvers": "auto", "type": "nfs", "o": "addr=nas,nolock,soft,rw"]
        ),
        (
            ["type": "nfs", "device": ":/export", "o": "addr=nas,nfsvers=4"],
            ["server": "nas", "path": "/export", "nfsvers": "4", "type": "nfs", "o": "addr=nas,nfsvers=4"]
        ),
        (["type": "nfs4", "device": "nas:/export"], ["server": "nas", "path": "/export", "nfsvers": "4"]),
        (["type": "nfs4", "server": "nas", "path": "/export"], ["server": "nas", "path": "/export"]),
        // The example of Docker's manual.
        (
            ["type": "nfs", "device": ":/export", "o": "addr=nas,vers=4,soft,timeo=180,bg,tcp,rw"],
            ["server": "nas", "path": "/export", "nfsvers": "4", "type": "nfs", "o": "addr=nas,vers=4,soft,timeo=180,bg,tcp,rw"]
        ),
        // Of several words of one kind the last holds there.
        (
            ["device": ":/export", "o": #"addr=nas,soft,context="a,b",timeo=1,hard,timeo=2"#],
            ["server": "nas", "path": "/export", "o": #"addr=nas,"context=a,b",hard,timeo=2"#]
        ),
        // From the server's root on.
        (["device": ":exports/data", "o": "addr=nas"], ["server": "nas", "path": "/exports/data", "o": "addr=nas"]),
        (["device": ":", "o": "addr=nas"], ["server": "nas", "path": "/", "o": "addr=nas"]),
        (["server": "NAS", "path": "/a", "device": "nas:/a"], ["server": "NAS", "path": "/a"]),
        (["device": "[2001:db8::7]:/export"], ["server": "2001:db8::7", "path": "/export"]),
        (["device": "192.0.2.7:/a:b"], ["server": "192.0.2.7", "path": "/a:b"]),
        // There addr is the server, and the host in device a label.
        (["device": "label:/export", "o": "addr=192.0.2.7"], ["server": "192.0.2.7", "path": "/export", "o": "addr=192.0.2.7"]),
        // Both spellings, in agreement.
        (["server": "nas", "path": "/a", "device": "nas:/a/", "type": "nfs"], ["server": "nas", "path": "/a", "type": "nfs"]),
        (["server": "nas", "device": ":/a"], ["server": "nas", "path": "/a"]),
        // Those of netshare and of trajano's plugin.
        (["share": "nas:/export/a"], ["server": "nas", "path": "/export/a"]),
        (["share": "nas:/a", "device": "NAS:/a/"], ["server": "NAS", "path": "/a"]),
        (
            ["device": "nas:/a", "nfsopts": "hard,proto=tcp,nfsvers=3,intr,nolock"],
            ["server": "nas", "path": "/a", "nfsvers": "3", "o": "hard,proto=tcp,nfsvers=3,intr,nolock"]
        ),
        (["share": "nas:/a", "nfsopts": "ro", "o": "ro"], ["server": "nas", "path": "/a", "o": "ro"]),
    ]

    @Test(arguments: accepted) func oneCanonicalSpelling(given: [String: String], canonical: [String: String]) throws {
        #expect(try VolumeOptions(given).canonical == canonical)
    }

    /// It is what the state directory keeps: reading it back must give the same volume.
    @Test(arguments: accepted) func theCanonicalSpellingIsReadBack(given: [String: String], canonical: [String: String]) throws {
        let first = try VolumeOptions(given)
        #expect(try VolumeOptions(first.canonical) == first)
        #expect(try VolumeOptions(first.canonical).differences(from: first).isEmpty)
    }

    @Test func whatIsCreatedHasModeAndOwner() throws {
        let options = try VolumeOptions(Self.basis.merging(["subdir": "a", "create": "true", "mode": "01777", "uid": "7"]) { $1 })
        #expect(options.subdirectory?.creation == Subdirectory.Creation(mode: 0o1777, user: 7, group: nil))
        #expect(try VolumeOptions(Self.basis.merging(["subdir": "a"]) { $1 }).subdirectory?.creation == nil)
        #expect(options.removal == .retain)
    }

    @Test func differencesAreNamed() throws {
        let one = try VolumeOptions(["server": "nas", "path": "/a", "vers": "4.1", "o": "hard"])
        let two = try VolumeOptions(["server": "nas", "path": "/b", "o": "hard", "subdir": "x"])
        #expect(one.differences(from: two) == ["nfsvers", "path", "subdir"])
        #expect(two.differences(from: one) == ["nfsvers", "path", "subdir"])
        #expect(try one.differences(from: VolumeOptions(["device": "nas:/a/", "nfsvers": "4.1", "o": "hard"])).isEmpty)
        // Which spelling they had does not count.
        #expect(try one.differences(from: VolumeOptions(["device": "nas:/a/", "type": "nfs", "nfsvers": "4.1", "o": "hard"])).isEmpty)
    }

    // MARK: What is not

    @Test func anonymousVolumesAreToldWhatToSay() {
        #expect(refusal([:]) == "no options given; say what to mount")
    }

    @Test(arguments: [
        ("sever", "did you mean server?"), ("Server", "did you mean server?"), ("pathh", "did you mean path?"),
        ("sub-dir", "did you mean subdir?"),
        ("nfsver", "did you mean nfsvers?"), ("onremoved", "did you mean onremove?"),
        ("nolock", "mount options go into o, as in --opt o=nolock"),
        ("hard", "mount options go into o, as in --opt o=hard"), ("xyzzyxyzzy", "the options are server, path, nfsvers, o, subdir"),
    ])
    func unknownOptions(key: String, next: String) {
        #expect(refusal(adding: [key: "x"]).hasPrefix("unknown option \(key); "))
        #expect(refusal(adding: [key: "x"]).contains(next))
    }

    @Test(
        arguments: [
            // options; what the text must say
            (["path": "/a"], ["option server is missing", "--opt server=HOST --opt path=/EXPORT"]),
            (["device": ":/a"], ["option server is missing"]), (["server": "nas"], ["option path is missing", "--opt path=/EXPORT"]),
            (["o": "addr=nas"], ["option path is missing"]),
            (
                ["server": "nas:/a", "path": "/a"],
                ["option server is not a host name, an IPv4 or an IPv6 address: nas:/a", "path=/EXPORT"]
            ),
            (["server": "", "path": "/a"], ["option server is not a host name"]),
            (["server": "a b", "path": "/a"], ["option server is not a host name"]),
            (["server": "nas", "path": "a"], ["option path is not an absolute path: a", "begins with /"]),
            (["server": "nas", "path": ""], ["option path is not an absolute path"]),
            (["server": "nas", "path": "/a/../b"], ["option path has .. in it: /a/../b"]),
            (["server": "nas", "path": "/a/../\u{301}b"], ["option path has .. in it"]),
            (["server": "nas", "path": "/a\nb"], ["option path has a control character"]),
            (["server": "nas", "path": "/" + String(repeating: "p", count: 1024)], ["option path is longer than 1024 bytes"]),
            (["device": "/a"], ["option device is not of the form HOST:/EXPORT or :/EXPORT: /a"]),
            (["device": "nas"], ["option device is not of the form"]),
            (["device": "[::1"], ["option device names no valid host before the colon"]),
            (["device": "a b:/x"], ["option device names no valid host before the colon"]),
            (["device": "nas:x"], ["option device is not an absolute path: x"]),
            (["device": "2001:db8::7:/x"], ["option device is not an absolute path"]),
            (["server": "a", "device": "b:/x"], ["options server=a and device=b contradict each other"]),
            (["server": "a", "path": "/x", "o": "addr=b"], ["options server=a and o=addr=b contradict each other"]),
            (["server": "a", "device": "a:/x", "o": "addr=b"], ["options server=a and o=addr=b contradict each other"]),
            (["server": "a", "path": "/x", "device": ":/y"], ["options path=/x and device=…:/y contradict each other"]),
            (["share": "/a"], ["option share is not of the form HOST:/EXPORT or :/EXPORT: /a"]),
            (["share": "nas:x"], ["option share is not an absolute path: x"]),
            (["share": "nas:/x/../y"], ["option share has .. in it"]),
            (["share": "a b:/x"], ["option share names no valid host before the colon"]),
            (["server": "a", "share": "b:/x"], ["options server=a and share=b contradict each other"]),
            (["server": "a", "path": "/x", "share": ":/y"], ["options path=/x and share=…:/y contradict each other"]),
            (["device": "a:/x", "share": "a:/y"], ["options device=a:/x and share=a:/y contradict each other; give one of them"]),
            (["share": "a:/x", "o": "hard", "nfsopts": "soft"], ["options o=hard and nfsopts=soft contradict each other"]),
            (["share": "a:/x", "nfsopts": "harrd"], ["unknown option harrd in o; did you mean hard?"]),
        ] as [([String: String], [String])])
    func serversAndPaths(options: [String: String], words: [String]) {
        for word in words { #expect(refusal(options).contains(word)) }
        #expect(!refusal(options).contains("\n"))
    }

    @Test(
        arguments: [
            (["nfsvers": "5"], "option nfsvers=5 is not a version of NFS; give 4.2, 4.1, 4.0, 3 or auto"),
            (["vers": ""], "option vers= is not a version of NFS"),
            (["version": "v4"], "option version=v4 is not a version of NFS"),
            (["nfsvers": "4.1", "vers": "4.2"], "options nfsvers=4.1 and vers=4.2 contradict each other"),
            (["nfsvers": "4.1", "o": "vers=3"], "options nfsvers=4.1 and o=vers=3 contradict each other"),
            (["type": "nfs4", "nfsvers": "3"], "options type=nfs4 and nfsvers=3 contradict each other; give type=nfs"),
            (["type": "nfs4", "vers": "auto"], "options type=nfs4 and vers=auto contradict each other"),
            (["type": "cifs"], "option type=cifs is not NFS; give type=nfs or type=nfs4"),
            (["o": "harrd"], "did you mean hard?"), (["o": "ro,rw"], "options ro and rw in o contradict each other"),
            (["subdir": "a", "create": "maybe"], "option create=maybe is neither true nor false"),
            (["create": "true"], "option create needs the option subdir"), (["mode": "755"], "option mode needs the option subdir"),
            (["uid": "1"], "option uid needs the option subdir"), (["gid": "1"], "option gid needs the option subdir"),
            (["subdir": "a", "mode": "755"], "option mode needs create=true"),
            (["subdir": "a", "uid": "1"], "option uid needs create=true"),
            (
                ["subdir": "a", "gid": "1", "create": "no"],
                "option gid needs create=true: a directory that is there already is never changed"
            ),
            (["subdir": "a", "create": "true", "mode": "rwx"], "option mode=rwx is not an octal mode such as 0755"),
            (
                ["subdir": "a", "create": "true", "mode": "504"],
                "option mode=504 has no leading zero; write it as octal, and in a compose file in quotes: mode: '0770'"
            ),
            (["subdir": "a", "create": "true", "mode": "888"], "option mode=888 is not an octal mode"),
            (["subdir": "a", "create": "true", "mode": "10000"], "option mode=10000 is not an octal mode"),
            (
                ["subdir": "a", "create": "true", "uid": "root"],
                "option uid=root is not a numeric id: the names of this host mean nothing on the server"
            ),
            (["subdir": "a", "create": "true", "gid": "-1"], "option gid=-1 is not a numeric id"),
            // (uid_t)-1 means "leave it" to chown(2).
            (["subdir": "a", "create": "true", "uid": "4294967295"], "option uid=4294967295 is not a numeric id"),
            (["subdir": ".."], "option subdir must stay inside the export: .. has .. in it"),
            (["subdir": "/"], "option subdir names no directory"),
            (
                ["subdir": "a", "create": "true", "onremove": "deleted"],
                "option onremove=deleted is not one of retain, archive, delete; did you mean delete?"
            ),
            (["subdir": "a", "create": "true", "onremove": "xyzzy"], "option onremove=xyzzy is not one of retain, archive, delete"),
            (
                ["onremove": "delete"],
                "option onremove=delete needs subdir and create=true: it acts on the volume's own directory, never on a whole export"
            ),
            (["onremove": "archive", "subdir": "a"], "option onremove=archive needs subdir and create=true"),
            (
                ["onremove": "archive", "create": "true", "subdir": "a/" + String(repeating: "x", count: 230)],
                "option onremove=archive needs a subdir whose last name has at most 229 bytes"
            ),
        ] as [([String: String], String)])
    func everythingElse(options: [String: String], text: String) {
        #expect(refusal(adding: options).contains(text))
        #expect(!refusal(adding: options).contains("\n"))
    }
}
