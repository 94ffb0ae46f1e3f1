// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import KernelMount
import NFS
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

@Suite(.timeLimit(.minutes(5))) struct HostCheckTests {
    private func check(_ fixture: Fixture, standIn: Bool = true) -> HostCheck {
        var settings = fixture.settings
        if !standIn { settings.volumes.kind = NFS() }
        settings.socketDirectory = fixture.folder.appending("sockets")
        return HostCheck(settings: settings)
    }

    private func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await BlockingThread.run(named: "check", body)
    }

    @Test func everyPartOfTheHostIsLookedAt() async throws {
        try await withFixture { fixture in
            let findings = try await blocking { check(fixture).host() }
            #expect(
                findings.map(\.subject) == [
                    "root", "mount calls", "NFS version 4", "NFS version 3", "rpc.statd", "socket \(fixture.folder)/sockets/nfsd.sock",
                    "socket \(fixture.folder)/sockets/docker-nfsd.sock", "Docker",
                    "mount folder \(fixture.settings.mountDirectory)",
                ])
            for finding in findings {
                #expect(!finding.text.contains("\n"))
                #expect(finding.text.hasPrefix("[\(finding.verdict)] \(finding.subject): "))
            }
            #expect((findings[0].verdict == .ok) == EffectiveUser.isRoot)
            #expect(findings[2].detail == "tmpfs stands in for it: a test")
        }
    }

    @Test func socketsInEveryState() async throws {
        try await withFixture { fixture in
            func findings() async throws -> [String] {
                try await blocking { check(fixture).host().filter { $0.subject.hasPrefix("socket ") }.map { "\($0.verdict) \($0.detail)" } }
            }
            #expect(try await findings().allSatisfy { $0 == "failed is not there: systemctl enable --now docker-nfsd" })
            try makeFolders(fixture.folder.appending("sockets"))
            try replaceFile(fixture.folder.appending("sockets/docker-nfsd.sock"), with: [])
            let path = fixture.folder.appending("sockets/nfsd.sock")
            let listener = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.string.utf8)) }
            let bound = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
            }
            try #require(bound == 0 && listen(listener, 8) == 0)
            #expect(
                try await findings() == ["ok somebody listens", "failed is not a socket: remove it, then systemctl restart docker-nfsd"])
            close(listener)
            #expect(try await findings()[0].hasPrefix("failed nobody listens, which costs Docker 15 s at each use"))
        }
    }

    @Test func aTextThatIsNoExport() async throws {
        try await withFixture { fixture in
            #expect(throws: StorageError.self) { try check(fixture).export("nas", options: "", versions: nil) }
            #expect(throws: StorageError.self) { try check(fixture).export("nas:/a", options: "harrd", versions: nil) }
            #expect(throws: StorageError.self) { try check(fixture).export("nas:/a", options: "", versions: "9") }
        }
    }

    @Test(.needs(.root)) func aTrialMountIsTakenBack() async throws {
        try await withFixture { fixture in
            let findings = try check(fixture).export("nas:/export", options: "hard", versions: "4.2")
            #expect(findings.map(\.subject) == ["trial mount"])
            #expect(findings[0].verdict == .ok)
            #expect(findings[0].detail.hasPrefix("mounted and unmounted again: rw"))
            #expect(try MountTable().mounts(below: fixture.folder.string).isEmpty)
            #expect(fixture.names("run/staging").isEmpty)
        }
    }

    @Test func aServerThatIsNotThere() async throws {
        try await withFixture { fixture in
            // Bound and not listening: nobody else can take the port meanwhile.
            let holder = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
            defer { close(holder) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let bound = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(holder, $0, length) + getsockname(holder, $0, &length) }
            }
            try #require(bound == 0)
            let port = UInt16(bigEndian: address.sin_port)
            let findings = try await blocking {
                try check(fixture, standIn: false).export("127.0.0.1:/export", options: "port=\(port)", versions: nil)
            }
            #expect(findings.map(\.subject) == ["name 127.0.0.1", "server 127.0.0.1 port \(port)", "trial mount"])
            #expect(findings.map(\.verdict) == [.ok, .failed, .failed])
            #expect(findings[1].detail.hasPrefix("Connection refused (ECONNREFUSED): is the NFS server running"))
            #expect(fixture.names("run/staging").isEmpty)
        }
    }

    @Test func aNameThatIsNotThere() async throws {
        try await withFixture { fixture in
            let findings = try await blocking {
                try check(fixture, standIn: false).export("nas.invalid:/export", options: "", versions: nil)
            }
            #expect(findings.count == 1)
            #expect(findings[0].text.hasPrefix("[failed] name nas.invalid: does not resolve ("))
        }
    }
}
