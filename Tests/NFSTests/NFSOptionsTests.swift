// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import NFS
import Testing

struct NFSOptionsTests {
    private func words(_ options: NFSOptions) -> String { options.kernel.map(\.description).joined(separator: ",") }

    private func refusal(_ text: String) -> String {
        do throws(StorageError) {
            _ = try NFSOptions(text)
            return "(accepted)"
        } catch {
            return error.description
        }
    }

    // MARK: mount(8)

    @Test(
        arguments: [
            ("ro", .readOnly, .readOnly), ("nosuid", .noSetUID, .noSetUID), ("nodev", .noDevices, .noDevices),
            ("noexec", .noExecution, .noExecution), ("noatime", .noAccessTime, .noAccessTime),
            ("strictatime", .strictAccessTime, .strictAccessTime), ("nodiratime", .noDirectoryAccessTime, .noDirectoryAccessTime),
            ("relatime", [], .relativeAccessTime), ("rw", [], []), ("suid", [], []), ("dev", [], []), ("exec", [], []), ("atime", [], []),
            ("diratime", [], []), ("sync", [], .synchronous), ("dirsync", [], .synchronousDirectories), ("lazytime", [], .lazyTime),
            ("async", [], []), ("silent", [], []), ("mand", [], []), ("iversion", [], []),
        ] as [(String, MountAttributes, MountFlags)])
    func genericWordsNeverReachNFS(word: String, attributes: MountAttributes, flags: MountFlags) throws {
        let options = try NFSOptions(word)
        #expect(options.generic.attributes == attributes)
        #expect(options.generic.flags == flags)
        #expect(options.kernel.isEmpty)
        #expect(refusal("\(word)=1").contains("takes no value"))
    }

    @Test(arguments: [("ro", ["ro"]), ("sync", ["sync"]), ("dirsync,lazytime", ["dirsync", "lazytime"]), ("rw,noatime,nosuid", [])])
    func someGenericWordsConcernTheSuperblockToo(text: String, expected: [String]) throws {
        #expect(try NFSOptions(text).generic.superblockWords == expected)
    }

    @Test(arguments: [
        "defaults", "auto", "noauto", "user", "nouser", "users", "owner", "group", "nofail", "_netdev", "comment=x", "fg",
        "x-systemd.automount",
        "x-anything=1", "", ",", ",,,",
    ])
    func wordsForFstabAndMountNFSMeanNothing(text: String) throws {
        #expect(try NFSOptions(text) == NFSOptions(""))
    }

    @Test(arguments: ["source=x", "device=/dev/x", "remount", "bind", "rbind", "move", "shared", "rslave", "private", "loop", "offset=3"])
    func wordsThatAreNoOptionOfAVolumeAreRefused(text: String) {
        let name = String(text.prefix { $0 != "=" })
        #expect(refusal(text) == "option \(name) in o does not apply to a volume; leave it out")
    }

    // MARK: mount.nfs

    @Test func backgroundMountsAreDroppedWithANote() throws {
        let options = try NFSOptions("hard,bg")
        #expect(words(options) == "hard")
        #expect(options.notes.count == 1 && options.notes[0].hasPrefix("option bg has no effect: "))
        #expect(try NFSOptions("fg").notes.isEmpty)
    }

    @Test(arguments: [
        ("uid=1000", "option uid in o is one of CIFS: with NFS the owners are those on the server"),
        ("username=me", "option username in o is one of CIFS, and this driver mounts NFS; leave it out"),
        ("no_root_squash", "option no_root_squash in o belongs to the export: into /etc/exports of the server"),
        ("nocopy", "option nocopy in o belongs to the container: behind its path, as in -v NAME:/path:nocopy"),
        ("tls", "option tls in o is one of mount.efs, which is a program; give xprtsec=tls"),
        ("ro, hard", "option o has a blank before hard; write the mount options with commas alone between them"),
    ])
    func wordsOfOthersAreRefusedWithWhereTheyBelong(text: String, start: String) {
        #expect(refusal(text).hasPrefix(start), "\(refusal(text))")
    }

    @Test(arguments: [("tcp", "proto=tcp"), ("vers=4.1", "v4.1"), ("nfsvers=3", "v3"), ("vers=4", "nfsvers=4")])
    func twoSpellingsOfOneThingAreNoContradiction(one: String, other: String) throws {
        #expect(try NFSOptions("\(one),\(other)").versions == NFSOptions(other).versions)
        #expect(try NFSOptions("\(other),\(one)").transport == NFSOptions(one).transport)
    }

    @Test func retryIsOursAndNotTheKernels() throws {
        let options = try NFSOptions("retry=3,hard")
        #expect(options.retryMinutes == 3)
        #expect(words(options) == "hard")
        #expect(try NFSOptions("hard").retryMinutes == nil)
        for text in ["retry", "retry=", "retry=x", "retry=-1", "retry=1000001", "retry=1.5"] {
            #expect(refusal(text).contains("is not a number of minutes"))
        }
    }

    @Test func aRepeatedWordCountsOnce() throws {
        let repeated = String(repeating: "hard,ro,timeo=50,", count: 1000) + "ro"
        #expect(try NFSOptions(repeated) == NFSOptions("hard,ro,timeo=50"))
    }

    @Test(arguments: [
        ("vers=4.2", "4.2"), ("nfsvers=4.1", "4.1"), ("vers=4", "4"), ("v3", "3"), ("v4", "4"), ("v4.0", "4.0"), ("v4.1", "4.1"),
        ("nfsvers=auto", "auto"), ("minorversion=1", "4.1"), ("vers=4,minorversion=2", "4.2"), ("minorversion=2,vers=4", "4.2"),
    ])
    func versionsAreTakenInEverySpelling(text: String, version: String) throws {
        let options = try NFSOptions(text)
        #expect(options.versions == VersionPolicy(version))
        #expect(options.kernel.isEmpty)
    }

    @Test(arguments: ["vers=5", "vers=", "vers", "nfsvers=4.3", "v2", "vers=2", "minorversion=7", "minorversion", "v4.1=x"])
    func otherVersionsAreRefused(text: String) {
        #expect(refusal(text).contains("4.2, 4.1, 4.0, 3 or auto"))
        #expect(refusal(text).hasPrefix(text))
    }

    @Test(
        arguments: [
            ("tcp", "tcp", nil), ("udp", "udp", nil), ("rdma", "rdma", nil), ("proto=tcp", "tcp", nil), ("proto=tcp6", "tcp", .ipv6),
            ("proto=udp6", "udp", .ipv6), ("proto=rdma6", "rdma", .ipv6),
        ] as [(String, String, ServerAddress.Family?)])
    func transports(text: String, transport: String, family: ServerAddress.Family?) throws {
        let options = try NFSOptions(text)
        #expect(options.transport == transport)
        #expect(options.family == family)
        #expect(options.kernel.isEmpty)
    }

    @Test(arguments: ["proto=", "proto=sctp", "proto", "proto=6", "tcp=1", "proto=tcp66"]) func otherTransportsAreRefused(text: String) {
        #expect(refusal(text).contains("is not a transport"))
    }

    @Test func serversInOptions() throws {
        #expect(try NFSOptions("addr=nas").server == ServerName("nas"))
        #expect(try NFSOptions("addr=fe80::1%eth0").server == ServerName("fe80::1%eth0"))
        #expect(try NFSOptions("mounthost=mnt").mountHost == ServerName("mnt"))
        #expect(try NFSOptions("addr=nas,mounthost=mnt").kernel.isEmpty)
        #expect(refusal("addr=").contains("is not a host name or address"))
        #expect(refusal("addr=a/b").contains("addr=a/b"))
        #expect(refusal("mounthost=a b").contains("mounthost"))
    }

    // MARK: NFS

    @Test func optionsOfNFSKeepTheirOrder() throws {
        #expect(
            try words(NFSOptions("timeo=100,retrans=2,ro,nolock,sec=krb5p,nconnect=4"))
                == "timeo=100,retrans=2,nolock,sec=krb5p,nconnect=4")
    }

    @Test func whatNobodyKnowsGoesToTheKernel() throws {
        #expect(try words(NFSOptions("frobnicate=3,zzzzzz")) == "frobnicate=3,zzzzzz")
    }

    @Test(arguments: [
        ("harrd", "hard"), ("nfsver=4", "nfsvers"), ("timeout=5", "timeo"), ("noatme", "noatime"), ("rszie=1024", "rsize"),
        ("lokc", "lock"),
        ("nconect=4", "nconnect"), ("softer", "softerr"), ("reservport", "resvport"),
    ])
    func slipsOfThePenAreNamed(text: String, near: String) {
        #expect(refusal(text).hasSuffix("did you mean \(near)?"))
    }

    @Test func portsAreNumbers() throws {
        #expect(try NFSOptions("port=20049").port == 20049)
        #expect(try NFSOptions("port=65535,mountport=1").kernel.count == 2)
        #expect(try NFSOptions("hard").port == nil)
        // rpcbind is asked then, by the kernel.
        #expect(try NFSOptions("port=0").port == nil)
        #expect(try words(NFSOptions("port=0")) == "port=0")
        for text in ["port=", "port", "port=65536", "port=-1", "port=nfs", "mountport=x"] {
            #expect(refusal(text).contains("is not a port"))
        }
    }

    @Test(arguments: [
        ("", false), ("nolock", true), ("local_lock=all", true), ("local_lock=flock", false), ("local_lock=none", false), ("lock", false),
    ])
    func tellsWhetherLocksStayHere(text: String, isLocal: Bool) throws {
        #expect(try NFSOptions(text).locksAreLocal == isLocal)
        #expect(try NFSOptions("hard,\(text)", defaults: ["timeo=9"]).locksAreLocal == isLocal)
    }

    // MARK: Splitting

    @Test func aCommaInQuotesDoesNotSplit() throws {
        let options = try NFSOptions(#"context="system_u:object_r:nfs_t:s0:c1,c2",ro"#)
        #expect(options.kernel == [MountOption("context", "system_u:object_r:nfs_t:s0:c1,c2")])
        #expect(options.isReadOnly)
        #expect(try NFSOptions(#"a"b,c"d=1"#).kernel == [MountOption("ab,cd", "1")])
    }

    @Test func anEqualsSignInAValueStays() throws {
        #expect(try NFSOptions("xyzzyxyzzy=b=c").kernel == [MountOption("xyzzyxyzzy", "b=c")])
        #expect(try NFSOptions("xyzzyxyzzy=").kernel == [MountOption("xyzzyxyzzy", "")])
    }

    @Test(arguments: ["ro\n", "a\0b", "\u{7f}", "hard\trw"]) func controlCharactersAreRefused(text: String) {
        #expect(refusal(text).contains("control character"))
        #expect(!refusal(text).contains("\n"))
    }

    @Test(arguments: [#"""#, #"context="a,b"#]) func aQuoteNeedsItsPair(text: String) {
        #expect(refusal(text).contains("without its pair"))
    }

    @Test(arguments: ["=", "ro,=4.1", #""=a,b""#]) func aValueNeedsAName(text: String) {
        #expect(refusal(text).contains("option o has a value without a name: ="))
    }

    // MARK: Contradictions and layers

    @Test(arguments: [
        ("ro", "rw"), ("soft", "hard"), ("hard", "softerr"), ("noatime", "relatime"), ("strictatime", "atime"), ("vers=4.1", "v3"),
        ("tcp", "udp"),
        ("sync", "async"), ("lock", "nolock"), ("ac", "noac"), ("timeo=1", "timeo=2"), ("nosuid", "suid"), ("resvport", "noresvport"),
        ("user", "nouser"), ("proto=tcp", "proto=tcp6"),
    ])
    func contradictionsNameBoth(first: String, second: String) {
        for (one, other) in [(first, second), (second, first)] {
            #expect(refusal("nodev,\(one),noexec,\(other)").contains("options \(one) and \(other) in o contradict each other"))
        }
    }

    @Test(arguments: ["vers=3,minorversion=1", "minorversion=1,vers=3", "minorversion=1,vers=4.2"])
    func aMinorVersionFitsFourAlone(text: String) {
        #expect(refusal(text).contains("contradict each other"))
    }

    @Test func sayingItTwiceIsNoContradiction() throws {
        #expect(try NFSOptions("ro,hard,hard,ro").isReadOnly)
    }

    @Test(
        arguments: [
            // The user's words, the host's, the built-in ones; what reaches NFS; the attributes.
            ("", "", "soft", .noAccessTime), ("hard", "", "hard", .noAccessTime), ("", "hard,timeo=50", "hard,timeo=50", .noAccessTime),
            ("softerr", "hard,timeo=50", "timeo=50,softerr", .noAccessTime), ("ro", "", "soft", [.noAccessTime, .readOnly]),
            ("rw", "ro", "soft", .noAccessTime), ("relatime", "", "soft", []),
            ("timeo=7", "timeo=50,nolock", "soft,nolock,timeo=7", .noAccessTime),
            ("lock", "nolock", "soft,lock", .noAccessTime),
        ] as [(String, String, String, MountAttributes)])
    func anEarlierLayerBeatsALaterOne(user: String, host: String, expected: String, attributes: MountAttributes) throws {
        let options = try NFSOptions(user, defaults: [host, "rw,noatime,soft"])
        #expect(words(options) == expected)
        #expect(options.generic.attributes == attributes)
    }

    @Test func aLayerMayContradictAnotherButNotItself() throws {
        #expect(try NFSOptions("sync", defaults: ["async"]).generic.flags == .synchronous)
        #expect(try NFSOptions("async", defaults: ["sync"]).generic.flags == [])
        #expect(try NFSOptions("async", defaults: ["sync"]).generic.superblockWords == [])
        #expect(throws: StorageError.self) { try NFSOptions("", defaults: ["ro,rw"]) }
    }
}
