// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import SystemPackage
import Testing

@testable import NFS

/// Failures whose cause is a program of this host that does not run.
struct HostHelpersTests {
    private func helpers(_ options: String, running: [String] = [], keytab: FilePath = "/nonexistent/keytab") throws -> HostHelpers {
        var helpers = HostHelpers(for: try NFSOptions(options))
        helpers.runs = running.contains
        helpers.keytab = keytab
        return helpers
    }

    private func failure(_ errno: Errno, _ stage: AttemptFailure.Stage = .server) -> AttemptFailure {
        AttemptFailure(stage, SystemError("fsconfig(CMD_CREATE)", errno, on: "nas:/export"))
    }

    @Test(arguments: [Errno.invalidArgument, .noSuchFileOrDirectory, .permissionDenied])
    func kerberosWithoutItsProgramOrKey(errno: Errno) throws {
        let without = try #require(helpers("sec=sys:krb5p").explanation(of: failure(errno)))
        #expect(without.code == .helperMissing)
        for word in ["sec=krb5p", "rpc.gssd does not run", "/nonexistent/keytab", "systemctl start rpc-gssd", errno.symbol] {
            #expect(without.reason.contains(word), "\(word)")
        }
        let withoutKey = try #require(helpers("sec=krb5", running: ["rpc.gssd"]).explanation(of: failure(errno)))
        #expect(withoutKey.code == .helperMissing)
        #expect(withoutKey.reason.contains("/nonexistent/keytab is missing"))
        // With both, only what the server says about access can be about Kerberos.
        let denied = try helpers("sec=krb5i", running: ["rpc.gssd"], keytab: "/etc/passwd").explanation(of: failure(errno))
        #expect((denied?.code == .accessDenied) == (errno == .permissionDenied))
        #expect(denied?.reason.contains("sec=krb5i") ?? true)
    }

    @Test func transportSecurityWithoutItsProgramOrKernel() throws {
        let without = try #require(helpers("xprtsec=tls").explanation(of: failure(.noSuchProcess)))
        #expect(without.code == .helperMissing)
        #expect(without.reason.contains("xprtsec=tls needs tlshd on this host, and it does not run: No such process (ESRCH)"))
        #expect(without.reason.contains("ktls-utils"))
        let failed = try #require(helpers("xprtsec=mtls", running: ["tlshd"]).explanation(of: failure(.permissionDenied)))
        #expect(failed.code == .accessDenied)
        #expect(failed.reason.contains("handshake for xprtsec=mtls failed"))
        let old = try #require(helpers("xprtsec=tls").explanation(of: failure(.invalidArgument, .option("xprtsec"))))
        #expect(old.code == .noKernelSupport)
        #expect(old.reason.contains("Linux 6.5"))
    }

    /// What the options do not ask for is no cause.
    @Test(arguments: ["", "sec=sys", "sec=none", "xprtsec=none"]) func othersAreNotBlamed(options: String) throws {
        for errno in [Errno.permissionDenied, .invalidArgument, .noSuchProcess] {
            #expect(try helpers(options).explanation(of: failure(errno)) == nil)
        }
        #expect(try helpers(options).findings().isEmpty)
        #expect(try helpers("sec=krb5").explanation(of: failure(.connectionRefused)) == nil)
    }

    @Test func doctorLooksAtWhatTheOptionsAskFor() throws {
        #expect(
            try helpers("sec=krb5").findings().map(\.text) == [
                "[failed] rpc.gssd: rpc.gssd does not run (put this host's key into /nonexistent/keytab, then systemctl start rpc-gssd), which sec=krb5 needs"
            ])
        #expect(try helpers("sec=krb5", running: ["rpc.gssd"], keytab: "/etc/passwd").findings().map(\.verdict) == [.ok])
        let tls = try helpers("xprtsec=tls").findings()
        #expect(tls.map(\.subject) == ["tlshd"] && tls.map(\.verdict) == [.failed])
        let source = try NFS().source(["server": "nas", "path": "/a", "o": "sec=krb5p"])
        #expect(source.checkHost().map(\.subject) == ["rpc.gssd"])
        var settings = NFSSettings()
        settings.mountOptions = "sec=krb5"
        #expect(NFS(settings).checkHost().contains { $0.subject == "rpc.gssd" })
    }
}
