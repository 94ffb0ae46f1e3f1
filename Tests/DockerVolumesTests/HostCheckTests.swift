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
                    "socket \(fixture.folder)/sockets/docker-nfsd.sock", "Docker", "Docker's files",
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

    @Test func whatVolumesAskForIsLookedAtOnce() async throws {
        try await withFixture { fixture in
            let driver = try fixture.start().nfsd
            for (name, options) in [("a", "sec=krb5"), ("b", "sec=krb5"), ("c", "hard")] {
                try await driver.create(name, options: ["server": "nas", "path": "/export", "o": options])
            }
            let subjects = try await blocking { check(fixture).host().map(\.subject) }
            #expect(subjects.filter { $0 == "rpc.gssd" }.count == 1)
        }
    }

    /// Otherwise status shows mount IDs in the place of containers, and nobody knows why.
    @Test func holdersThatDockersFilesDoNotName() async throws {
        try await withFixture { fixture in
            func finding() async throws -> String {
                try #require(try await blocking { check(fixture).host().first { $0.subject == "Docker's files" } }).text
            }
            #expect(
                try await finding()
                    == "[warning] Docker's files: no folder of containers is in \(fixture.folder)/docker: give Docker's data root as docker-directory"
            )
            try makeFolders(fixture.folder.appending("docker/containers/aaa"))
            let config = #"{"Name":"/web","MountPoints":{"/data":{"ID":"one"}}}"#
            try replaceFile(fixture.folder.appending("docker/containers/aaa/config.v2.json"), with: Array(config.utf8))
            let volumes = try fixture.start()
            try await volumes.nfsd.create("web")
            func hold(_ id: String) throws {
                var references = try #require(volumes.table.record(VolumeName("web")!)).references
                references.retain(id, activation: 0, now: 0)
                try volumes.table.store(references, of: VolumeName("web")!)
            }
            try hold("one")
            #expect(try await finding().hasPrefix("[ok] "))
            try hold("two")
            #expect(
                try await finding().hasPrefix(
                    "[warning] Docker's files: 1 of those who hold volumes are no containers in \(fixture.folder)/docker/containers: "))
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
            let holder = try UnusedPort()
            defer { withExtendedLifetime(holder) {} }
            let port = holder.number
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
