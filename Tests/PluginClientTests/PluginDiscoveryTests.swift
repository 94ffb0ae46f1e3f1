// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import LinuxSystem
import PluginClient
import SystemPackage
import TestSupport
import Testing

@Suite struct PluginDiscoveryTests {
    private func discovery(_ folder: FilePath) throws -> PluginDiscovery {
        for name in ["run/p", "etc/p", "lib/p"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        }
        return PluginDiscovery(socketDirectory: "\(folder)/run", specificationDirectories: ["\(folder)/etc", "\(folder)/lib"])
    }

    private func write(_ text: String, _ path: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }

    /// Each place hides those after it.
    @Test func placesInTheirOrder() async throws {
        try await withScratchFolder { folder in
            let discovery = try discovery(folder)
            let places = [
                "run/p.sock", "run/p/p.sock", "etc/p.spec", "etc/p/p.spec", "etc/p.json", "etc/p/p.json", "lib/p.spec", "lib/p/p.spec",
                "lib/p.json",
                "lib/p/p.json",
            ]
            for (index, place) in places.enumerated().reversed() {
                let path = "\(folder)/\(place)"
                let address: PluginAddress
                if place.hasSuffix(".sock") {
                    try makeDeadSocket(at: path)
                    address = .unix(path: path)
                } else {
                    address = .tcp(host: "127.0.0.1", port: UInt16(1000 + index))
                    try write(
                        place.hasSuffix(".spec") ? "\(address)\n" : "{\"Name\":\"other\",\"Addr\":\"\(address)\",\"TLSConfig\":null}", path)
                }
                let found = try discovery.find("p")
                #expect(found.address == address)
                #expect(found.foundAt == path)
                #expect(found.name.text == "p")
            }
        }
    }

    @Test func aSocketMayBeALink() async throws {
        try await withScratchFolder { folder in
            let discovery = try discovery(folder)
            try makeDeadSocket(at: "\(folder)/real")
            try #require(symlink("\(folder)/real", "\(folder)/run/p.sock") == 0)
            #expect(try discovery.find("p").address == .unix(path: "\(folder)/run/p.sock"))
        }
    }

    @Test func namesAreBytes() throws {
        #expect(try PluginName("\u{E9}") == PluginName("\u{E9}"))
        #expect(try PluginName("\u{E9}") != PluginName("e\u{301}"))
        #expect(try Set([PluginName("\u{E9}"), PluginName("e\u{301}")]).count == 2)
    }

    /// A named pipe would keep the container waiting for somebody to write to it.
    @Test(arguments: ["p.spec", "p.json"])
    func aPipeInThePlaceOfASpecificationIsAnError(name: String) async throws {
        try await withScratchFolder { folder in
            let discovery = try discovery(folder)
            try #require(mkfifo("\(folder)/etc/\(name)", 0o600) == 0)
            let error = #expect(throws: PluginClientError.self) { try discovery.find("p") }
            #expect(error?.message.contains("it must be a regular file") == true)
            #expect(error?.cause is SystemError)
        }
    }

    /// As Docker does; but a person who made the file wants to know.
    @Test func whatIsNoSocketIsPassedOverAndNamed() async throws {
        try await withScratchFolder { folder in
            let discovery = try discovery(folder)
            try write("", "\(folder)/run/p.sock")
            try #require(symlink("p.sock", "\(folder)/run/p/p.sock") == 0)
            try #require(symlink("loop.spec", "\(folder)/etc/loop.spec") == 0)
            let error = callError { _ = try discovery.find("p") }
            #expect(error?.message.contains("\(folder)/run/p.sock is there, but is no socket") == true, "\(error?.message ?? "")")
            #expect(callError { _ = try discovery.find("loop") }?.message.contains("(ELOOP)") == true)
            try write("unix:///x", "\(folder)/lib/p.spec")
            #expect(try discovery.find("p").address == .unix(path: "/x"))
        }
    }

    @Test func whatIsNotThereSaysWhereItWasLookedFor() async throws {
        try await withScratchFolder { folder in
            let error = try #require(callError { _ = try discovery(folder).find("absent") })
            var expected = PluginClientError(
                .notSent, plugin: "absent",
                "plugin absent was not found in \(folder)/run/absent.sock, \(folder)/etc/absent.spec and .json, "
                    + "\(folder)/lib/absent.spec and .json; start it, or take it out of the chain")
            expected.isAbsence = true
            #expect(error == expected)
        }
    }

    @Test func theDefaultPlacesAreDockers() {
        let discovery = PluginDiscovery()
        #expect(discovery.socketDirectory == "/run/docker/plugins")
        #expect(discovery.specificationDirectories == ["/etc/docker/plugins", "/usr/lib/docker/plugins"])
    }

    @Test(arguments: ["", "..", "../run/p", "p/p", "/p", "p\u{0}", "p\n"])
    func hostileNamesTouchNothing(_ name: String) async throws {
        try await withScratchFolder { folder in
            let discovery = try discovery(folder)
            try makeDeadSocket(at: "\(folder)/run/p.sock")
            try makeDeadSocket(at: "\(folder)/run/p/p.sock")
            #expect(callError { _ = try discovery.find(name) }?.message.contains("is no name of a plugin") == true)
        }
    }

    @Test(arguments: [
        ("p.spec", "", "it is empty"), ("p.spec", " \n\t\n", "it is empty"), ("p.spec", "unix:///a\nunix:///b\n", "second line"),
        ("p.spec", "https://127.0.0.1:1", "TLS is not supported yet"), ("p.spec", "tcp://127.0.0.1:http", "port"),
        ("p.spec", "\u{feff}unix:///a", "begins with none of"), ("p.spec", String(repeating: "x", count: 70_000), "EFBIG"),
        ("p.json", "", "not valid JSON: line 1"), ("p.json", "{\"Addr\":\"unix:///a\"", "not valid JSON"), ("p.json", "[]", "not an array"),
        ("p.json", "{}", "has no Addr"), ("p.json", "{\"Addr\":5}", "must be a string, not a number"),
        ("p.json", "{\"Addr\":\"\"}", "it is empty"), ("p.json", "{\"Addr\":\"https://x\"}", "TLS is not supported yet"),
        ("p.json", "{\"Addr\":\"tcp://127.0.0.1:1\",\"TLSConfig\":{}}", "has a TLSConfig"),
        ("p.json", "{\"addr\":\"tcp://127.0.0.1:1\",\"tlsconfig\":{\"CAFile\":\"/ca\"}}", "has a TLSConfig"),
    ])
    func filesThatAreRefused(_ name: String, _ content: String, _ reason: String) async throws {
        try await withScratchFolder { folder in
            let discovery = try discovery(folder)
            try write(content, "\(folder)/etc/\(name)")
            // A later place never stands in for one that is wrong.
            try write("unix:///later", "\(folder)/lib/p.spec")
            let error = try #require(callError { _ = try discovery.find("p") })
            #expect(error.kind == .notSent)
            #expect(error.message.hasPrefix("plugin p: "))
            #expect(error.message.contains("\(folder)/etc/\(name)"))
            #expect(error.message.contains(reason), "\(error.message)")
            #expect(!error.message.contains("\n"))
        }
    }

    @Test func namesOfMembersInAnyCase() async throws {
        try await withScratchFolder { folder in
            let discovery = try discovery(folder)
            try write("{\"addr\":\"unix:///x\",\"more\":[1]}", "\(folder)/etc/p.json")
            #expect(try discovery.find("p").address == .unix(path: "/x"))
        }
    }
}
