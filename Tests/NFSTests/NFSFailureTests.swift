// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage
import Testing

@testable import KernelMount
@testable import NFS

/// A negotiation that has ended with one failure.
private struct EndedNegotiation: MountNegotiation {
    let wording: NFSFailure
    var plans: [MountPlan] { [] }
    var server: String { wording.server }
    func step(after failure: AttemptFailure, of plan: Int) -> NegotiationStep { .end(failure) }
    func explanation(of failure: AttemptFailure, waited: Duration) -> FailureExplanation { wording.explanation(of: failure) }
}

/// The one line that a person at `docker run` reads: cause, server, next step.
struct NFSFailureTests {
    private func explain(
        _ failure: AttemptFailure, server: String = "nas", version: NFSVersion = .v4_1, options: String = "", subdirectory: String? = nil,
        local: String = "192.0.2.1", attempts: [NFSVersion] = []
    ) throws -> StorageError {
        let address = ServerAddress(.ipv4, "192.0.2.7")
        let export = try NFSExport(["server": server, "path": "/export", "o": options], settings: NFSSettings())
        let wording = NFSFailure(
            export: export, options: try export.options(for: .volume), address: address, version: version, localAddress: local,
            attempts: attempts.map { NFSNegotiation.Attempt(version: $0, address: address, errno: .protocolNotSupported) },
            waited: .seconds(42))
        let explanation = FailureExplanation(
            of: failure, by: EndedNegotiation(wording: wording), subdirectory: try subdirectory.map { try Subdirectory($0) },
            waited: .seconds(42))
        let error = StorageError.mounting(
            export.text, explanation.code, explanation.reason, mayPass: failure.end == nil && failure.error.errno.mayPass)
        #expect(error.description.hasPrefix("cannot mount \(server):/export: "))
        #expect(!error.description.contains("\n"))
        #expect(!error.description.contains("Optional("))
        #expect(!error.description.hasSuffix("."))
        return error
    }

    private func server(_ errno: Errno, call: String = "fsconfig(CMD_CREATE)", log: [String] = []) -> AttemptFailure {
        AttemptFailure(.server, SystemError(call, errno, on: "nas:/export"), kernelLog: log)
    }

    private static let answers: [(Errno, StorageError.Code, [String])] = [
        (
            .permissionDenied, .accessDenied,
            ["nas (192.0.2.7) denies this host (192.0.2.1) access to /export", "\"/export 192.0.2.1(rw)\"", "exportfs -ra", "sec="]
        ),
        (.notPermitted, .accessDenied, ["does not permit", "insecure"]),
        (.noSuchFileOrDirectory, .exportNotThere, ["nas (192.0.2.7) has no export /export", "exportfs -v", "fsid=0"]),
        (.notDirectory, .exportNotThere, ["/export on nas", "not a directory", "another path"]),
        (.protocolNotSupported, .versionNotOffered, ["not offered by nas", "nfsvers=auto"]),
        (.timedOut, .silent, ["no answer from nas (192.0.2.7) within 42 s", "firewall", "port 2049"]),
        (.connectionRefused, .refused, ["refuses the connection to TCP port 2049", "is the NFS server running"]),
        (.noRouteToHost, .noRoute, ["no route to nas (192.0.2.7)", "network and routes"]),
        (.networkUnreachable, .noRoute, ["no route", "network and routes"]), (.networkDown, .noRoute, ["no route", "network and routes"]),
        (.hostIsDown, .noRoute, ["no route", "network and routes"]),
        (.invalidArgument, .badOption, ["refuses the options", "check o= and nfsvers="]),
        (.staleNFSFileHandle, .stale, ["stale", "exportfs -ra on the server"]),
        (.resourceBusy, .conflict, ["options that conflict", "o=nosharecache"]),
        (.init(rawValue: 19), .noKernelSupport, ["this kernel has no nfs4 file system", "modprobe nfsv4"]),
        (.ioError, .other, ["the session with nas (192.0.2.7) failed", "dmesg", "server's log"]),
        (.init(rawValue: 121), .other, ["a fault of its own", "server's log"]),
        (.init(rawValue: 126), .accessDenied, ["Kerberos", "/etc/krb5.keytab", "rpc-gssd"]),
        (.init(rawValue: 127), .accessDenied, ["Kerberos", "/etc/krb5.keytab"]), (.fileNameTooLong, .badOption, ["too long", "shorten"]),
        (.init(rawValue: 7), .badOption, ["too long", "shorten"]), (.addressInUse, .other, ["no privileged source port", "o=noresvport"]),
        (.noMemory, .other, ["fsconfig(CMD_CREATE): ", "ENOMEM"]),
        (.init(rawValue: 524), .other, ["not supported by the server (ENOTSUPP)"]),
    ]

    @Test(arguments: answers) func answersOfTheServer(errno: Errno, kind: StorageError.Code, words: [String]) throws {
        let error = try explain(server(errno, log: ["NFS: something", "more"]), attempts: [.v4_1])
        #expect(error.code == kind)
        for word in words { #expect(error.description.contains(word)) }
        // Whoever searches for it must find the symbol, and the kernel's own words.
        #expect(error.description.contains(errno.symbol) || error.description.contains(errno.explained))
        #expect(error.description.contains("the kernel says \"NFS: something; more\""))
        #expect(try !explain(server(errno), attempts: [.v4_1]).description.contains("the kernel says"))
    }

    @Test(arguments: answers) func onlyWhatCanPassByItselfIsTriedAgain(errno: Errno, kind: StorageError.Code, words: [String]) throws {
        let passing: Set<Errno> = [.timedOut, .connectionRefused, .noRouteToHost, .networkUnreachable, .networkDown, .staleNFSFileHandle]
        #expect(try explain(server(errno)).mayPass == passing.contains(errno))
    }

    @Test func aProgramOfThisHostIsNamed() throws {
        // Neither can run in a process of this name's: the test's machine has none.
        let error = try explain(server(.noSuchProcess), options: "xprtsec=tls")
        #expect(error.code == .helperMissing || error.code == .accessDenied)
        #expect(error.description.contains("tlshd"))
    }

    @Test func version3HasCausesOfItsOwn() throws {
        let registered = try explain(server(.notSupportedOnSocket), version: .v3)
        #expect(registered.code == .versionNotOffered)
        #expect(registered.description.contains("no NFS version 3 or no mountd registered with its rpcbind"))
        #expect(try explain(server(.notSupportedOnSocket), version: .v4_1).code == .versionNotOffered)
        #expect(try explain(server(.init(rawValue: 19)), version: .v3).description.contains("modprobe nfsv3"))
    }

    @Test func versionsThatWereTriedAreNamedOnce() throws {
        let error = try explain(server(.protocolNotSupported), attempts: [.v4_2, .v4_2, .v4_1, .v3])
        #expect(error.description.contains("NFS version 4.2, 4.1, 3 is not offered by nas"))
        let missing = try explain(
            AttemptFailure(.option("vers"), SystemError("fsconfig", .invalidArgument, on: "vers=4.0")), attempts: [.v4_0])
        #expect(missing.code == .versionNotOffered)
        #expect(missing.description.contains("NFS version 4.0 is not offered by nas (192.0.2.7) or not built into this kernel (EINVAL)"))
    }

    @Test func theServerIsNamedByNameAddressAndPort() throws {
        #expect(
            try explain(server(.connectionRefused), options: "port=20049").description.contains(
                "nas (192.0.2.7) port 20049 refuses the connection to TCP port 20049"))
        #expect(try explain(server(.permissionDenied), server: "192.0.2.7").description.contains(": 192.0.2.7 denies"))
        #expect(try explain(server(.permissionDenied), local: "").description.contains("denies this host access"))
        #expect(try explain(server(.permissionDenied), local: "").description.contains("\"/export HOST(rw)\""))
    }

    @Test func optionsThatAreRefused() throws {
        let error = try explain(
            AttemptFailure(
                .option("rsize"), SystemError("fsconfig", .invalidArgument, on: "rsize=x"), kernelLog: ["NFS: Bad value for 'rsize'"]))
        #expect(error.code == .badOption)
        #expect(!error.mayPass)
        #expect(
            error.description.contains(
                "option rsize=x is refused, the kernel says \"NFS: Bad value for 'rsize'\": Invalid argument (EINVAL)"))
        #expect(error.description.contains("docker volume rm"))
    }

    @Test(
        arguments: [
            ("openat", .noSuchFileOrDirectory, "the subdirectory a/b does not exist in the export", "create=true"),
            ("openat", .notDirectory, "a in the export is not a directory (symbolic links are not followed)", "another subdir"),
            ("openat", .tooManySymbolicLinkLevels, "a in the export is not a directory", "another subdir"),
            ("mkdirat", .readOnlyFileSystem, "mounted read-only", "make it on the server"),
            ("mkdirat", .permissionDenied, "(mkdirat: Permission denied", "no_root_squash"),
            ("mkdirat", .notPermitted, "does not let root of this host", "no_root_squash"),
            ("fchown", .notPermitted, "fchown", "no_root_squash"),
            ("fchmod", .permissionDenied, "fchmod", "no_root_squash"), ("mkdirat", .noSpace, "subdirectory a/b: mkdirat a: ", "ENOSPC"),
        ] as [(String, Errno, String, String)])
    func subdirectories(call: String, errno: Errno, cause: String, next: String) throws {
        let error = try explain(AttemptFailure(.subdirectory, SystemError(call, errno, on: "a")), subdirectory: "a/b")
        #expect(error.code == .subdirectory)
        #expect(error.description.contains(cause))
        #expect(error.description.contains(next))
    }

    @Test func withoutPrivileges() throws {
        let error = try explain(AttemptFailure(.local, SystemError("fsopen", .notPermitted, on: "nfs4")))
        #expect(error.code == .notPrivileged)
        #expect(error.description.contains("mounting needs root with CAP_SYS_ADMIN (fsopen: "))
        #expect(error.description.contains("run docker-nfsd as root on the host"))
    }

    @Test(
        arguments: [
            (.deadline, .timedOut, "nas (192.0.2.7) took the connection but did not complete the mount within 42 s", "try again"),
            (.cancelled, .cancelled, "given up because the caller has gone", ""),
            (.fromOutside, .other, "killed by somebody else", "look at dmesg, then try again"),
        ] as [(SequenceKillReason, StorageError.Code, String, String)])
    func kills(reason: SequenceKillReason, kind: StorageError.Code, cause: String, next: String) throws {
        let error = try explain(AttemptFailure(.server, SystemError("fsconfig(CMD_CREATE)", .timedOut, on: "the server"), end: reason))
        #expect(error.code == kind)
        #expect(error.description.contains(cause))
        #expect(error.description.hasSuffix(next))
        // Trying again would only wait again.
        #expect(!error.mayPass)
    }
}
