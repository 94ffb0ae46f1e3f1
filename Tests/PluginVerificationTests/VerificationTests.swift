// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import TestSupport
import Testing

@testable import PluginVerification

@Suite("Verification of plugins", .serialized)
struct VerificationTests {
    @Test("A plugin that is right keeps every rule") func right() async throws {
        let report = try await verify(restarting: true)
        #expect(report.results.map(\.rule) == VerificationRule.allCases)
        #expect(report.results.filter { $0.outcome != .kept } == [])
    }

    @Test("A plugin that mounts keeps every rule", .needs(.root)) func mounting() async throws {
        let report = try await verify(fault: ["mounting"], restarting: true)
        #expect(report.results.filter { $0.outcome != .kept } == [])
    }

    @Test(
        "A plugin with one fault breaks one rule",
        arguments: [
            ("other-interface", .activation), ("activate-refused", .activation),
            ("changing-properties", .stableProperties),
            ("unknown-member", .patterns), ("patterns-no-list", .patterns), ("properties-refused", .patterns),
            ("no-length", .transport), ("wrong-type", .transport), ("too-large", .transport), ("wrong-length", .transport),
            ("attaches-nothing", .attachOfNothing),
            ("too-many-attachments", .attachOfMany), ("closes-at-many", .attachOfMany),
            ("relative-source", .effectiveSource), ("missing-source", .effectiveSource),
            ("no-actions", .emergencyDetach), ("removes-source", .emergencyDetach), ("relative-action", .emergencyDetach),
            ("unmounts-others", .emergencyDetach),
            ("leaves-folder", .detachUndoes), ("changes-source", .detachUndoes), ("refuses-detach", .detachUndoes),
            ("strict-detach", .unknownDetach),
            ("once-only", .attachAgain),
            ("shared-folder", .twoContainers),
            ("one-at-a-time", .concurrentAttach),
            ("accepts-anything", .hostileRequests), ("dies-of-malformed", .hostileRequests), ("dies-of-long-paths", .hostileRequests),
            ("dies-of-line-breaks", .hostileRequests),
            ("actions-do-nothing", .emergencyAlone),
            ("mounted-unknown", .mounted),
            ("leaks-descriptors", .leaks),
            ("mute", .words),
        ] as [(String, VerificationRule)])
    func fault(_ fault: String, breaks rule: VerificationRule) async throws {
        let report = try await verify(fault: [fault])
        #expect(report.broken == [rule], "\(report.text)")
    }

    @Test("A plugin that is slow or silent breaks the rule of the deadline alone", arguments: ["slow", "hangs"])
    func late(_ fault: String) async throws {
        let report = try await verify(fault: [fault], deadline: .seconds(1)) { settings in settings.cycles = 1 }
        #expect(report.broken == [.deadline], "\(report.text)")
    }

    @Test("A plugin that forgets when it is killed breaks the rule of the restart alone") func forgetting() async throws {
        let report = try await verify(fault: ["forgets"], restarting: true)
        #expect(report.broken == [.restart], "\(report.text)")
    }

    @Test("A mount for all containers that a killed plugin forgets is found, though the next container uses it again", .needs(.root))
    func forgettingSharedMount() async throws {
        let report = try await verify(fault: ["forgets-shared-mount"], restarting: true)
        #expect(report.broken == [.restart], "\(report.text)")
    }

    @Test("A mount that is left breaks the rule of Detach alone", .needs(.root)) func leavingMount() async throws {
        let report = try await verify(fault: ["mounting", "leaves-mount"])
        #expect(report.broken == [.detachUndoes], "\(report.text)")
    }

    @Test("A mount that somebody else makes meanwhile is not the plugin's", .needs(.root)) func mountsOfOthers() async throws {
        let report = try await verify(fault: ["others", "mounting"], restarting: true)
        #expect(report.results.filter { $0.outcome != .kept } == [])
    }

    @Test("Only the rules that were asked for are tried") func chosenRules() async throws {
        let report = try await verify { $0.rules = [.activation, .words] }
        #expect(report.results.map(\.rule) == [.activation, .words])
        #expect(report.isRight)
    }

    @Test("A given mount is the one that is tried") func givenMount() async throws {
        let mount = try VerificationSettings.mount(json: #"{"Type": "volume", "Source": "/srv", "Destination": "/data"}"#)
        #expect(mount.effectiveSource == "/srv" && mount.origin == ["/srv"])
        #expect(throws: VerificationError.self) { try VerificationSettings.mount(json: "{}") }
        #expect(throws: VerificationError.self) { try VerificationSettings.mount(json: "7") }
        let report = try await verify {
            $0.rules = [.effectiveSource]
            $0.mounts = [mount]
        }
        #expect(report.isRight)
    }

    @Test("Nobody at the socket is an error that says so") func nobody() {
        #expect(throws: VerificationError.self) { try VerificationReport(of: VerificationSettings(socket: "/nonexistent/plugin.sock")) }
    }
}

@Suite("Reports of a verification")
struct VerificationReportTests {
    private let report = VerificationReport(
        socket: "/run/a&b.sock",
        results: [
            .init(rule: .activation, outcome: .kept), .init(rule: .patterns, outcome: .broken(["<one>", "two"])),
            .init(rule: .restart, outcome: .notTried("give \"it\"")),
        ])

    @Test("Text has a line for each rule and fault") func text() {
        #expect(
            report.text == """
                V1   kept       Activate names the interface mountpoint
                V3   BROKEN     Properties can be read, and have no unknown member
                                - <one>
                                - two
                V15  not tried  a plugin that was killed and started again detaches what it attached before: give "it"
                1 rules kept, 1 broken, 1 not tried

                """)
        #expect(!report.isRight && report.broken == [.patterns])
    }

    @Test("JSON has the outcome of each rule") func json() throws {
        let value = try JSONValue(parsing: report.jsonText)
        #expect(value["Right"] == false)
        #expect(value["Rules"]?.arrayValue?.map { $0["Outcome"] } == ["kept", "broken", "not-tried"])
        #expect(value["Rules"]?.arrayValue?[1]["Faults"] == ["<one>", "two"])
    }

    @Test("JUnit's XML escapes what it must") func junit() {
        #expect(report.junitText.contains("tests=\"3\" failures=\"1\" skipped=\"1\""))
        #expect(report.junitText.contains("/run/a&amp;b.sock") && report.junitText.contains("<failure>&lt;one&gt;\ntwo</failure>"))
        #expect(report.junitText.contains("<skipped message=\"give &quot;it&quot;\"/>"))
    }
}
