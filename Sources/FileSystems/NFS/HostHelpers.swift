// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import KernelMount
import LinuxSystem
import SystemPackage

/// The programs of this host that the kernel's client asks for what it does not do itself: rpc.gssd for Kerberos, tlshd for TLS.
///
/// Without its program, the kernel answers with an errno that says nothing of it: EINVAL, ENOENT or EACCES for Kerberos (net/sunrpc/
/// auth_gss), ESRCH for TLS (net/handshake).
struct HostHelpers {
    /// Such as `krb5p`; nil if the options ask for no Kerberos.
    let kerberosFlavour: String?
    /// `tls` or `mtls`; nil if the options ask for neither.
    let transportSecurity: String?
    /// Whether a program runs, by its name in ps(1).
    var runs: (String) -> Bool = { !MountNamespace.processes(named: $0).isEmpty }
    var keytab: FilePath = "/etc/krb5.keytab"

    init(for options: NFSOptions) {
        let flavours = options.kernel.last { $0.key == "sec" }?.value?.utf8.split(separator: UInt8(ascii: ":")).map {
            String(Substring($0))
        }
        kerberosFlavour = flavours?.first { ["krb5", "krb5i", "krb5p"].contains($0) }
        transportSecurity = options.kernel.last { $0.key == "xprtsec" }?.value.flatMap { ["tls", "mtls"].contains($0) ? $0 : nil }
    }

    // MARK: Doctor

    /// One for each program that is asked for. Reads /proc.
    func findings() -> [HostFinding] {
        var findings: [HostFinding] = []
        if let kerberosFlavour {
            let lack = kerberosLack
            findings.append(
                HostFinding(
                    verdict: lack == nil ? .ok : .failed, subject: "rpc.gssd",
                    detail: lack.map { "\($0), which sec=\(kerberosFlavour) needs" }
                        ?? "runs, and there is a keytab, for sec=\(kerberosFlavour)"))
        }
        if let transportSecurity { findings.append(tlsFinding(transportSecurity)) }
        return findings
    }

    private func tlsFinding(_ word: String) -> HostFinding {
        switch Mounter.opensFileSystem(NFSVersion.v4_1.fileSystem, accepting: MountOption("xprtsec", word)) {
        case .some(.invalidArgument):
            HostFinding(verdict: .failed, subject: "tlshd", detail: "this kernel does not know xprtsec=\(word): \(Self.tlsKernel)")
        default:
            runs("tlshd")
                ? HostFinding(verdict: .ok, subject: "tlshd", detail: "runs, for xprtsec=\(word)")
                : HostFinding(verdict: .failed, subject: "tlshd", detail: "does not run, which xprtsec=\(word) needs: \(Self.tlsRemedy)")
        }
    }

    private static let tlsKernel = "it needs Linux 6.5 or later"
    private static let tlsRemedy = "install ktls-utils, then systemctl start tlshd"

    /// What is missing for Kerberos, and what to do.
    private var kerberosLack: String? {
        let keytabIsThere = (try? FileDescriptor.open(keytab, .readOnly, options: [.closeOnExec]).close()) != nil
        let remedy = "\(keytabIsThere ? "" : "put this host's key into \(keytab), then ")systemctl start rpc-gssd"
        if !runs("rpc.gssd") { return "rpc.gssd does not run (\(remedy))" }
        return keytabIsThere ? nil : "\(keytab) is missing, with this host's key (\(remedy))"
    }

    // MARK: Failures

    /// The words for a failure behind which such a program may be; nil if none is.
    func explanation(of failure: AttemptFailure) -> FailureExplanation? {
        if failure.stage.option == "xprtsec", let word = transportSecurity {
            return .init(
                .noKernelSupport,
                "this kernel does not know xprtsec=\(word) (\(failure.error.errno.symbol))\(failure.kernelSaid): \(Self.tlsKernel)")
        }
        guard failure.stage == .server, failure.end == nil else { return nil }
        let said = "\(failure.error.errno.explained)\(failure.kernelSaid)"
        return tls(failure.error.errno, said) ?? kerberos(failure.error.errno, said)
    }

    private func tls(_ errno: Errno, _ said: String) -> FailureExplanation? {
        guard let word = transportSecurity, errno == .noSuchProcess || Self.maySayTLS.contains(errno) else { return nil }
        if !runs("tlshd") {
            return .init(.helperMissing, "xprtsec=\(word) needs tlshd on this host, and it does not run: \(said); \(Self.tlsRemedy)")
        }
        guard errno == .noSuchProcess || errno == .permissionDenied else { return nil }
        return .init(
            .accessDenied,
            "the TLS handshake for xprtsec=\(word) failed: \(said); look at tlshd's log (journalctl -u tlshd), its certificates in /etc/tlshd.conf, and xprtsec= of the export"
        )
    }

    private func kerberos(_ errno: Errno, _ said: String) -> FailureExplanation? {
        guard let flavour = kerberosFlavour, Self.maySayKerberos.contains(errno) else { return nil }
        if let lack = kerberosLack { return .init(.helperMissing, "sec=\(flavour) needs Kerberos on this host: \(lack): \(said)") }
        guard [Errno.permissionDenied, Errno(rawValue: ENOKEY), Errno(rawValue: EKEYEXPIRED)].contains(errno) else { return nil }
        return .init(
            .accessDenied,
            "no access with sec=\(flavour): \(said); look at rpc.gssd's log (journalctl -u rpc-gssd), this host's key in \(keytab), both clocks, and sec= of the export"
        )
    }

    private static let maySayTLS: [Errno] = [
        .permissionDenied, .timedOut, .invalidArgument, .ioError, .connectionReset, .protocolNotSupported,
    ]
    private static let maySayKerberos: [Errno] = [
        .permissionDenied, .invalidArgument, .noSuchFileOrDirectory, .notPermitted, .ioError, .timedOut, .protocolNotSupported,
        Errno(rawValue: ENOKEY), Errno(rawValue: EKEYEXPIRED),
    ]
}
