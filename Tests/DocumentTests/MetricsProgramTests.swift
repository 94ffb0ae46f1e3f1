// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

/// The metrics of a docker-nfsd that runs: where they are read, and that they follow what engines ask for.
@Suite(.timeLimit(.minutes(5))) struct MetricsProgramTests {
    @Test func eachCallIsCounted() async throws {
        try await RunningDaemon.with(metrics: "socket") { daemon in
            #expect(try await daemon.page().value("docker_nfsd_volumes") == 0)
            try await daemon.call("Plugin.Activate", "")
            try await daemon.call("VolumeDriver.Create", #"{"Name":"web","Opts":{"server":"nas","path":"/export"}}"#)
            try await daemon.call("VolumeDriver.Create", #"{"Name":"a\"b\\c\nd","Opts":{"server":"nas","path":"/export"}}"#)
            for _ in 0..<3 { try await daemon.call("VolumeDriver.Get", #"{"Name":"web"}"#) }
            try await daemon.call("VolumeDriver.Get", #"{"Name":"gone"}"#)
            try await daemon.call("VolumeDriver.List", "")
            let page = try await daemon.page()
            #expect(page.value("docker_nfsd_volumes") == 2)
            for (call, code, count) in [
                ("activate", "ok", 1.0), ("create", "ok", 2), ("get", "ok", 3), ("get", "no-such-volume", 1), ("list", "ok", 1),
                ("mount", "ok", 0), ("mount", "silent", 0),
            ] {
                #expect(page.value("docker_nfsd_calls_total", ["call": call, "code": code]) == count, "\(call) \(code)")
            }
            #expect(page.value("docker_nfsd_call_duration_seconds_count", ["call": "get"]) == 4)
            #expect(page.series("docker_nfsd_volume_mounted").compactMap { $0.labels["volume"] } == [#"a%22b%5Cc%0Ad"#, "web"])
            let build = try await command([Programs.daemon, "--version"]).output.dropLast()
            #expect(page.value("docker_nfsd_build_info", ["version": String(build)]) == 1)
            try await daemon.call("VolumeDriver.Remove", #"{"Name":"web"}"#)
            #expect(try await daemon.page().value("docker_nfsd_volumes") == 1)
        }
    }

    @Test(.needs(.root)) func mountsAndReferencesAreSeen() async throws {
        try await RunningDaemon.with(metrics: "socket") { daemon in
            try await daemon.call("VolumeDriver.Create", #"{"Name":"web","Opts":{"server":"nas","path":"/export"}}"#)
            for id in ["a", "b"] { try await daemon.call("VolumeDriver.Mount", #"{"Name":"web","ID":"\#(id)"}"#) }
            var page = try await daemon.page()
            #expect(page.value("docker_nfsd_mounted_volumes") == 1)
            #expect(page.value("docker_nfsd_volume_references", ["volume": "web"]) == 2)
            #expect(page.value("docker_nfsd_calls_total", ["call": "mount", "code": "ok"]) == 2)
            for id in ["a", "b"] { try await daemon.call("VolumeDriver.Unmount", #"{"Name":"web","ID":"\#(id)"}"#) }
            page = try await daemon.page()
            #expect(page.value("docker_nfsd_volume_mounted", ["volume": "web"]) == 0)
            #expect(page.value("docker_nfsd_references") == 0)
        }
    }

    @Test func nothingListensUnlessItIsSet() async throws {
        for metrics in [nil, "none"] {
            try await RunningDaemon.with(metrics: metrics) { daemon in
                #expect(!FileManager.default.fileExists(atPath: daemon.metricsSocket))
                let sockets = try await command(["curl", "-sS", "--unix-socket", daemon.driverSocket, "http://localhost/metrics"]).output
                #expect(sockets.contains("there is no such call"), "\(sockets)")
            }
        }
    }

    @Test func theSocketIsForRootAlone() async throws {
        try await RunningDaemon.with(metrics: "socket") { daemon in
            let attributes = try FileManager.default.attributesOfItem(atPath: daemon.metricsSocket)
            #expect(attributes[.type] as? FileAttributeType == .typeSocket)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            #expect(attributes[.ownerAccountID] as? UInt32 == geteuid())
        }
    }

    @Test(arguments: ["127.0.0.1", "[::1]"])
    func aLocalPortIsRead(host: String) async throws {
        let port = try RunningDaemon.freePort()
        try await RunningDaemon.with(metrics: "\(host):\(port)") { daemon in
            let url = "http://\(host):\(port)/metrics"
            let result = try await command(["curl", "-sS", "-g", "-D", "-", "--max-time", "60", url])
            #expect(result.output.hasPrefix("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), "\(result)")
            #expect(result.output.contains("\ndocker_nfsd_volumes 0\n"))
            let head = try await command(["curl", "-sS", "-g", "-I", "--max-time", "60", url])
            #expect(head.output.hasPrefix("HTTP/1.1 200 OK\r\n") && !head.output.contains("docker_nfsd_volumes"), "\(head)")
        }
    }

    /// Docker waits 15 s for each file without a listener.
    @Test func itsEndLeavesNoSocketBehind() async throws {
        try await RunningDaemon.with(metrics: "socket") { daemon in
            let sockets = [daemon.driverSocket, daemon.folder.appending("socket/docker-nfsd.sock").string, daemon.metricsSocket]
            #expect(sockets.allSatisfy(FileManager.default.fileExists))
            kill(daemon.process, SIGTERM)
            try await eventually("they are gone") { !sockets.contains(where: FileManager.default.fileExists) }
        }
    }

    /// Volumes are worth more than figures about them.
    @Test func aPlaceThatIsTakenKeepsNoVolumeFromBeingServed() async throws {
        try await RunningDaemon.with(metrics: "socket") { first in
            try await RunningDaemon.with(metrics: "unix:" + first.metricsSocket) { second in
                try await eventually("the log says so") {
                    second.log.contains("metrics cannot be read: another process listens at \(first.metricsSocket); stop it first")
                }
                #expect(try await second.call("VolumeDriver.List", "").contains(#""Volumes":[]"#))
                #expect(try await first.page().value("docker_nfsd_volumes") == 0)
            }
            #expect(try await first.page().value("docker_nfsd_volumes") == 0, "the other's end takes nothing away")
        }
    }
}
