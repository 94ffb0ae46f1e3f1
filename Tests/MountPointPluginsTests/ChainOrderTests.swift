// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import MountPointPlugins

@Suite("The order of a chain, as doctor checks it")
struct ChainOrderTests {
    private let host: InstanceHost
    private var places: PluginPlaces

    init() throws {
        host = try InstanceHost()
        places = host.places
        places.runtimeSettings = host.root.appending("mountpoint-runc.json")
        places.engineSettings = host.root.appending("daemon.json")
    }

    private func write(chain: [String]) throws {
        let names = chain.map { "\"\($0)\"" }.joined(separator: ", ")
        try #"{"mount-point-plugins": [\#(names)]}"#.write(toFile: places.runtimeSettings.string, atomically: false, encoding: .utf8)
    }

    @Test(
        "What is in the wrong order is named, with what becomes of it and how to mend it",
        arguments: [
            (
                ["policy", "translate"],
                "policy is asked before translate, so policy does not see where a path leads; put translate before policy"
            ),
            (
                ["ownership", "other", "translate"],
                "ownership is asked before translate, so translate does not see the path that was asked for; put translate before ownership"
            ),
            (
                ["noswap", "translate"],
                "noswap is asked before translate, so translate does not see the path that was asked for; put translate before noswap"
            ),
            (
                ["copy-on-write", "policy-strict"],
                "copy-on-write is asked before policy-strict, so policy does not see what lies below an overlay; put policy-strict before copy-on-write"
            ),
            (
                ["copy-on-write", "ownership"],
                "copy-on-write is asked before ownership, so an overlay cannot be id-mapped; put ownership before copy-on-write"
            ),
        ])
    func wrong(_ row: ([String], String)) throws {
        try write(chain: row.0)
        let faults = try ChainOrder.all(on: places).flatMap { $0.findings(of: nil) }
        #expect(faults == [PluginFinding(.failed, "\(places.runtimeSettings): \(row.1)")])
    }

    @Test(
        "A right order, with plugins of others anywhere in it",
        arguments: [
            ["translate", "policy", "ownership", "copy-on-write", "noswap"], ["noswap", "policy", "ownership"], ["ownership", "policy"],
            ["a", "translate", "translation", "policies", "noswap", "copy-on-write", "b"], ["policy", "policy-2"],
        ])
    func right(_ chain: [String]) throws {
        try write(chain: chain)
        let findings = try ChainOrder.all(on: places).flatMap { $0.findings(of: nil) }
        #expect(findings == [PluginFinding(.ok, "\(places.runtimeSettings): \(chain.joined(separator: ", ")) is a right order")])
    }

    @Test("The chain of a runtime's arguments in daemon.json counts, too, and only what is about a kind is said of it")
    func arguments() throws {
        let text = #"""
            {"runtimes": {"m": {"path": "/x", "runtimeArgs": ["--mount-point-plugin=policy", "-mount-point-plugin", "translate", "--root", "/r"]},
                          "runc": {"path": "runc"}}}
            """#
        try text.write(toFile: places.engineSettings.string, atomically: false, encoding: .utf8)
        let chains = try ChainOrder.all(on: places)
        #expect(chains.map(\.names) == [["policy", "translate"]])
        #expect(chains.first?.place == "the runtime m of \(places.engineSettings)")
        #expect(chains.flatMap { $0.findings(of: "noswap") } == [])
        #expect(chains.flatMap { $0.findings(of: "translate") }.count == 1)
    }

    @Test("Without a chain nothing is asked; what is in it must be served, and what is served be in it", .needs(.root))
    func service() throws {
        func texts(_ kind: (any PluginKind.Type)? = nil) -> [String] {
            InstanceCheck.findings(of: kind, places: places).map { "[\($0.verdict.rawValue)] \($0.text)" }
        }
        #expect(texts().first == "[warning] \(places.runtimeSettings) names no plugin, so none is asked about any mount")
        try write(chain: ["policy-2", "policy"])
        try FileManager.default.createDirectory(atPath: places.sockets.string, withIntermediateDirectories: true)
        _ = FileManager.default.createFile(atPath: places.sockets.appending("policy.sock").string, contents: nil)
        _ = FileManager.default.createFile(atPath: places.sockets.appending("noswap.sock").string, contents: nil)
        let policy = texts(PolicyKind.self)
        #expect(policy.contains("[ok] policy: it is in the chain, and has its socket"))
        #expect(
            policy.contains(
                "[failed] policy-2: it is in the chain and not served, so no container starts; systemctl enable --now mountpoint-plugin@policy-2.socket"
            ))
        #expect(
            texts(NoSwapKind.self).contains(
                "[warning] noswap: it is served and in no chain, so it is not asked; name it in \(places.runtimeSettings)"))
        #expect(texts(TranslateKind.self).contains("[ok] translate: it is not in use"))
        #expect(texts(TranslateKind.self).last == "[ok] translate: this kernel looks paths up below a folder, and copies mounts")
        try "{".write(toFile: places.runtimeSettings.string, atomically: false, encoding: .utf8)
        #expect(texts().first?.hasPrefix("[failed] \(places.runtimeSettings): ") == true)
    }
}
